//! How foreign keys stand, and how they are added, validated, kept and refused.

use crate::probe::Script;
use crate::support::Database;

const TABLES: &str = "
    CREATE TABLE public.parent (id int PRIMARY KEY, x int, y int, UNIQUE (x, y));
    CREATE TABLE public.other (id int PRIMARY KEY);
    CREATE TABLE public.child (a int, b int, c int);
    INSERT INTO public.parent SELECT n, n, n FROM generate_series(1, 10) AS n;
    INSERT INTO public.other SELECT n FROM generate_series(1, 10) AS n;
    INSERT INTO public.child SELECT n, n, n FROM generate_series(1, 10) AS n;";

fn key(name: &str) -> [&str; 9] {
    [
        "public", "child", name, "a", "public", "parent", "id", "CASCADE", "RESTRICT",
    ]
}

#[test]
fn a_foreign_key_stands_as_it_does_in_every_property() {
    let database = Database::empty();
    database.sql(TABLES);
    let server: u32 = database
        .value("SELECT current_setting('server_version_num')")
        .parse()
        .unwrap();
    let usual =
        "FOREIGN KEY (a) REFERENCES public.parent (id) ON UPDATE CASCADE ON DELETE RESTRICT";
    let two = [
        "public", "child", "k", "a,b", "public", "parent", "x,y", "CASCADE", "RESTRICT",
    ];
    #[rustfmt::skip]
    let mut cases = vec![
        ("".to_owned(), key("k"), "absent"),
        (usual.to_owned(), key("k"), "equal"),
        (format!("{usual} NOT VALID"), key("k"), "invalid"),
        (usual.replace("(a)", "(b)"), key("k"), "the column is b, not a"),
        (usual.replace("parent", "other"), key("k"), "the referenced table is public.other, not public.parent"),
        ("FOREIGN KEY (a, b) REFERENCES public.parent (x, y) ON UPDATE CASCADE ON DELETE RESTRICT".to_owned(), two, "equal"),
        ("FOREIGN KEY (a, b) REFERENCES public.parent (y, x) ON UPDATE CASCADE ON DELETE RESTRICT".to_owned(), two, "the referenced column is y, x, not x, y"),
        (usual.replace("ON UPDATE CASCADE", ""), key("k"), "ON UPDATE is NO ACTION, not CASCADE"),
        (usual.replace("RESTRICT", "SET NULL"), key("k"), "ON DELETE is SET NULL, not RESTRICT"),
        (usual.replace("RESTRICT", "SET DEFAULT"), key("k"), "ON DELETE is SET DEFAULT, not RESTRICT"),
        (usual.replace("ON UPDATE", "MATCH FULL ON UPDATE"), key("k"), "MATCH FULL or DEFERRABLE"),
        (format!("{usual} DEFERRABLE INITIALLY DEFERRED"), key("k"), "MATCH FULL or DEFERRABLE"),
        ("CHECK (a > 0)".to_owned(), key("k"), "a constraint of another kind"),
        ("UNIQUE (a)".to_owned(), key("k"), "a constraint of another kind"),
    ];
    if server >= 150_000 {
        let mut wanted = two;
        wanted[8] = "SET NULL";
        let sql = "FOREIGN KEY (a, b) REFERENCES public.parent (x, y) ON UPDATE CASCADE ON DELETE SET NULL (a)";
        cases.push((sql.to_owned(), wanted, "sets only some columns"));
    }
    if server >= 180_000 {
        cases.push((format!("{usual} NOT ENFORCED"), key("k"), "NOT ENFORCED"));
    }
    let mut script = Script::default();
    for (number, (sql, wanted, _)) in cases.iter().enumerate() {
        let name = format!("k{number}");
        if !sql.is_empty() {
            database.sql(&format!(
                "ALTER TABLE public.child ADD CONSTRAINT {name} {sql}"
            ));
        }
        let mut args = *wanted;
        args[2] = &name;
        script = script.up("key-standing", &args);
    }
    let words = script.words(&database);
    for ((sql, _, expected), words) in cases.iter().zip(&words) {
        let plain = matches!(*expected, "equal" | "absent" | "invalid");
        assert!(
            if plain {
                words[0] == *expected
            } else {
                words[0].contains(expected)
            },
            "{sql}: {words:?}"
        );
    }
}

#[test]
fn a_foreign_key_is_added_validated_kept_or_refused() {
    let database = Database::empty();
    database.sql(TABLES);
    let wanted = key("k");
    let words = Script::default()
        .up("enforce-key", &wanted)
        .up("key-standing", &wanted)
        .up("enforce-key", &wanted)
        .up("ensure-key", &wanted)
        .up("ensure-key", &wanted)
        .up("require-key", &wanted)
        .up("drop-key", &wanted)
        .up("drop-key", &wanted)
        .up("ensure-key", &wanted)
        .words(&database);
    let words: Vec<_> = words.iter().flatten().collect();
    assert_eq!(
        words,
        [
            "Created", "invalid", "Kept", "Mended", "Kept", "true", "false", "Created"
        ]
    );
    let mut other = wanted;
    other[8] = "CASCADE";
    Script::default().up("ensure-key", &other).fails(
        &database,
        6,
        "migration-failed",
        "taken by another constraint",
    );
    Script::default().up("require-key", &other).fails(
        &database,
        6,
        "check-failed",
        "seen different: ON DELETE is RESTRICT, not CASCADE",
    );
    Script::default().up("require-key", &key("none")).fails(
        &database,
        6,
        "check-failed",
        "seen absent",
    );
    database
        .sql("ALTER TABLE public.child DROP CONSTRAINT k; INSERT INTO public.child VALUES (99)");
    Script::default().up("ensure-key", &wanted).fails(
        &database,
        6,
        "statement-failed",
        "SQLSTATE: 23503",
    );
}
