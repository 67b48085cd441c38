//! The migration that the operator means by a name or a version.

use super::{Applied, History};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Version};

/// The applied migration of that name or version.
pub(super) fn applied<'a>(history: &'a History, wanted: &str) -> Result<&'a Applied> {
    let version: Option<Version> = wanted.parse().ok();
    let mut found = history
        .applied
        .iter()
        .filter(|applied| applied.name == wanted || version.as_ref() == Some(&applied.version));
    match (found.next(), found.next()) {
        (Some(applied), None) => Ok(applied),
        (Some(_), Some(_)) => Err(Error::new(
            Code::MigrationUnknown,
            format!("failed to choose: more than one applied migration is named {wanted}"),
        )
        .hint("give its version instead")),
        (None, _) => Err(Error::new(
            Code::MigrationUnknown,
            format!("failed to find an applied migration {wanted}"),
        )
        .hint("`wasmigrate status` lists what is applied")),
    }
}

/// Refuses a version that neither the folder nor the history has.
pub(super) fn known(migrations: &[Migration], history: &History, version: &Version) -> Result<()> {
    let known = migrations
        .iter()
        .any(|migration| migration.version() == version)
        || history.find(version).is_some();
    if known {
        return Ok(());
    }
    Err(Error::new(
        Code::MigrationUnknown,
        format!("failed to find a migration {version}"),
    )
    .hint("`wasmigrate status` lists the versions"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples;

    #[test]
    fn a_name_that_two_have_is_refused_and_a_version_chooses() {
        let [one, two] = [samples::migration("1", &[]), samples::migration("2", &[])];
        let mut history = samples::history(&[&one, &two]);
        history.applied[1].name = "m1".into();
        let error = applied(&history, "m1").unwrap_err();
        assert_eq!(error.code(), Code::MigrationUnknown);
        assert!(error.message().contains("more than one"), "{error}");
        assert_eq!(applied(&history, "02").unwrap().version, *two.version());
    }
}
