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
        // and what SQL is in the data is another test's
        let (page, _) = page.split_once("\n\nSQL in its data").unwrap();
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
        &["inspect", "--embedded", "--diff", "b", "c"],
        &["inspect", "--database", "--diff", "b", "c"],
        &["inspect", "a", "--json", "--markdown"],
    ] {
        assert_eq!(
            bare(args).output().unwrap().status.code(),
            Some(2),
            "{args:?}"
        );
    }
}

/// What these put together from names has gaps; what the probe sends as it is written is there as it is.
#[test]
fn sql_in_the_data_is_found_as_far_as_it_is_there() {
    let found = |file: &Path, sql: &str, form: &str| {
        let page = inspect(&["--json"], &[file]).json();
        let texts = page["texts"]["found"].as_array().unwrap();
        let text = serde_json::json!({"sql": sql, "form": form});
        assert!(texts.contains(&text), "{text}: {texts:?}");
        assert_eq!(page["texts"]["more"], false);
    };
    for (place, sql) in [
        (0, "SELECT count(*), … FROM … AS log WHERE …"),
        (0, "DELETE FROM … AS log WHERE …"),
        (1, "CREATE …INDEX … ON … USING … (…)"),
        (2, "SELECT id, email, …, … FROM … WHERE … > now() AND …"),
        (3, "CREATE EXTENSION … SCHEMA …"),
    ] {
        found(&file_of(white_cross(), VERSIONS[place]), sql, "gaps");
    }
    let file = file_of(probe::folder(), probe::VERSION);
    let sql = "SELECT s.step, s.verb, a.n IS NOT NULL, a.arg FROM public.probe_step AS s \
               LEFT JOIN LATERAL unnest(s.args) WITH ORDINALITY AS a(arg, n) ON true \
               WHERE s.phase = $1 ORDER BY s.step, a.n";
    found(&file, sql, "whole");
    let page = inspect(&[], &[&file]).stdout;
    assert!(page.contains(&format!("\n  whole      {sql}")), "{page}");
}

const FAMILY: &str = "
    CREATE TABLE public.parent (id int PRIMARY KEY, x text);
    CREATE TABLE public.child (id int REFERENCES public.parent ON DELETE CASCADE);
    CREATE VIEW public.v AS SELECT x FROM public.parent;
    CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER t AFTER DELETE ON public.child FOR EACH ROW EXECUTE FUNCTION public.f();";

/// The probe, which imports everything, with grants on these tables.
fn of_family() -> tempfile::TempDir {
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        let (head, _) = manifest.split_once("[grants]").unwrap();
        let up = "'delete public.parent', 'read public.v', 'insert public.nowhere', 'read public.parent(y)'";
        let down = "'delete public.parent', 'delete public.child', 'fires public.f()'";
        format!("{head}[grants]\nup = [{up}]\ndown = [{down}]\nverify = ['delete public.parent']\n")
    });
    folder
}

#[test]
fn with_a_database_the_page_tells_what_else_is_reached() {
    let folder = of_family();
    let file = file_of(folder.path(), probe::VERSION);
    let database = Database::empty();
    database.sql(FAMILY);
    let before = database.schema();
    let file = file.to_str().unwrap();
    let page = |args: &[&str]| {
        let args = [&["inspect", file][..], args].concat();
        database.run(folder.path(), &args).ok()
    };
    let reached = &page(&["--database", "--json"]).json()["reached"];
    let of = |phase: &str, grant: &str| {
        let all = reached.as_array().unwrap().iter();
        let mut these = all.filter(|one| one["phase"] == phase && one["grant"] == grant);
        these
            .next()
            .unwrap_or_else(|| panic!("{phase} {grant}: {reached}"))
    };
    let needs = |phase: &str, grant: &str| -> Vec<(String, bool)> {
        let needs = of(phase, grant)["needs"].as_array().unwrap().iter();
        needs
            .map(|also| {
                (
                    also["need"].as_str().unwrap().to_owned(),
                    also["granted"] == true,
                )
            })
            .collect()
    };
    let also = |granted| {
        let needs = ["fires public.f()", "delete public.child"];
        needs.map(|need| (need.to_owned(), granted)).to_vec()
    };
    assert_eq!(needs("up", "delete public.parent"), also(false));
    assert_eq!(needs("down", "delete public.parent"), also(true));
    assert_eq!(
        needs("up", "read public.v"),
        [("read public.parent(x)".to_owned(), false)]
    );
    assert_eq!(of("up", "insert public.nowhere")["found"], "missing");
    let unknown = of("up", "read public.parent(y)");
    assert!(
        unknown["why"]
            .as_str()
            .unwrap()
            .contains("\"y\" does not exist"),
        "{unknown}"
    );
    // what has no effect is not asked about
    assert_eq!(reached.as_array().unwrap().len(), 6, "{reached}");

    let text = page(&["--database"]).stdout;
    for words in [
        "\n      delete public.child  through ON DELETE CASCADE of constraint child_id_fkey on public.child (not granted, so it is refused)\n",
        "\n  up: insert public.nowhere  there is no such table, or none yet\n",
    ] {
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(blanks(&text).contains(&blanks(words)), "{words}: {text}");
    }
    assert!(
        page(&["--database", "--markdown"])
            .stdout
            .contains("\n- **up: `delete public.parent`**\n  - `fires public.f()`: through ")
    );
    assert_eq!(database.schema(), before);
    assert_eq!(database.value("SELECT to_regnamespace('wasmigrate')"), "");
}

#[test]
fn nothing_connects_unless_it_is_asked_for() {
    let folder = of_family();
    let file = file_of(folder.path(), probe::VERSION);
    let nowhere = "postgres://127.0.0.1:1/nowhere?sslmode=disable";
    let run = |args: &[&str]| {
        let mut command = bare(&["inspect", file.to_str().unwrap()]);
        Ended::of(
            command
                .args(args)
                .env("DATABASE_URL", nowhere)
                .output()
                .unwrap(),
        )
    };
    assert!(run(&["--json"]).ok().json()["reached"].is_null());
    assert!(!run(&[]).ok().stdout.contains("reached in the database"));
    run(&["--database"]).failed(8, "database-unreachable");
    run(&["--database-url", nowhere]).failed(2, "usage");
    let schema = folder.path().join("schema.sql");
    std::fs::write(&schema, FAMILY).unwrap();
    let loaded = run(&["--embedded", "--load", schema.to_str().unwrap()]).ok();
    assert!(
        loaded.stdout.contains("through ON DELETE CASCADE"),
        "{loaded:?}"
    );
}
