//! The reviewer's page: what `inspect` says of the four migrations, and of a component that tries to deceive.

use std::path::Path;

use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::support::{Database, Ended, VERSIONS, bare, only, root, white_cross};

fn inspect(args: &[&str], files: &[&Path]) -> Ended {
    let mut command = bare(&["inspect"]);
    Ended::of(command.args(args).args(files).output().unwrap()).ok()
}

/// The page as it was read and found right. `UPDATE_PAGES=1` writes it anew.
#[test]
fn the_page_of_each_migration_answers_what_a_reviewer_asks() {
    for version in VERSIONS {
        let file = file_of(white_cross(), version);
        let page = inspect(&[], &[&file]).stdout;
        // these differ with the folder and the compiler
        let changing = ["  file ", "  digest ", "  size "];
        let page: Vec<_> = page
            .lines()
            .filter(|line| !changing.iter().any(|start| line.starts_with(start)))
            .collect();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let kept = root().join(format!("tests/e2e/pages/{name}.txt"));
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(&kept, page.join("\n") + "\n").unwrap();
        }
        let expected = std::fs::read_to_string(&kept).unwrap();
        let expected: Vec<_> = expected.lines().collect();
        let differing = expected.iter().zip(&page).find(|(kept, is)| kept != is);
        assert!(
            expected == page,
            "the page of {name} is another than {}; first at {differing:?}, {} lines in place of {}:\n{}",
            kept.display(),
            page.len(),
            expected.len(),
            page.join("\n")
        );
    }
}

/// What must never be shown as it is: control characters, bidi controls, and letters that pass for others.
const RAW: &[char] = &[
    '\x1b', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{430}', '\u{ff44}',
];
/// In a manifest, which takes no hidden character.
const ALIKE: &str = "p\u{430}ypal \u{ff44}rop";
const HOSTILE: &str = "\x1b[2J\x1b]0;x\x07 \u{9b}1A \u{202e}gpj\u{2066} p\u{430}ypal \u{ff44}rop";

#[track_caller]
fn nothing_raw(ended: &Ended, shown: &str) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains(RAW), "{ended:?}");
    }
    let both = format!("{}{}", ended.stdout, ended.stderr);
    assert!(both.contains(shown), "{shown}: {ended:?}");
}

/// In JSON a letter is escaped as JSON does it, elsewhere as Rust does.
fn escaped<'a>(args: &[&str]) -> &'a str {
    match args.contains(&"--json") {
        true => r"p\u0430ypal \uff44rop",
        false => r"p\u{430}ypal \u{ff44}rop",
    }
}

/// The probe with a manifest that deceives as far as a manifest can.
fn deceiver() -> tempfile::TempDir {
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        let named = format!("description = \"{ALIKE}\"\nphi = [\"{ALIKE}\"]\n");
        let kept = |line: &&str| !line.starts_with("description") && !line.starts_with("phi");
        let rest: Vec<_> = manifest.lines().filter(kept).collect();
        let rest = rest.join("\n").replace("\"blue\"", &format!("\"{ALIKE}\""));
        named + &rest
    });
    folder
}

#[test]
fn nothing_of_a_component_that_deceives_is_shown_raw() {
    let folder = deceiver();
    let file = file_of(folder.path(), probe::VERSION);
    let plain = file_of(probe::folder(), probe::VERSION);
    for args in [&[][..], &["--json"], &["--markdown"]] {
        nothing_raw(&inspect(args, &[&file]), escaped(args));
        let mut args = args.to_vec();
        args.push("--diff");
        nothing_raw(&inspect(&args, &[&plain, &file]), escaped(&args));
    }
    for (verb, statement) in [
        ("fail", HOSTILE.to_owned()),
        ("execute", format!("SELECT '{HOSTILE}' FROM public.nobody")),
        ("setting", HOSTILE.to_owned()),
    ] {
        for more in [&[][..], &["--json"]] {
            let database = Database::empty();
            let script = Script::default()
                .up("log", &[HOSTILE])
                .up(verb, &[&statement]);
            script.write(&database);
            for first in ["up", "status"] {
                let mut args = vec![first, "-v"];
                args.extend(more);
                let ended = database.run(folder.path(), &args);
                let shown = if first == "up" {
                    escaped(&args)
                } else {
                    probe::VERSION
                };
                nothing_raw(&ended, shown);
            }
        }
    }
}

/// What a manifest may not hold is refused, and the refusal repeats none of it as it is.
#[test]
fn nothing_of_a_manifest_that_is_refused_is_shown_raw() {
    for (line, named) in [
        ("description = \"\\u001b[2J\"".to_owned(), "U+001B"),
        (
            format!("[settings.\"{ALIKE}\"]\nvalues = [\"a\"]\ndefault = \"a\""),
            "430",
        ),
        (format!("[grants]\nup = [\"read public.{ALIKE}\"]"), "ASCII"),
        (format!("[grants]\nup = [\"{ALIKE}\"]"), "430"),
        (format!("\"{}\" = 1", HOSTILE.escape_default()), "430"),
        (format!("x = '{HOSTILE}'"), "manifest-invalid"),
    ] {
        let folder = only(white_cross(), &[VERSIONS[1]]);
        let file = file_of(folder.path(), VERSIONS[1]);
        change_manifest(&file, |_| {
            format!("version = \"1\"\nname = \"a\"\n{line}\n")
        });
        for args in [&[][..], &["--json"], &["--markdown"]] {
            let ended = bare(&["inspect"]).args(args).arg(&file).output().unwrap();
            let ended = Ended::of(ended);
            assert_eq!(ended.status, 5, "{ended:?}");
            nothing_raw(&ended, named);
        }
    }
}

#[test]
fn two_components_are_compared_by_what_they_may_do() {
    let [old, new] = [0, 3].map(|place| file_of(white_cross(), VERSIONS[place]));
    let differs = inspect(&["--diff"], &[&old, &new]).stdout;
    for line in [
        "what it may do differs",
        "\n  added    extension pg_trgm in public\n",
        "\n  removed  delete public.medication_logs\n",
        "\n  removed  wasmigrate:migration/query@0.1.0\n",
    ] {
        assert!(differs.contains(line), "{line}: {differs}");
    }
    let renamed = only(white_cross(), &[VERSIONS[0]]);
    let file = file_of(renamed.path(), VERSIONS[0]);
    change_manifest(&file, |manifest| manifest.replace("Repairs", "Mends"));
    let same = inspect(&["--json", "--diff"], &[&old, &file]).json();
    assert_eq!(same["may_do_the_same"], true);
    assert_eq!(same["changes"].as_array().unwrap().len(), 1, "{same}");
    assert_ne!(same["old"]["digest"], same["new"]["digest"]);
    for args in [
        &["inspect"][..],
        &["inspect", "a", "--diff", "b", "c"],
        &["inspect", "a", "--json", "--markdown"],
    ] {
        assert_eq!(
            bare(args).output().unwrap().status.code(),
            Some(2),
            "{args:?}"
        );
    }
}
