//! Which characters of foreign text a reader would not see as they are.

use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;

/// Whether a character is invisible, moves the cursor or changes the direction of its neighbours:
/// control characters, the format characters of Unicode (bidi, zero-width, tags, fillers), blanks that are letters, and
/// what strikes a letter out.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}'
            | '\u{13430}'..='\u{1345f}' | '\u{16fe4}' | '\u{1d173}'..='\u{1d17a}' | '\u{e000}'..='\u{f8ff}'
            | '\u{f0000}'..='\u{10ffff}' | '\u{e0000}'..='\u{e0fff}')
        // strokes through the letter before
        || matches!(character, '\u{332}'..='\u{338}' | '\u{488}'..='\u{489}' | '\u{20d0}'..='\u{20f0}')
}

/// Each character of a text, and whether a reader would not see it as it is: it is hidden, or it makes a word look
/// like another one of plain ASCII, as a Cyrillic `а` does in `pаypal`.
pub fn seen(text: &str) -> impl Iterator<Item = (char, bool)> {
    pieces(text).flat_map(|piece| {
        let disguised = is_disguised(piece);
        let mixed = piece.chars().any(|c| c.is_ascii_alphanumeric()) || !piece.is_single_script();
        piece.chars().map(move |c| {
            let alone = mixed || !c.is_alphanumeric();
            let passes = is_odd(c) && (disguised || alone && looks_ascii(c));
            (c, is_hidden(c) || passes)
        })
    })
}

/// The words of a text, and what lies between them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let in_word = rest.chars().next()?.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != in_word);
        let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        Some(piece)
    })
}

/// Whether a word is not ASCII and looks as if it were. So do some words of other languages, which a reader cannot
/// tell either.
/// Source: Unicode Technical Standard 39, "Confusable Detection".
fn is_disguised(word: &str) -> bool {
    word.chars().any(is_odd)
        && word.chars().all(char::is_alphanumeric)
        && skeleton(word).all(|c| c.is_ascii())
}

/// Letters of Latin alphabets and marks of typography, which look like ASCII to nobody who knows them.
const WELL_KNOWN: &str = "æœÆŒ‘’“”–—…·•«»°×′″";

/// Whether a character is none of ASCII, nor well known beside it.
fn is_odd(c: char) -> bool {
    !c.is_ascii() && !WELL_KNOWN.contains(c)
}

/// Whether a character alone looks like one of ASCII, or like several.
fn looks_ascii(c: char) -> bool {
    skeleton(c.encode_utf8(&mut [0; 4])).all(|c| c.is_ascii())
}

/// The candidate that was most likely meant, if one is near enough to be worth a suggestion.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_controls_and_format_characters() {
        for hidden in [
            '\0',
            '\n',
            '\x1b',
            '\x7f',
            '\u{9b}',
            '\u{200b}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for shown in ['a', ' ', 'é', '漢', '→', '"'] {
            assert!(!is_hidden(shown), "{shown:?}");
        }
    }

    #[test]
    fn a_word_that_looks_like_ascii_is_told_and_another_language_is_not() {
        let told = |text: &str| -> String { seen(text).filter(|c| c.1).map(|c| c.0).collect() };
        for (text, disguised) in [
            ("pay p\u{430}ypal", "\u{430}"),
            ("аррӏе", "аррӏе"),
            ("select_ｉd", "ｉ"),
            ("𝐝𝐫𝐨𝐩 table", "𝐝𝐫𝐨𝐩"),
            ("id١", "١"),
            ("Ηello, ошибка", "Η"),
            ("a\u{200b}b", "\u{200b}"),
            // a letter among others that do not look like ASCII
            ("r\u{435}sumé stud\u{435}nts漢", "\u{435}\u{435}"),
            (
                "public\u{2024}students\u{37e} \u{ff08}x\u{ff09}",
                "\u{2024}\u{37e}\u{ff08}\u{ff09}",
            ),
            (
                "\u{441}\u{43e}\u{440}\u{443}漢",
                "\u{441}\u{43e}\u{440}\u{443}",
            ),
            ("a\u{2800}b\u{fe0f}c\u{338}", "\u{2800}\u{fe0f}\u{338}"),
        ] {
            assert_eq!(told(text), disguised, "{text}");
            assert_eq!(seen(text).map(|c| c.0).collect::<String>(), text);
        }
        for plain in [
            "",
            "Müller, Ångström, Łódź",
            "таблица удалена: ошибка",
            "漢字 한국어 العربية हिन्दी",
            "a → b — “c” …",
            "være, cœur, don’t",
        ] {
            assert_eq!(told(plain), "", "{plain}");
        }
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let words = ["memory", "guest-time", "stack"];
        assert_eq!(did_you_mean("memroy", words), Some("memory"));
        assert_eq!(did_you_mean("guest_time", words), Some("guest-time"));
        assert_eq!(did_you_mean("colour", words), None);
    }
}
