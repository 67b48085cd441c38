//! What the operator chose of what a migration offers.

use crate::error::{Code, Error, Result};
use crate::manifest::Manifest;
use crate::migration::Settings;

/// The operator's choices for a migration, with the defaults of its manifest filled in. Choices that it
/// does not declare are another migration's.
pub fn settings(manifest: &Manifest, chosen: &[(String, String)]) -> Result<Settings> {
    let mut settings = Settings::new();
    for (name, setting) in &manifest.settings {
        let choice = chosen
            .iter()
            .rev()
            .find(|(chosen, _)| chosen == name.as_str());
        let value = choice.map_or(&setting.default, |(_, value)| value);
        if !setting.values.contains(value) {
            return Err(Error::new(
                Code::SettingInvalid,
                format!("failed to set `{name}` of {} to `{value}`", manifest.name),
            )
            .hint(format!("its values are: {}", setting.values.join(", "))));
        }
        settings.insert(name.to_string(), value.clone());
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(choices: &[(&str, &str)]) -> Result<Settings> {
        let text = "version = \"1\"\nname = \"a\"\n\
            [settings.orphans]\nvalues = [\"keep\", \"delete\"]\ndefault = \"keep\"\n";
        let manifest = Manifest::parse("test", text).unwrap();
        let choices: Vec<_> = choices
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        settings(&manifest, &choices)
    }

    #[test]
    fn the_last_choice_holds_and_the_default_where_there_is_none() {
        for (choices, value) in [
            (&[][..], "keep"),
            (&[("other", "delete")], "keep"),
            (&[("orphans", "keep"), ("orphans", "delete")], "delete"),
        ] {
            let settings = chosen(choices).unwrap();
            assert_eq!(settings.len(), 1, "{choices:?}");
            assert_eq!(settings["orphans"], value, "{choices:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_offered_is_refused_with_those_that_are() {
        let error = chosen(&[("orphans", "drop")]).unwrap_err();
        assert_eq!(error.code(), Code::SettingInvalid);
        assert_eq!(error.hint_text(), Some("its values are: keep, delete"));
    }
}
