//! A migration's life: applied, looked at, verified, undone.

use crate::support::{Database, white_cross};

#[test]
fn up_applies_the_four_and_then_has_nothing_to_do() {
    let database = Database::white_cross(300, 20);
    let up = database.run(white_cross(), &["up"]).ok();
    assert!(up.stdout.contains("applied, verified"), "{up:?}");
    let again = database.run(white_cross(), &["up"]).ok();
    assert!(again.stdout.contains("nothing to do"), "{again:?}");
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "4"
    );
}
