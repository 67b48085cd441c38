//! Reads a connection string into keys and values: libpq's URLs and its `key=value` form.
//!
//! The grammar is libpq's own (several hosts, an empty host, a socket folder as a percent-encoded
//! host), which no URL library reads, so only the percent-encoding is left to one. No error made
//! here repeats text of the string: a mistake in it often leaves a piece of the password where
//! another part is expected.

use percent_encoding::percent_decode_str;

/// What the string says, in its order; a later value of a key replaces an earlier one.
pub(super) type Pairs = Vec<(String, String)>;

const ENCODE: &str = "in a URL, characters such as @ : / ? # % in the user name, the password or the database are written percent-encoded, for example %40 for @";

/// Reads either form. The error says what is wrong, without the text.
pub(super) fn parse(text: &str) -> Result<Pairs, String> {
    let text = text.trim();
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) => url(rest),
        None if text
            .split_once("://")
            .is_some_and(|(scheme, _)| is_word(scheme)) =>
        {
            Err("the URL's scheme is neither postgres:// nor postgresql://".into())
        }
        None => words(text),
    }
}

fn url(rest: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    // As libpq: an @ before the first / ends the login, whatever else stands there.
    let rest = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => {
            let (user, password) = match rest[..at].split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (&rest[..at], None),
            };
            if !user.is_empty() {
                pairs.push(("user".into(), decode("user", user)?));
            }
            if let Some(password) = password.filter(|text| !text.is_empty()) {
                pairs.push(("password".into(), decode("password", password)?));
            }
            &rest[at + 1..]
        }
        _ => rest,
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    if place.contains('@') {
        return Err(format!("a second @ stands in the URL; {ENCODE}"));
    }
    let (hosts, database) = match place.split_once('/') {
        Some((hosts, database)) => (hosts, database),
        None => (place, ""),
    };
    if !hosts.is_empty() {
        let (names, ports) = authority(hosts)?;
        if names.iter().any(|name| !name.is_empty()) {
            pairs.push(("host".into(), names.join(",")));
        }
        if ports.iter().any(|port| !port.is_empty()) {
            pairs.push(("port".into(), ports.join(",")));
        }
    }
    if !database.is_empty() {
        pairs.push(("dbname".into(), decode("dbname", database)?));
    }
    for parameter in query
        .unwrap_or_default()
        .split('&')
        .filter(|part| !part.is_empty())
    {
        let Some((key, value)) = parameter.split_once('=') else {
            return Err(format!("a parameter after ? has no value; {ENCODE}"));
        };
        let (key, value) = (decode("a parameter's name", key)?, decode(key, value)?);
        if key == "ssl" && value == "true" {
            // libpq takes JDBC's spelling too
            pairs.push(("sslmode".into(), "require".into()));
        } else {
            pairs.push((key, value));
        }
    }
    Ok(pairs)
}

fn authority(hosts: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for one in hosts.split(',') {
        let (name, port) = if let Some(rest) = one.strip_prefix('[') {
            let (name, rest) = rest
                .split_once(']')
                .ok_or("an IPv6 address in the URL lacks its closing bracket")?;
            match rest.strip_prefix(':') {
                Some(port) => (name, port),
                None if rest.is_empty() => (name, ""),
                None => return Err("after an IPv6 address in the URL only :PORT may follow".into()),
            }
        } else {
            one.split_once(':').unwrap_or((one, ""))
        };
        if port.contains(|c: char| !c.is_ascii_digit()) {
            return Err(format!("the port in the URL is not a number; {ENCODE}"));
        }
        let name = decode("host", name)?;
        if name.contains(',') {
            return Err("a host in the URL holds a comma".into());
        }
        names.push(name);
        ports.push(port.to_owned());
    }
    Ok((names, ports))
}

fn decode(part: &str, text: &str) -> Result<String, String> {
    let part = if is_word(part) || part.contains(' ') {
        part
    } else {
        "a parameter"
    };
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            return Err(format!(
                "{part}: a % is not followed by two hexadecimal digits; {ENCODE}"
            ));
        }
        rest = &rest[at + 3..];
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(format!("{part}: what is percent-encoded is not UTF-8")),
    }
}

fn words(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace());
        let (key, tail) = rest.split_at(end.unwrap_or(rest.len()));
        let Some(tail) = tail.trim_start().strip_prefix('=') else {
            return Err(
                "expected key=value pairs or a URL; a value that holds a space is written in single quotes"
                    .into(),
            );
        };
        // A second word of an unquoted password would come here, so it is not repeated.
        if !super::keys::is_known(key) && pairs.last().is_some_and(|(last, _)| last == "password") {
            return Err("an unknown key follows the password; a value that holds a space is written in single quotes".into());
        }
        let (value, tail) = value(tail.trim_start())?;
        pairs.push((key.to_owned(), value));
        rest = tail.trim_start();
    }
    Ok(pairs)
}

/// One value, bare or in single quotes, with backslash escapes in both; and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices();
    if quoted {
        chars.next();
    }
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err("a quoted value lacks its closing quote".into());
    }
    Ok((value, ""))
}

/// Whether the text may be repeated in a message: a name and nothing that could be a secret's half.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(given: &str) -> String {
        let pairs = parse(given).unwrap_or_else(|error| panic!("{given}: {error}"));
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(" ")
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        for (given, expected) in [
            ("postgres://", ""),
            ("postgresql://", ""),
            ("postgres://localhost", "host=localhost"),
            ("postgres://localhost:5433", "host=localhost port=5433"),
            ("postgres:///app", "dbname=app"),
            ("postgres://u@/app", "user=u dbname=app"),
            (
                "postgres://u:p@h/app",
                "user=u password=p host=h dbname=app",
            ),
            ("postgres://u:@h", "user=u host=h"),
            ("postgres://u:a:b@h", "user=u password=a:b host=h"),
            ("postgres://u:a?b@h", "user=u password=a?b host=h"),
            (
                "postgres://u%40x:p%2F%3a@h/my%20db",
                "user=u@x password=p/: host=h dbname=my db",
            ),
            ("postgres://[::1]:5433/app", "host=::1 port=5433 dbname=app"),
            ("postgres://[2001:db8::1]", "host=2001:db8::1"),
            (
                "postgres://a:1,b,[::1]:3/x",
                "host=a,b,::1 port=1,,3 dbname=x",
            ),
            ("postgres://:5433/x", "port=5433 dbname=x"),
            (
                "postgres://%2Fvar%2Frun:5433/x",
                "host=/var/run port=5433 dbname=x",
            ),
            (
                "postgres:///x?host=/tmp&port=1",
                "dbname=x host=/tmp port=1",
            ),
            ("postgres://h/?user=a@b", "host=h user=a@b"),
            (
                "postgres://h/?application_name=a%26b+c",
                "host=h application_name=a&b+c",
            ),
            ("postgres://h/d?ssl=true", "host=h dbname=d sslmode=require"),
            ("  postgres://h\n", "host=h"),
        ] {
            assert_eq!(text(given), expected, "{given}");
        }
    }

    #[test]
    fn key_value_strings_are_read_as_libpq_reads_them() {
        for (given, expected) in [
            ("", ""),
            ("host=h", "host=h"),
            ("host = h  port=  1", "host=h port=1"),
            (r"password='a b\'c\\' user=u", r"password=a b'c\ user=u"),
            (r"password=a\ b user=u", "password=a b user=u"),
            ("password='' user=u", "password= user=u"),
            ("password= user=u", "password=user=u"),
            ("password=p user=u", "password=p user=u"),
            ("dbname=a=b", "dbname=a=b"),
        ] {
            assert_eq!(text(given), expected, "{given}");
        }
    }

    #[test]
    fn mistakes_are_refused_without_repeating_the_text() {
        for given in [
            "postgres://u:hunter@hunter@h/d",
            "postgres://u:hunter/hunter@h/d",
            "postgres://u:12/hunter@h/d",
            "postgres://u:%zzhunter@h/d",
            "postgres://u:hunter%ff@h/d",
            "postgres://u:hunter%4@h/d",
            "postgres://u:hunter%",
            "postgres://[::1/hunter",
            "postgres://[::1]hunter",
            "postgres://h/d?hunter",
            "postgres://h/d?hunter%=x",
            "postgres://h%2Chunter",
            "mysql://u:hunter@h/d",
            "password=x hunter",
            "password=x hunter=y",
            "password='hunter",
            "hunter",
        ] {
            let error = parse(given).expect_err(given);
            assert!(!error.contains("hunter"), "{given}: {error}");
        }
    }
}
