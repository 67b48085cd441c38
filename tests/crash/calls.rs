//! Every function of the interface, called by one guest that is stopped at each of its points. A function that is new
//! in `wit/` fails the first test until it is called here.

use std::collections::BTreeSet;

use wit_parser::Resolve;

use crate::harness::{Case, HOWS, chosen};
use crate::probe::{self, Script};
use crate::support::{Database, root};

/// What the probe does, and which functions of the interface it calls by that. A handle is dropped by each that opens
/// one.
const STEPS: &[(&str, &[&str], &[&str])] = &[
    (
        "query",
        &["SELECT n FROM public.t ORDER BY n"],
        &["query.query", "query.rows.next"],
    ),
    (
        "execute",
        &["UPDATE public.t SET n = n + 10 WHERE n < 3"],
        &["execute.execute"],
    ),
    (
        "execute-all",
        &[
            "INSERT INTO public.t VALUES (50)",
            "CREATE INDEX CONCURRENTLY ix ON public.t (n)",
            "DELETE FROM public.t WHERE n = 5",
        ],
        &["execute.execute-all"],
    ),
    ("execute", &["REINDEX INDEX CONCURRENTLY public.ix"], &[]),
    ("copy-open", &["public", "v", "a"], &["bulk.copy-in.open"]),
    ("copy-write", &["1"], &["bulk.copy-in.write"]),
    ("copy-finish", &[], &["bulk.copy-in.finish"]),
    (
        "batches",
        &[
            "public",
            "many",
            "id",
            "2",
            "UPDATE public.many AS t SET n = n + 1 WHERE {filter}",
        ],
        &["batches.ranges.open", "batches.ranges.next"],
    ),
    ("table-exists", &["public", "t"], &["checks.table-exists"]),
    ("column", &["public", "t", "n"], &["checks.column"]),
    ("index", &["public", "ix"], &["checks.index"]),
    (
        "constraint",
        &["public", "t", "none"],
        &["checks.constraint"],
    ),
    ("extension", &["pg_trgm"], &["checks.extension"]),
    (
        "available-extension",
        &["pg_trgm"],
        &["checks.available-extension"],
    ),
    (
        "require-no-rows",
        &["none", "SELECT n FROM public.t WHERE n < 0"],
        &["checks.require-no-rows"],
    ),
    (
        "require-plan",
        &[
            "public",
            "many_pkey",
            "SELECT id FROM public.many WHERE id = 3",
        ],
        &["checks.require-plan-uses"],
    ),
    (
        "require-latency",
        &["quick", "10000", "SELECT n FROM public.t"],
        &["checks.require-latency"],
    ),
    ("ensure-index", INDEX, &["checks.index-standings"]),
    ("require-index", INDEX, &["checks.require-indexes"]),
    ("ensure-key", KEY, &["checks.foreign-key-standing"]),
    ("require-key", KEY, &["checks.require-foreign-key"]),
    ("ensure-extension", &["pg_trgm", "ext"], &[]),
    (
        "require-extension",
        &["pg_trgm"],
        &["checks.require-extension"],
    ),
    ("remember", &["k", "v"], &["remember.remember"]),
    ("recall", &["k"], &["remember.recall"]),
    ("log", &["said"], &["log.log"]),
    ("progress", &[], &["progress.progress"]),
    ("setting", &["colour"], &["settings.get"]),
    ("mode", &[], &["settings.mode"]),
];
const INDEX: &[&str] = &[
    "public", "t", "built", "", "btree", "", "", "column", "n", "", "",
];
const KEY: &[&str] = &[
    "public",
    "child",
    "fk",
    "parent_id",
    "public",
    "parent",
    "id",
    "NO ACTION",
    "NO ACTION",
];
/// It ends the guest.
const ENDING: &str = "diag.panicked";

#[test]
fn every_function_of_the_interface_is_called() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    let mut there = BTreeSet::new();
    for (name, interface) in &resolve.packages[package].interfaces {
        for (function, _) in &resolve.interfaces[*interface].functions {
            // `[method]rows.next`, `[static]copy-in.open`
            let function = function
                .split_once(']')
                .map_or(&**function, |(_, rest)| rest);
            there.insert(format!("{name}.{function}"));
        }
    }
    let called: BTreeSet<String> = STEPS
        .iter()
        .flat_map(|(_, _, calls)| *calls)
        .chain([&ENDING])
        .map(|call| (*call).to_owned())
        .collect();
    assert_eq!(called, there);
}

fn before() -> Database {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.t (n int); INSERT INTO t SELECT generate_series(1, 9);
         CREATE TABLE public.v (a int); CREATE SCHEMA ext;
         CREATE TABLE public.many (id int PRIMARY KEY, n int NOT NULL DEFAULT 0); INSERT INTO many SELECT generate_series(1, 7);
         CREATE TABLE public.parent (id int PRIMARY KEY); CREATE TABLE public.child (parent_id int)",
    );
    let mut script = Script::default();
    for (verb, args, _) in STEPS {
        let args: Vec<Option<&str>> = args
            .iter()
            .map(|arg| Some(*arg).filter(|arg| !arg.is_empty()))
            .collect();
        script = script.step("up", verb, &args);
    }
    script.write(&database);
    database
}

#[test]
fn each_call_can_be_the_last() {
    let before = before();
    for (mode, seed) in [("stepwise", 5), ("transactional", 6)] {
        // what only runs in steps, the other mode cannot do
        if mode == "transactional" {
            before.sql(
                "UPDATE public.probe_step SET args = ARRAY(SELECT replace(a, ' CONCURRENTLY', '') FROM unnest(args) a)",
            );
        }
        let case = Case {
            before: &before,
            folder: probe::folder(),
            args: &["up", "--mode", mode],
        };
        let (points, undisturbed) = case.undisturbed();
        let calls = points
            .iter()
            .filter(|point| *point == "before a call")
            .count();
        assert_eq!(
            calls,
            points
                .iter()
                .filter(|point| *point == "after a call")
                .count()
        );
        assert!(calls > STEPS.len(), "{calls}");
        let chosen = chosen(points.len(), seed);
        for point in &chosen {
            for how in HOWS {
                let (_, left) = case.disturbed(*point, how);
                assert_eq!(
                    left,
                    undisturbed,
                    "{mode} after {how:?} at point {point}, {}",
                    points[point - 1]
                );
            }
        }
        println!(
            "{mode}: {} of {} points of all calls tried",
            chosen.len(),
            points.len()
        );
    }
}
