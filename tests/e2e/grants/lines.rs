//! Each line that the four manifests grant is needed: without it a run is refused, and the refusal names it.

use wasmigrate::guard::grants::{Grant, Grants};
use wasmigrate::manifest::Manifest;
use wasmigrate::migration::Phase;

use crate::guests::{change_manifest, file_of};
use crate::support::{Database, Ended, VERSIONS, only, white_cross};

const PHASES: [Phase; 3] = [Phase::Up, Phase::Down, Phase::Verify];

/// The grants of a manifest as it writes them, without line `without` of a phase.
fn grants(manifest: &Manifest, without: (Phase, usize)) -> String {
    let phases = PHASES.map(|phase| {
        let lines = manifest.grants.of(phase).iter().enumerate();
        let kept = lines.filter(|(place, _)| (phase, *place) != without);
        let kept: Vec<String> = kept.map(|(_, grant)| format!("'{grant}'")).collect();
        format!("{phase} = [{}]\n", kept.join(", "))
    });
    format!("[grants]\n{}", phases.concat())
}

/// The line that a refusal advises to add.
#[track_caller]
fn advised(ended: &Ended) -> Grant {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    let advised = text.split_once(", add \"").and_then(|(_, rest)| {
        let (line, _) = rest.split_once("\" to `")?;
        let first = line.split("\", \"").next()?;
        serde_json::from_str::<String>(&format!("\"{first}\"")).ok()
    });
    let line = advised.unwrap_or_else(|| panic!("no line is advised: {ended:?}"));
    Grant::parse(&line).unwrap()
}

/// Takes each line of each phase of a migration away, one at a time; with each of these arguments of `up` it then
/// runs, until one of the runs is refused.
#[track_caller]
fn each_line_is_needed(version: &str, runs: &[&[&str]]) {
    let text = std::cell::RefCell::new(String::new());
    let whole = only(white_cross(), &[version]);
    change_manifest(&file_of(whole.path(), version), |manifest| {
        *text.borrow_mut() = manifest.to_owned();
        manifest.to_owned()
    });
    let text = text.into_inner();
    let manifest = Manifest::parse(version, &text).unwrap();
    let (head, _) = text.split_once("[grants]").unwrap();
    for phase in PHASES {
        for (place, line) in manifest.grants.of(phase).iter().enumerate() {
            let folder = only(white_cross(), &[version]);
            let section = grants(&manifest, (phase, place));
            change_manifest(&file_of(folder.path(), version), |_| {
                format!("{head}{section}")
            });
            let refused = runs.iter().find_map(|args| {
                let database = Database::white_cross(40, 7);
                let up = database.run(folder.path(), &[&["up"], *args].concat());
                let ended = match phase {
                    Phase::Down => {
                        up.ok();
                        database.run(folder.path(), &["down"])
                    }
                    Phase::Up | Phase::Verify => up,
                };
                (ended.status != 0).then_some(ended)
            });
            let ended = refused.unwrap_or_else(|| panic!("no run needs {phase}: {line}"));
            let ended = ended.failed(7, "grant-denied");
            assert!(ended.stderr.contains("is not granted"), "{line}: {ended:?}");
            let removed = Grants::parse([line.to_string().as_str()]).unwrap();
            let advised = advised(&ended);
            assert!(
                removed.iter().any(|grant| grant.allows(&advised)),
                "without {line} it is advised to add {advised}"
            );
        }
    }
}

#[test]
fn each_line_of_the_foreign_keys_manifest_is_needed() {
    let runs: [&[&str]; 2] = [
        &["--set", "orphans=placeholder"],
        &["--set", "orphans=delete"],
    ];
    each_line_is_needed(VERSIONS[0], &runs);
}

#[test]
fn each_line_of_the_critical_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[1], &[&[]]);
}

#[test]
fn each_line_of_the_security_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[2], &[&[]]);
}

#[test]
fn each_line_of_the_search_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[3], &[&[]]);
}
