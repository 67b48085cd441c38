//! Each line that the four manifests grant is needed, and in it each column and each action: without it a run is
//! refused, and the refusal names it.

use wasmigrate::guard::grants::{Grant, Subject};
use wasmigrate::manifest::Manifest;
use wasmigrate::migration::Phase;

use crate::guests::{change_manifest, file_of};
use crate::support::{Database, Ended, VERSIONS, only, white_cross};

const PHASES: [Phase; 3] = [Phase::Up, Phase::Down, Phase::Verify];

/// What may need a grant: an `up` on tables that this was done to before.
struct Run {
    before: &'static str,
    args: &'static [&'static str],
}

/// With the settings' defaults.
const USUAL: Run = Run {
    before: "",
    args: &[],
};

/// What a line grants, where that can be taken apart: each column or action by itself.
fn parts(line: &Grant) -> Vec<Grant> {
    let part = |subject| Grant {
        kind: line.kind,
        subject,
    };
    match &line.subject {
        Subject::Columns(table, columns) if columns.len() > 1 => (columns.iter())
            .map(|column| part(Subject::Columns(table.clone(), [column.clone()].into())))
            .collect(),
        Subject::Actions(table, actions) if actions.len() > 1 => (actions.iter())
            .map(|action| part(Subject::Actions(table.clone(), [*action].into())))
            .collect(),
        _ => Vec::new(),
    }
}

/// What is left of a line.
fn without(line: &Grant, part: &Grant) -> Option<Grant> {
    let left = parts(line).into_iter().filter(|other| other != part);
    left.reduce(|mut one, other| {
        match (&mut one.subject, other.subject) {
            (Subject::Columns(_, columns), Subject::Columns(_, more)) => columns.extend(more),
            (Subject::Actions(_, actions), Subject::Actions(_, more)) => actions.extend(more),
            _ => unreachable!("only lines of columns and actions have parts"),
        }
        one
    })
}

/// The grants of a manifest as it writes them, but of this line of a phase only what is left of it.
fn grants(manifest: &Manifest, changed: (Phase, usize), left: Option<&Grant>) -> String {
    let phases = PHASES.map(|phase| {
        let lines = manifest.grants.of(phase).iter().enumerate();
        let kept = lines.filter_map(|(place, line)| match (phase, place) == changed {
            true => left,
            false => Some(line),
        });
        let kept: Vec<String> = kept.map(|line| format!("'{line}'")).collect();
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

/// Takes each line, and each part of a line, of each phase of a migration away, one at a time; then these are run,
/// until one is refused.
#[track_caller]
fn each_line_is_needed(version: &str, runs: &[Run]) {
    let text = std::cell::RefCell::new(String::new());
    let whole = only(white_cross(), &[version]);
    change_manifest(&file_of(whole.path(), version), |manifest| {
        *text.borrow_mut() = manifest.to_owned();
        manifest.to_owned()
    });
    let text = text.into_inner();
    let manifest = Manifest::parse(version, &text).unwrap();
    let (head, _) = text.split_once("[grants]").unwrap();
    let filled = Database::white_cross(40, 7);
    let databases: Vec<_> = (runs.iter())
        .map(|run| {
            let database = filled.copy();
            database.sql(run.before);
            database
        })
        .collect();
    for phase in PHASES {
        for (place, line) in manifest.grants.of(phase).iter().enumerate() {
            for part in [line.clone()].into_iter().chain(parts(line)) {
                let folder = only(white_cross(), &[version]);
                let left = without(line, &part).filter(|_| part != *line);
                let section = grants(&manifest, (phase, place), left.as_ref());
                change_manifest(&file_of(folder.path(), version), |_| {
                    format!("{head}{section}")
                });
                let refused = runs.iter().zip(&databases).find_map(|(run, database)| {
                    let database = database.copy();
                    let up = database.run(folder.path(), &[&["up"], run.args].concat());
                    let ended = match phase {
                        Phase::Down => {
                            up.ok();
                            database.run(folder.path(), &["down"])
                        }
                        Phase::Up | Phase::Verify => up,
                    };
                    (ended.status != 0).then_some(ended)
                });
                let ended = refused.unwrap_or_else(|| panic!("no run needs {phase}: {part}"));
                let ended = ended.failed(7, "grant-denied");
                assert!(ended.stderr.contains("is not granted"), "{part}: {ended:?}");
                let advised = advised(&ended);
                // of a whole line the first statement needs a part, with others of a part the statement that needs it
                let named = line.allows(&advised) && (part == *line || advised.allows(&part));
                assert!(named, "without {part} it is advised to add {advised}");
            }
        }
    }
}

#[test]
fn each_line_of_the_foreign_keys_manifest_is_needed() {
    let runs = [
        USUAL,
        Run {
            args: &["--set", "orphans=delete"],
            ..USUAL
        },
        Run {
            before:
                "ALTER TABLE public.medication_logs ADD CONSTRAINT fk_medication_logs_medication_id
                     FOREIGN KEY (\"medicationId\") REFERENCES public.medications (id)
                     ON UPDATE CASCADE ON DELETE RESTRICT NOT VALID",
            ..USUAL
        },
    ];
    each_line_is_needed(VERSIONS[0], &runs);
}

#[test]
fn each_line_of_the_critical_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[1], &[USUAL]);
}

#[test]
fn each_line_of_the_security_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[2], &[USUAL]);
}

#[test]
fn each_line_of_the_search_indexes_manifest_is_needed() {
    each_line_is_needed(VERSIONS[3], &[USUAL]);
}
