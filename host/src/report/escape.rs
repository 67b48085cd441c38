//! Foreign text on the screen: everything that a component or a database says passes through here.

use std::fmt::Write as _;

use crate::text::seen;

/// The most characters of one foreign text that are shown.
pub const MAX_CHARACTERS: usize = 4000;

/// Makes control characters, ANSI sequences, bidi or zero-width characters and letters that pass for others
/// visible, so that a text can neither steer the terminal nor look like another one, and shortens a long one.
pub fn escape(text: &str) -> String {
    shown(text, MAX_CHARACTERS)
}

/// The same of a text that must be seen to its end, as what is granted.
pub fn escape_whole(text: &str) -> String {
    shown(text, usize::MAX)
}

fn shown(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    for (count, (character, hidden)) in seen(text).enumerate() {
        if count == most {
            let _ = write!(shown, "... ({} bytes in all)", text.len());
            break;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            _ if hidden => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Takes passwords out of a text that may repeat a connection string: the part before `@` of a URL, and
/// the value after `password=`.
pub fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((start, end)) = next_password(rest) {
        shown.push_str(&rest[..start]);
        shown.push_str("***");
        rest = &rest[end..];
    }
    shown + rest
}

/// Where the first password that is still there begins and ends.
fn next_password(text: &str) -> Option<(usize, usize)> {
    let urls = text
        .match_indices("://")
        .filter_map(|(at, mark)| shifted(of_url(&text[at + mark.len()..])?, at + mark.len()));
    let pairs = text
        .match_indices("password")
        .filter_map(|(at, mark)| shifted(of_pair(&text[at + mark.len()..])?, at + mark.len()));
    urls.chain(pairs)
        .filter(|(start, end)| start < end && &text[*start..*end] != "***")
        .min()
}

fn shifted((start, end): (usize, usize), by: usize) -> Option<(usize, usize)> {
    Some((start + by, end + by))
}

/// The password in what follows the `://` of a URL.
fn of_url(text: &str) -> Option<(usize, usize)> {
    let colon = text.find(|c: char| c.is_whitespace() || ":/@'\"\x1b".contains(c))?;
    let rest = text[colon..].strip_prefix(':')?;
    // a password may itself hold an `@`, and even a blank, that was not escaped
    let word = word(rest);
    let end = match word.rfind('@') {
        Some(end) => end,
        None if word
            .split('/')
            .next()?
            .bytes()
            .all(|byte| byte.is_ascii_digit()) =>
        {
            return None;
        }
        None => {
            let line = rest.lines().next()?;
            line.split("://").next()?.rfind('@')?
        }
    };
    Some((colon + 1, colon + 1 + end))
}

/// The value in what follows the key `password`: `=value`, ` = 'quoted \' value'`, `=value&more`.
fn of_pair(text: &str) -> Option<(usize, usize)> {
    let value = text.trim_start().strip_prefix('=')?.trim_start();
    let start = text.len() - value.len();
    let Some(quote) = value.chars().next().filter(|c| "'\"".contains(*c)) else {
        let word = word(value);
        return Some((start, start + word.find('&').unwrap_or(word.len())));
    };
    let mut escaped = false;
    let end = value.char_indices().skip(1).find(|(_, character)| {
        let ends = *character == quote && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    Some((
        start + 1,
        start + end.map_or(value.len(), |(place, _)| place),
    ))
}

/// The beginning of a text up to a space, a quote or the start of a colour.
fn word(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || "'\"\x1b".contains(c))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(escape("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("a\nb\tc\rd"), "a\\nb\\tc\\rd");
        assert_eq!(escape("\u{9b}1m\u{7f}"), "\\u{9b}1m\\u{7f}");
        assert_eq!(
            escape("\u{202e}gpj.exe\u{200b}"),
            "\\u{202e}gpj.exe\\u{200b}"
        );
        assert_eq!(escape("p\u{430}ypal"), "p\\u{430}ypal");
        assert_eq!(escape("Müller, 漢字, → \\"), "Müller, 漢字, → \\");
    }

    #[test]
    fn a_long_text_is_shortened_and_one_at_the_limit_is_not() {
        let long = "é".repeat(MAX_CHARACTERS);
        assert_eq!(escape(&long), long);
        assert_eq!(escape_whole(&format!("{long}x")), format!("{long}x"));
        let shown = escape(&format!("{long}x"));
        assert!(
            shown.ends_with("é... (8001 bytes in all)"),
            "{}",
            &shown[shown.len() - 40..]
        );
    }

    #[test]
    fn passwords_are_taken_out() {
        for (text, shown) in [
            (
                "'postgres://u:secret@h/d' found",
                "'postgres://u:***@h/d' found",
            ),
            (
                "postgres://u:se@cret@h postgres://v:x@h",
                "postgres://u:***@h postgres://v:***@h",
            ),
            (
                "host=h password=secret user=u",
                "host=h password=*** user=u",
            ),
            ("password='a b", "password='***"),
            ("password='a b' user=u", "password='***' user=u"),
            ("password = 'a\\' b' user=u", "password = '***' user=u"),
            ("sslpassword=s", "sslpassword=***"),
            ("no password is given", "no password is given"),
            ("postgres://u:a b@h:x/d", "postgres://u:***@h:x/d"),
            ("postgres://u:a/b@h/d", "postgres://u:***@h/d"),
            (
                "postgres://h:5432/d is not for a@b",
                "postgres://h:5432/d is not for a@b",
            ),
            (
                "postgres://h/d?user=u&password=s&x=y",
                "postgres://h/d?user=u&password=***&x=y",
            ),
            ("password= password=x", "password= ***"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("https://example.org/a:b", "https://example.org/a:b"),
            ("no password", "no password"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
