//! What a statement is, by its first words: whether it may be sent at all, and how its rows are read.
//!
//! Kinds that would take the transaction, the session or the protocol out of the host's hands are
//! refused here whatever else is allowed.

/// How the rows of a statement can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only selects, so a cursor can hold its rows.
    Select,
    /// It does, or may do, something else.
    Other,
}

/// Kinds of statements that no migration may send, by their first word, and why.
const REFUSED: [(&[&str], &str); 6] = [
    (
        &[
            "begin",
            "start",
            "commit",
            "end",
            "rollback",
            "abort",
            "savepoint",
            "release",
            "prepare",
            "execute",
            "deallocate",
        ],
        "transactions and prepared statements are the host's",
    ),
    (
        &["declare", "fetch", "move", "close"],
        "cursors are the host's: use query",
    ),
    (
        &["set", "reset", "discard", "load"],
        "the session is the host's",
    ),
    (
        &["copy"],
        "COPY is written by the host: use the bulk interface",
    ),
    (
        &["listen", "notify", "unlisten"],
        "a migration does not talk to other sessions",
    ),
    (
        &["explain"],
        "EXPLAIN is written by the host: use the plan check",
    ),
];

/// Looks at a statement; the text of a refusal says why nobody may send it.
pub fn look(sql: &str) -> Result<Kind, String> {
    if sql.contains('\0') {
        return Err("the statement holds a NUL character".into());
    }
    let mut words = Words { rest: sql };
    let Some(first) = words.next() else {
        return Err("the statement is empty".into());
    };
    if let Some((_, why)) = REFUSED
        .iter()
        .find(|(kinds, _)| kinds.contains(&first.as_str()))
    {
        return Err(format!("{}: {why}", first.to_uppercase()));
    }
    Ok(match first.as_str() {
        "select" | "values" | "table" => Kind::Select,
        // a WITH may change rows anywhere, and FOR UPDATE is as well read at once
        "with"
            if words.any(|word| matches!(&word[..], "insert" | "update" | "delete" | "merge")) =>
        {
            Kind::Other
        }
        "with" => Kind::Select,
        _ => Kind::Other,
    })
}

/// The words of a statement in lower case, without comments, quoted names, strings and symbols.
/// Source: PostgreSQL, "Lexical Structure".
struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn skip_past(&mut self, start: usize, end: &str) {
        let rest = self.rest.get(start..).unwrap_or_default();
        self.rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
    }

    fn skip_comment(&mut self) {
        let mut depth = 0usize;
        let mut at = 0;
        while at < self.rest.len() {
            let rest = &self.rest.as_bytes()[at..];
            if rest.starts_with(b"/*") {
                depth += 1;
                at += 2;
            } else if rest.starts_with(b"*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                at += 1;
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
    }

    fn skip_escape_string(&mut self) {
        let mut escaped = false;
        for (at, byte) in self.rest.bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'\'' => {
                    self.rest = &self.rest[at + 1..];
                    return;
                }
                _ => {}
            }
        }
        self.rest = "";
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let first = self.rest.chars().next()?;
            let word_char = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
            match first {
                '-' if self.rest.starts_with("--") => self.skip_past(2, "\n"),
                '/' if self.rest.starts_with("/*") => self.skip_comment(),
                '\'' => self.skip_past(1, "'"),
                '"' => self.skip_past(1, "\""),
                '$' => {
                    let tag = self.rest[1..].find('$').map(|at| &self.rest[..at + 2]);
                    match tag.filter(|tag| {
                        tag[1..tag.len() - 1]
                            .chars()
                            .all(|c| word_char(c) && c != '$')
                    }) {
                        Some(tag) => self.skip_past(tag.len(), tag),
                        None => self.rest = &self.rest[1..],
                    }
                }
                c if c.is_alphabetic() || c == '_' || !c.is_ascii() => {
                    let end = self.rest.find(|c| !word_char(c)).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    if word.eq_ignore_ascii_case("e") && rest.starts_with('\'') {
                        self.skip_escape_string();
                        continue;
                    }
                    return Some(word.to_lowercase());
                }
                c => self.rest = &self.rest[c.len_utf8()..],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_are_told_from_the_rest() {
        for sql in [
            "select 1",
            " /* a /* b */ c */ -- d\n SELECT 1",
            "((values (1)))",
            "table public.t",
            "with a as (select 'delete') select \"update\", $$ insert $$, $q$ merge $q$, E'\\' delete' from a",
        ] {
            assert_eq!(look(sql), Ok(Kind::Select), "{sql}");
        }
        for sql in [
            "insert into t values (1) returning id",
            "with d as (delete from public.t returning *) select * from d",
            "create index on t (a)",
            "show server_version",
        ] {
            assert_eq!(look(sql), Ok(Kind::Other), "{sql}");
        }
    }

    #[test]
    fn the_hosts_own_kinds_are_refused() {
        for sql in [
            "COMMIT",
            "  -- x\nrollback to a",
            "/**/begin",
            "set role postgres",
            "COPY t FROM STDIN",
            "prepare transaction 'x'",
            "DECLARE c CURSOR FOR SELECT 1",
            "explain analyze delete from t",
            "",
            " -- only a comment",
            "select '\0'",
        ] {
            assert!(look(sql).is_err(), "{sql:?}");
        }
    }
}
