//! The table `[settings]`: what the operator can choose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::lists::{List, filled, line};
use crate::error::Result;
use crate::migration::Name;
use crate::toml_text::Document;

/// A choice that the operator has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The values that can be chosen; never empty.
    pub values: Vec<String>,
    /// The value where the operator chooses none; one of `values`.
    pub default: String,
}

/// A setting as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSetting {
    values: Spanned<List>,
    default: Spanned<String>,
}

/// The settings, each default among its values.
pub(super) fn settings(
    document: &Document<'_>,
    raw: &BTreeMap<Spanned<String>, RawSetting>,
) -> Result<BTreeMap<Name, Setting>> {
    raw.iter()
        .map(|(key, raw)| {
            let values = filled(document, &raw.values, |entry| line(document, entry, 200))?;
            let default = line(document, &raw.default, 200)?;
            if !values.contains(&default) {
                return Err(
                    document.error(raw.default.span(), "the default is not among the values")
                );
            }
            Ok((document.value(key)?, Setting { values, default }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::manifest::tests::refused;

    #[test]
    fn a_setting_has_a_name_values_and_a_default_among_them() {
        for (rest, key, words) in [
            (
                "[settings.A]\nvalues = [\"a\"]\ndefault = \"a\"",
                "settings.A",
                "lower-case",
            ),
            (
                "[settings.a]\nvalues = []\ndefault = \"a\"",
                "settings.a.values",
                "empty",
            ),
            (
                "[settings.a]\nvalues = [\"b\"]\ndefault = \"a\"",
                "settings.a.default",
                "not among",
            ),
            (
                "[settings.a]\nvalues = [\"\"]\ndefault = \"a\"",
                "settings.a.values",
                "empty",
            ),
            (
                "[settings.a]\nvalues = [\"a\"]",
                "settings.a",
                "missing key `default`",
            ),
        ] {
            refused(rest, key, words);
        }
    }
}
