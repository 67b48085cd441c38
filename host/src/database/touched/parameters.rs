//! Parameters of a statement that has more of them than a procedure takes.

/// The statement with each parameter replaced by a NULL of its type. That changes no name that is touched:
/// the types are those that the server has settled on.
///
/// Only `$` and a number outside of strings, quoted names and comments is a parameter. Nothing where a
/// parameter has no type or the text is not closed. Source: PostgreSQL, "Lexical Structure", under
/// `standard_conforming_strings = on`.
pub(super) fn replace(sql: &str, types: &[String]) -> Option<String> {
    let mut text = String::with_capacity(sql.len() * 2);
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => string(rest, false)?,
            '"' => quoted(rest)?,
            '-' if rest.starts_with("--") => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest)?,
            '$' => {
                let digits = leading(&rest[1..], |c| c.is_ascii_digit());
                if digits > 0 {
                    let number: usize = rest[1..=digits].parse().ok()?;
                    let name = types.get(number.checked_sub(1)?)?;
                    text.push_str(&format!("(NULL::{name})"));
                    rest = &rest[1 + digits..];
                    continue;
                }
                dollar_quoted(rest)?
            }
            'e' | 'E' if rest[1..].starts_with('\'') => 1 + string(&rest[1..], true)?,
            c if is_name(c) => leading(rest, |c| is_name(c) || c.is_ascii_digit() || c == '$'),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length)?;
        text.push_str(token);
        rest = after;
    }
    Some(text)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

/// How many bytes at the start are of that kind.
fn leading(text: &str, of_kind: impl Fn(char) -> bool) -> usize {
    text.find(|c| !of_kind(c)).unwrap_or(text.len())
}

/// A quote written twice begins another string at once, which comes to the same.
fn quoted(text: &str) -> Option<usize> {
    Some(text.get(1..)?.find('"')? + 2)
}

fn string(text: &str, escapes: bool) -> Option<usize> {
    let mut escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if escapes => escaped = true,
            // doubled, so that the backslashes after it are of the same string
            '\'' if escapes && text[place + 1..].starts_with('\'') => escaped = true,
            '\'' => return Some(place + 1),
            _ => {}
        }
    }
    None
}

fn comment(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut place = 0;
    loop {
        let rest = text.get(place..)?;
        if rest.starts_with("/*") {
            depth += 1;
            place += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return Some(place);
            }
        } else {
            place += rest.chars().next()?.len_utf8();
        }
    }
}

fn dollar_quoted(text: &str) -> Option<usize> {
    let tag = 1 + leading(&text[1..], |c| is_name(c) || c.is_ascii_digit());
    let tag = text.get(..=tag).filter(|tag| tag.ends_with('$'))?;
    Some(2 * tag.len() + text.get(tag.len()..)?.find(tag)?)
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn parameters_alone_are_replaced() {
        let types = ["t1".to_owned(), "t2".to_owned()];
        let done = |sql: &str| replace(sql, &types);
        let same = |sql: &str| assert_eq!(done(sql).as_deref(), Some(sql), "{sql}");
        assert_eq!(
            done("$1+$2,$1").as_deref(),
            Some("(NULL::t1)+(NULL::t2),(NULL::t1)")
        );
        same("'$1' \"$1\" a$1 é$1 -- $1\n/* $1 /* $2 */ $1 */ $$ $1 $$ $a$ $1 $b$ $$ $a$");
        same("'it''s $1' E'\\'$1' e'a''\\' $1' U&'\\0024' 'a\\' \"a\"\"$1\"");
        assert_eq!(done("'a\\'||$1").as_deref(), Some("'a\\'||(NULL::t1)"));
        for sql in ["$3", "$0", "'a", "/* /* */", "$a$ $b$", "\"a"] {
            assert_eq!(done(sql), None, "{sql}");
        }
    }
}
