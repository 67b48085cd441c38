//! The asking and the requiring checks, and what the SDK builds on them.

mod invalid;
mod standing;

use crate::probe::Script;
use crate::support::Database;

const TABLES: &str = "
    CREATE TABLE public.t (a int, b text, c text COLLATE \"C\", d int[], e timestamptz, \"Odd Name\" int);
    CREATE TABLE public.other (a int, b text);
    INSERT INTO public.t (a, b) SELECT n, n::text FROM generate_series(1, 100) AS n;";

/// An index's definition as the probe takes it: name, unique, method, INCLUDE, predicate, and its keys.
fn index<'a>(
    name: &'a str,
    unique: bool,
    method: &'a str,
    include: &'a str,
    predicate: Option<&'a str>,
    keys: &[[Option<&'a str>; 4]],
) -> Vec<Option<&'a str>> {
    let mut args = vec![
        Some("public"),
        Some("t"),
        Some(name),
        unique.then_some("unique"),
    ];
    args.extend([Some(method), Some(include), predicate]);
    args.extend(keys.iter().flatten());
    args
}

fn column(name: &str) -> [Option<&str>; 4] {
    [Some("column"), Some(name), None, None]
}

fn expression(sql: &str) -> [Option<&str>; 4] {
    [Some("expression"), Some(sql), None, None]
}

fn ordered<'a>(name: &'a str, order: &'a str) -> [Option<&'a str>; 4] {
    [Some("column"), Some(name), None, Some(order)]
}

fn class<'a>(name: &'a str, class: &'a str) -> [Option<&'a str>; 4] {
    [Some("column"), Some(name), Some(class), None]
}

#[test]
fn the_catalog_is_asked() {
    let database = Database::empty();
    database.sql(TABLES);
    database.sql(
        "ALTER TABLE public.t ADD PRIMARY KEY (a), ALTER b SET DEFAULT 'x', ADD CONSTRAINT ck CHECK (a > 0) NOT VALID;
         CREATE VIEW public.v AS SELECT 1 AS one; CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS one;
         CREATE SEQUENCE public.s; CREATE INDEX \"Odd\" ON public.t (\"Odd Name\" DESC)",
    );
    let relation = |name: &str| vec![Some("public".to_owned()), Some(name.to_owned())];
    let mut script = Script::default();
    for name in ["t", "v", "m", "s", "none", "T", "a\"b"] {
        let args = relation(name);
        let args: Vec<_> = args.iter().map(Option::as_deref).collect();
        script = script.step("up", "table-exists", &args);
    }
    let words = script
        .up("column", &["public", "t", "a"])
        .up("column", &["public", "t", "b"])
        .up("column", &["public", "t", "e"])
        .up("column", &["public", "t", "none"])
        .up("column", &["public", "none", "a"])
        .up("index", &["public", "Odd"])
        .up("index", &["public", "t"])
        .up("constraint", &["public", "t", "ck"])
        .up("constraint", &["public", "t", "t_pkey"])
        .up("constraint", &["public", "t", "none"])
        .up("extension", &["plpgsql"])
        .up("extension", &["none"])
        .up("available-extension", &["none"])
        .up("available-extension", &["plpgsql"])
        .words(&database);
    let exists: Vec<_> = words[..7].iter().map(|word| word[0].as_str()).collect();
    assert_eq!(
        exists,
        ["true", "true", "true", "false", "false", "false", "false"]
    );
    assert_eq!(words[7], ["integer", "false", ""]);
    assert_eq!(words[8], ["text", "true", "'x'::text"]);
    assert_eq!(words[9], ["timestamp with time zone", "true", ""]);
    assert_eq!(words[10], ["none"]);
    assert_eq!(words[11], ["none"]);
    let odd = r#"CREATE INDEX "Odd" ON public.t USING btree ("Odd Name" DESC)"#;
    assert_eq!(words[12], ["public.t", odd, "true"]);
    assert_eq!(words[13], ["none"]);
    assert_eq!(words[14], ["CHECK ((a > 0)) NOT VALID", "false"]);
    assert_eq!(words[15], ["PRIMARY KEY (a)", "true"]);
    assert_eq!(words[16], ["none"]);
    assert_eq!(words[17][0], "pg_catalog");
    assert_eq!(words[18], ["none"]);
    assert_eq!(words[19], ["none"]);
    assert_eq!(words[20].len(), 1);
}
