//! The password file, `~/.pgpass` or PGPASSFILE, by libpq's rules.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What the password file was asked about.
pub(super) struct Login<'a> {
    /// The host as it was given; `localhost` for the usual socket folders.
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

/// The file's bytes, or nothing where there is none or others could read it.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() {
        tracing::warn!(
            "ignored password file {}: it is no plain file",
            path.display()
        );
        return None;
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            "ignored password file {}: group or others may read it; `chmod 600` it",
            path.display()
        );
        return None;
    }
    match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::warn!("ignored password file {}: {error}", path.display());
            None
        }
    }
}

/// The password of the first line that fits.
pub(super) fn password(file: &[u8], login: &Login<'_>) -> Option<Vec<u8>> {
    let port = login.port.to_string();
    file.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .find_map(|line| {
            let mut rest = line;
            for wanted in [login.host, &port, login.database, login.user] {
                let field = field(rest);
                if field.written != b"*" && field.plain != wanted.as_bytes() {
                    return None;
                }
                rest = field.rest?;
            }
            let password = field(rest).plain;
            Some(password).filter(|password| !password.is_empty())
        })
}

/// The text up to the next colon that no backslash escapes.
struct Field<'a> {
    written: &'a [u8],
    /// Without the escapes.
    plain: Vec<u8>,
    /// What follows the colon, if there is one.
    rest: Option<&'a [u8]>,
}

fn field(line: &[u8]) -> Field<'_> {
    let mut plain = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match (byte, line.get(at + 1)) {
            (b':', _) => break,
            (b'\\', Some(&escaped)) => {
                plain.push(escaped);
                at += 2;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    let (written, rest) = line.split_at(at);
    Field {
        written,
        plain,
        rest: rest.strip_prefix(b":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str) -> Option<String> {
        let login = Login {
            host: "db:1",
            port: 5432,
            database: "app",
            user: r"a\b",
        };
        password(file.as_bytes(), &login).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lines_match_as_in_libpq() {
        for (file, expected) in [
            (r"db\:1:5432:app:a\\b:secret", Some("secret")),
            ("*:*:*:*:secret", Some("secret")),
            (r"*:*:*:*:p\:q\\r", Some(r"p:q\r")),
            ("*:*:*:*:secret\r\n", Some("secret")),
            ("# *:*:*:*:no\n\n*:*:*:*:yes", Some("yes")),
            ("other:*:*:*:no\n*:5432:*:*:yes\n*:*:*:*:late", Some("yes")),
            ("*:5433:*:*:no", None),
            ("*:*:App:*:no", None),
            ("*:*:*:*", None),
            ("*:*:*:*:", None),
            (r"\*:*:*:*:no", None),
            ("d*:*:*:*:no", None),
            ("*:*:*:*:with # and space ", Some("with # and space ")),
            ("", None),
            (r"*:*:*:*:end\", Some(r"end\")),
        ] {
            assert_eq!(found(file).as_deref(), expected, "{file}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:secret").unwrap();
        for (mode, used) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_some(), used, "{mode:o}");
        }
        assert!(read(folder.path()).is_none());
        assert!(read(&folder.path().join("none")).is_none());
    }
}
