//! Each way in which a function is reached, and which wall sees it: `ways.toml`, line by line.
//!
//! The target `walls_off` tries the same lines on a binary without its statement wall.

use std::collections::BTreeSet;

use serde::Deserialize;
use wasmigrate::guard::grants::Grants;
use wasmigrate::guard::{Guard, STATEMENT_WALL};

use crate::guests::{change_manifest, file_of};
use crate::probe::{Script, VERSION, folder};
use crate::support::{Database, only};
use crate::walls::{Wall, refused_by};

/// The ways that there must be lines for.
const WAYS: &[&str] = &[
    "call",
    "operator",
    "cast",
    "aggregate",
    "window",
    "default",
    "generated column",
    "CHECK of a domain",
    "view",
    "trigger",
    "operator class",
    "attribute notation",
    "index",
    "statistics",
    "partition key",
    "view that is refreshed",
    "event trigger",
];

/// What the set-ups are made of.
const COMMON: &str = "
    CREATE SEQUENCE public.ran;
    CREATE TABLE public.t (id int, x int, note text);
    INSERT INTO public.t VALUES (1, 1, 'PG_VERSION'), (2, 2, 'PG_VERSION');
    CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM nextval('public.ran'); RETURN 1; END $$;
    CREATE FUNCTION public.less(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS
        'SELECT public.f($1) > 0 AND $1 < $2';
    CREATE FUNCTION public.compare(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS
        'SELECT public.f($1) * ($1 - $2)';
    CREATE FUNCTION public.fired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM nextval('public.ran'); RETURN NEW; END $$;";

const GRANTED: &[&str] = &[
    "read public.probe_step",
    "insert public.probe_answer",
    "read public.t",
    "insert public.t",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    ways: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    way: String,
    of: Of,
    #[serde(default)]
    set_up: String,
    #[serde(default)]
    grants: Vec<String>,
    sql: String,
    sees: Option<Wall>,
    without: Option<Wall>,
    #[serde(default)]
    says: String,
    open: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Of {
    BuiltIn,
    User,
}

/// How often a function of the set-ups ran; no rollback takes that back.
fn ran(database: &Database) -> String {
    database.value("SELECT (last_value, is_called) FROM public.ran")
}

#[test]
fn each_way_to_a_function_is_seen_by_its_wall() {
    let table: Table = toml::from_str(include_str!("ways.toml")).unwrap();
    let known: BTreeSet<_> = table.ways.iter().map(|line| line.way.as_str()).collect();
    for way in WAYS {
        assert!(known.contains(way), "no line for {way}");
    }
    let lines = table.ways.iter().flat_map(|line| &line.grants);
    let granted: Vec<_> = (GRANTED.iter().copied().chain(lines.map(String::as_str))).collect();
    let migrations = only(folder(), &[VERSION]);
    change_manifest(&file_of(migrations.path(), VERSION), |manifest| {
        let (head, _) = manifest.split_once("[grants]").unwrap();
        format!("{head}[grants]\nup = {granted:?}\ndown = {granted:?}\nverify = {granted:?}\n")
    });
    let database = Database::empty();
    database.sql(COMMON);
    for line in &table.ways {
        database.sql(&line.set_up);
    }
    let mut wrong = Vec::new();
    for line in &table.ways {
        let guard = Grants::parse(granted.iter().copied()).unwrap();
        let by_text = Guard::new(guard).judge(&line.sql).is_err();
        Script::default()
            .up("execute", &[&line.sql])
            .write(&database);
        let before = ran(&database);
        let ended = database.run(migrations.path(), &["up"]);
        let seen = refused_by(&ended, by_text);
        let expected = if STATEMENT_WALL {
            line.sees
        } else {
            line.without
        };
        println!(
            "{:32} {:8?} {:9} {}",
            line.way,
            line.of,
            seen.map_or("nothing".to_owned(), |wall| wall.to_string()),
            line.sql
        );
        let is_right = match &line.open {
            Some(_) => seen.is_none() && ended.status == 0,
            None => {
                seen.is_some()
                    && seen == expected
                    && ended.stderr.contains(&line.says)
                    && ran(&database) == before
            }
        };
        if !is_right {
            wrong.push(format!(
                "{}: {seen:?}, ran {}: {ended:?}",
                line.sql,
                ran(&database)
            ));
        }
        database.run(migrations.path(), &["down"]).ok();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
