//! The lists of `[grants]`, a phase each.

use serde::Serialize;

use super::lists::List;
use crate::error::Result;
use crate::guard::grants;
use crate::migration::Phase;
use crate::toml_text::Document;

/// What a migration may do, phase by phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Grants {
    /// In `up`.
    pub up: grants::Grants,
    /// In `down`.
    pub down: grants::Grants,
    /// In `verify`.
    pub verify: grants::Grants,
}

impl Grants {
    /// What is granted in a phase.
    pub fn of(&self, phase: Phase) -> &grants::Grants {
        match phase {
            Phase::Up => &self.up,
            Phase::Down => &self.down,
            Phase::Verify => &self.verify,
        }
    }
}

/// Reads the list of a phase; an error points into the line that is wrong.
pub(super) fn read(document: &Document<'_>, list: &List) -> Result<grants::Grants> {
    let lines = list.iter().map(|entry| entry.get_ref().as_str());
    grants::Grants::parse(lines).map_err(|wrong| {
        let Some(entry) = list.get(wrong.index) else {
            return document.error(0..0, wrong.error.message);
        };
        let (quoted, inner) = (entry.span(), wrong.error.span);
        // behind the quote, unless TOML's escapes make the text and what is written differ
        let verbatim = quoted.start + 1..quoted.end.saturating_sub(1);
        let place = match document.text.get(verbatim.clone()) == Some(entry.get_ref()) {
            true => verbatim.start + inner.start..verbatim.start + inner.end,
            false => quoted,
        };
        document.error(place, wrong.error.message)
    })
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;
    use crate::manifest::tests::refused;

    #[test]
    fn a_grant_that_is_none_is_named_with_its_place() {
        for (rest, words) in [
            ("[grants]\nup = [\"reed public.a\"]", "line 4, column 8"),
            (
                "[grants]\nup = [\"read public.a\", \"read a\"]",
                "line 4, column 30",
            ),
            ("[grants]\nup = [\"read public.*\"]", "line 4, column 20"),
            ("[grants]\nup = [\"read wasmigrate.run\"]", "the host's own"),
            ("[grants]\nup = [\"read public.\\u0430\"]", "ASCII"),
        ] {
            refused(rest, "grants.up", words);
        }
    }

    #[test]
    fn the_grants_are_kept_in_canonical_form() {
        let text = "version = \"1\"\nname = \"a\"\n[grants]\nup = ['read public.t(b, \"A\")', 'delete public.t']";
        let manifest = Manifest::parse("m", text).unwrap();
        let json = serde_json::to_value(&manifest.grants).unwrap();
        assert_eq!(
            json["up"],
            serde_json::json!(["delete public.t", "read public.t(\"A\", b)"])
        );
    }
}
