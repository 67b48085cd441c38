//! The texts and lists of a manifest: none empty, none too long, nothing twice, nothing hidden.

use std::collections::HashSet;
use std::hash::Hash;

use toml::Spanned;

use crate::error::Result;
use crate::text::is_hidden;
use crate::toml_text::Document;

/// The most entries that any list of the manifest may have.
pub const MAX_ENTRIES: usize = 1000;

/// A list as it is written.
pub(super) type List = Vec<Spanned<String>>;

/// A list that must have an entry.
pub(super) fn filled<T: Clone + Eq + Hash>(
    document: &Document<'_>,
    list: &Spanned<List>,
    read: impl Fn(&Spanned<String>) -> Result<T>,
) -> Result<Vec<T>> {
    match list.get_ref().is_empty() {
        true => Err(document.error(list.span(), "the list is empty")),
        false => distinct(document, list.get_ref(), read),
    }
}

/// A list without repetitions, and not too long.
pub(super) fn distinct<T: Clone + Eq + Hash>(
    document: &Document<'_>,
    list: &List,
    read: impl Fn(&Spanned<String>) -> Result<T>,
) -> Result<Vec<T>> {
    if let Some(entry) = list.get(MAX_ENTRIES) {
        return Err(document.error(
            entry.span(),
            format!("a list has at most {MAX_ENTRIES} entries"),
        ));
    }
    let mut seen = HashSet::new();
    list.iter()
        .map(|entry| {
            let value = read(entry)?;
            match seen.insert(value.clone()) {
                true => Ok(value),
                false => Err(document.error(entry.span(), "the entry is there twice")),
            }
        })
        .collect()
}

/// A text of one line that shows itself as it is.
pub(super) fn line(document: &Document<'_>, text: &Spanned<String>, max: usize) -> Result<String> {
    let wrong = |message: String| Err(document.error(text.span(), message));
    let value = text.get_ref();
    if value.trim().is_empty() {
        return wrong("the text is empty".to_owned());
    }
    if value.chars().count() > max {
        return wrong(format!("the text is longer than {max} characters"));
    }
    match value.chars().find(|character| is_hidden(*character)) {
        Some(character) => wrong(format!(
            "the text holds the control or invisible character U+{:04X}",
            u32::from(character)
        )),
        None => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::tests::refused;

    #[test]
    fn a_text_shows_itself_as_it_is() {
        for (rest, key, words) in [
            ("description = \"\"", "description", "empty"),
            ("description = \"a\\u001b[2J\"", "description", "U+001B"),
            ("description = \"a\\u202eb\"", "description", "U+202E"),
            ("description = \"\"\"a\nb\"\"\"", "description", "U+000A"),
            ("phi = [\"\"]", "phi", "empty"),
        ] {
            refused(rest, key, words);
        }
    }

    #[test]
    fn a_list_has_no_entry_twice_and_not_too_many() {
        let many = format!(
            "after = [{}]",
            (10..1011).map(|n| format!("\"{n}\",")).collect::<String>()
        );
        for (rest, key, words) in [
            ("modes = []", "modes", "empty"),
            ("modes = [\"stepwise\", \"stepwise\"]", "modes", "twice"),
            ("after = [\"2\", \"02\"]", "after", "twice"),
            (many.as_str(), "after", "at most 1000"),
        ] {
            refused(rest, key, words);
        }
    }
}
