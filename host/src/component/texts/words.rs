//! Which texts look like SQL.

use super::GAP;

/// The words that a statement begins with.
const WORDS: &[&[u8]] = &[
    b"alter",
    b"analyze",
    b"call",
    b"comment",
    b"copy",
    b"create",
    b"delete",
    b"drop",
    b"grant",
    b"insert",
    b"lock",
    b"merge",
    b"refresh",
    b"reindex",
    b"revoke",
    b"select",
    b"table",
    b"truncate",
    b"update",
    b"vacuum",
    b"values",
    b"with",
];

/// The longest of them.
const LONGEST_WORD: usize = 8;
/// How many blanks may stand before a statement.
const MOST_BLANKS: usize = 32;

/// The word with which a text begins, if it is one that a statement begins with.
pub(super) fn word(text: &[u8]) -> Option<&[u8]> {
    let blanks = text.iter().take(MOST_BLANKS);
    let start = blanks.take_while(|byte| byte.is_ascii_whitespace()).count();
    let text = &text[start..];
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic());
    let (word, rest) = text.split_at(letters.take(LONGEST_WORD + 1).count());
    let ends = matches!(rest.first(), Some(byte) if byte.is_ascii_whitespace() || *byte == b'(');
    let known = WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
    (ends && known).then_some(word)
}

/// Whether a text that is no statement looks like a part of one: other sentences begin with such words too.
pub(super) fn is_piece(text: &str) -> bool {
    let upper = word(text.as_bytes()).is_some_and(|word| word.iter().all(u8::is_ascii_uppercase));
    let blank = |c: char| matches!(c, '\n' | '\r' | '\t') || !c.is_control();
    let words = text.split(|c: char| c.is_whitespace() || c == GAP);
    let words = words.filter(|word| !word.is_empty());
    upper && text.chars().all(blank) && words.count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_begins_with_one_of_the_words_and_a_blank() {
        for word in WORDS {
            assert!(word.len() <= LONGEST_WORD);
        }
        for (text, begins) in [
            ("SELECT 1", true),
            ("\n\t select(1)", true),
            ("TRUNCATE public.a", true),
            ("SELECT", false),
            ("SELECTED 1", false),
            ("1 SELECT 1", false),
            ("", false),
        ] {
            assert_eq!(word(text.as_bytes()).is_some(), begins, "{text:?}");
        }
        let far = " ".repeat(MOST_BLANKS) + " SELECT 1";
        assert_eq!(word(far.as_bytes()), None);
    }

    #[test]
    fn a_piece_has_two_words_and_no_control_character() {
        for (text, is) in [
            ("SELECT a", true),
            ("CREATE …INDEX …", true),
            ("CREATE … …", false),
            ("DROP    ", false),
            ("update of a", false),
            ("SELECT \u{1b}[2J FROM", false),
        ] {
            assert_eq!(is_piece(text), is, "{text:?}");
        }
    }
}
