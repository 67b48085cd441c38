//! White Cross's migrations and the backfill, killed and cut off at their points, in both modes, up and down.

use std::path::Path;
use std::sync::LazyLock;

use crate::harness::{Case, HOWS, chosen};
use crate::support::{self, Database};

/// The four and the fifth.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
        support::build(
            "crash",
            &[
                "migrations-wasm/add-medication-log-foreign-key",
                "migrations-wasm/add-missing-critical-indexes",
                "migrations-wasm/add-user-security-indexes",
                "migrations-wasm/add-fulltext-search-indexes",
                "migrations-wasm/normalize-medication-names",
            ],
        )
    });
    &FOLDER
}

fn tried(before: &Database, args: &[&str], seed: u64) {
    let case = Case {
        before,
        folder: folder(),
        args,
    };
    let (points, undisturbed) = case.undisturbed();
    let chosen = chosen(points.len(), seed);
    let mut stopped = 0;
    for point in &chosen {
        for how in HOWS {
            let (was_there, left) = case.disturbed(*point, how);
            stopped += usize::from(was_there);
            let name = &points[point - 1];
            assert_eq!(
                left, undisturbed,
                "{args:?} after {how:?} at point {point}, {name}"
            );
        }
    }
    println!(
        "{args:?}: {} of {} points, stopped {stopped} times, killed or cut off",
        chosen.len(),
        points.len()
    );
    // a run that met contention has more points than another: those at its end may not be there again
    assert!(stopped >= chosen.len(), "too few points were reached");
}

fn applied(mode: &str) -> Database {
    let database = Database::white_cross(60, 5);
    let up = database
        .command(folder(), &["up", "-q", "--mode", mode])
        .status();
    assert!(up.unwrap().success());
    database
}

#[test]
fn stepwise_up_goes_on_from_every_point() {
    tried(
        &Database::white_cross(60, 5),
        &["up", "--mode", "stepwise"],
        1,
    );
}

#[test]
fn stepwise_down_goes_on_from_every_point() {
    tried(
        &applied("stepwise"),
        &["down", "--all", "--mode", "stepwise"],
        2,
    );
}

#[test]
fn transactional_up_begins_again_from_every_point() {
    tried(
        &Database::white_cross(60, 5),
        &["up", "--mode", "transactional"],
        3,
    );
}

#[test]
fn transactional_down_begins_again_from_every_point() {
    tried(
        &applied("transactional"),
        &["down", "--all", "--mode", "transactional"],
        4,
    );
}

/// What a half-way `up` has done, `down` undoes in either mode.
#[test]
fn down_undoes_a_run_that_was_killed_anywhere() {
    let before = Database::white_cross(60, 5);
    let case = Case {
        before: &before,
        folder: folder(),
        args: &["up", "--mode", "stepwise"],
    };
    let (points, _) = case.undisturbed();
    let schema = before.schema();
    for point in chosen(points.len(), 7) {
        for mode in ["stepwise", "transactional"] {
            let (undone, left) = case.undone(point, &["down", "--all", "--mode", mode]);
            assert_eq!(undone, schema, "{mode} after a kill at point {point}");
            assert_eq!(left, "0 0 0", "{mode} after a kill at point {point}");
        }
    }
}
