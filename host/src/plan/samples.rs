//! Files and histories for tests.

use bytes::Bytes;

use super::{Applied, History, Open};
use crate::error::{Code, Result};
use crate::manifest::Manifest;
use crate::migration::{Migration, Mode, Phase};

pub(super) fn migration(version: &str, after: &[&str]) -> Migration {
    let text = format!("version = \"{version}\"\nname = \"m{version}\"\nafter = {after:?}\n");
    let manifest = Manifest::parse("test", &text).unwrap();
    Migration::new(format!("{version}.wasm"), Bytes::from(text), manifest)
}

pub(super) fn history(applied: &[&Migration]) -> History {
    let applied = applied
        .iter()
        .map(|migration| Applied {
            version: migration.version().clone(),
            name: migration.name().to_string(),
            digest: migration.digest,
            mode: Mode::Transactional,
            run: 1,
            by: "me".into(),
            at: "2025-11-06T00:00:00Z".into(),
            took_ms: 1,
            rows_affected: 0,
        })
        .collect();
    History {
        layout: 1,
        applied,
        open: None,
    }
}

pub(super) fn open(migration: &Migration, phase: Phase) -> Open {
    Open {
        version: migration.version().clone(),
        name: migration.name().to_string(),
        digest: migration.digest,
        run: 2,
        phase,
        settings: [("a".to_owned(), "x".to_owned())].into(),
        runs: false,
        stopped_by: None,
        sqlstate: None,
        since: "2025-11-06T00:00:00Z".into(),
        steps: 1,
        at: "a step".into(),
        in_it: false,
    }
}

pub(super) fn versions(migrations: Result<Vec<&Migration>>) -> Result<Vec<String>, Code> {
    migrations
        .map(|list| list.iter().map(|m| m.version().to_string()).collect())
        .map_err(|error| error.code())
}
