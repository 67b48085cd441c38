//! Settings: what the operator chooses and the guest is told.

use crate::probe::{self, Script};
use crate::support::Database;

#[test]
fn settings_are_the_operators() {
    let database = Database::empty();
    let script = Script::default().up("setting", &["colour"]);
    script.write(&database);
    for (set, colour) in [
        (None, "red"),
        (Some("colour=blue"), "blue"),
        (Some("colour=red"), "red"),
    ] {
        let args = ["up", "--set", set.unwrap_or_default()];
        database
            .run(
                probe::folder(),
                if set.is_some() { &args } else { &args[..1] },
            )
            .ok();
        let answers = probe::answers(&database);
        assert_eq!(answers.last().unwrap().value.as_deref(), Some(colour));
        database.run(probe::folder(), &["down"]).ok();
        database.sql("DELETE FROM public.probe_answer");
    }
    let unknown = database.run(probe::folder(), &["up", "--set", "color=red"]);
    let unknown = unknown.failed(2, "setting-invalid");
    assert!(
        unknown.stderr.contains("the settings are: colour"),
        "{unknown:?}"
    );
    for wrong in ["colour=green", "colour=", "colour=Red"] {
        let wrong = database
            .run(probe::folder(), &["up", "--set", wrong])
            .failed(2, "setting-invalid");
        assert!(wrong.stderr.contains("red, blue"), "{wrong:?}");
    }
    assert_eq!(
        database.value("SELECT count(*) FROM wasmigrate.migration"),
        "0"
    );
    Script::default().up("setting", &["none"]).fails(
        &database,
        6,
        "migration-failed",
        "declares no setting",
    );
}
