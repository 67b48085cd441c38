//! PostgreSQL's own parser, kept from harm: on one thread of its own, with a large stack.
//!
//! The parser is C. It gives each thread a key that it never gives back, of which a process has a
//! thousand; so there is one thread for the life of the process. It swaps the process's stderr for
//! a pipe while it parses, so Rust's lock on stderr is held meanwhile, or lines would be lost.
//! It takes the square of the time for comments in comments, and for warnings, each of which counts
//! the characters before it; so both are counted before.
//! The tree is decoded with a limit of nesting (100 messages), so walks over it are shallow.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

use pg_query::protobuf::{RawStmt, SelectStmt, Token};
use pg_query::{DeparseOptions, NodeEnum};

use super::{Demand, Denial, MAX_BYTES};

/// The parser's stack: the tree of a statement of a megabyte may be deep before its depth is checked.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The most warnings of the grammar, which all are of GLOBAL TEMP, that a text could cause.
const MAX_WARNINGS: usize = 256;

/// The longest run of operator characters that may open comments again and again, and how often.
const MAX_RUN: usize = 256;
const MAX_OPENED: usize = 8;

type Job = Box<dyn FnOnce() + Send>;

/// Parses a text on the parser's thread, and judges its statements. With them comes the query of which a command
/// makes a table or a view.
pub fn with_tree(
    sql: &str,
    judge: impl FnOnce(&[RawStmt], Option<String>) -> Demand,
) -> Result<Demand, Denial> {
    check(sql)?;
    let text = sql.to_owned();
    let (statements, query) = on_thread(move || with_query(&text))?;
    Ok(judge(&statements, query))
}

/// The same of several texts, all in one go of the parser's thread.
pub fn with_trees(
    texts: &[&str],
    judge: impl Fn(&str, &[RawStmt], Option<String>) -> Demand,
) -> Vec<Result<Demand, Denial>> {
    let wanted: Vec<String> = texts.iter().map(|sql| (*sql).to_owned()).collect();
    let parsed = on_thread(move || {
        let parsed = wanted
            .iter()
            .map(|sql| check(sql).and_then(|()| with_query(sql)));
        Ok(parsed.collect::<Vec<_>>())
    });
    let parsed = parsed.unwrap_or_else(|denial| vec![Err(denial); texts.len()]);
    let judged = texts
        .iter()
        .zip(parsed)
        .map(|(sql, parsed)| parsed.map(|(statements, query)| judge(sql, &statements, query)));
    judged.collect()
}

fn with_query(sql: &str) -> Result<(Vec<RawStmt>, Option<String>), Denial> {
    let statements = parse(sql)?;
    let query = statements.first().and_then(inner_query);
    Ok((statements, query))
}

/// Parses a text and asks something of its statements, both on the parser's thread.
pub fn ask<T: Send + 'static>(
    sql: &str,
    question: impl FnOnce(&[RawStmt]) -> T + Send + 'static,
) -> Result<T, Denial> {
    check(sql)?;
    let text = sql.to_owned();
    on_thread(move || Ok(question(&parse(&text)?)))
}

/// The query of CREATE TABLE AS, SELECT INTO, CREATE VIEW and CREATE MATERIALIZED VIEW as a statement of its own.
fn inner_query(statement: &RawStmt) -> Option<String> {
    let query = match statement.stmt.as_ref()?.node.as_ref()? {
        NodeEnum::CreateTableAsStmt(create) => create.query.as_ref()?.node.clone()?,
        NodeEnum::ViewStmt(view) => view.query.as_ref()?.node.clone()?,
        NodeEnum::SelectStmt(select) => {
            let mut select = select.clone();
            without_into(&mut select)?;
            NodeEnum::SelectStmt(select)
        }
        _ => return None,
    };
    match query {
        NodeEnum::SelectStmt(_) => query.deparse(DeparseOptions::default()).ok(),
        _ => None,
    }
}

/// Takes away INTO, which stands in the first of united selects; nothing where there is none.
fn without_into(select: &mut SelectStmt) -> Option<()> {
    match &mut select.larg {
        Some(first) => without_into(first),
        None => select.into_clause.take().map(drop),
    }
}

/// The statements of a text of several, without the semicolons between them.
pub fn split(sql: &str) -> Result<Vec<String>, Denial> {
    check(sql)?;
    let text = sql.to_owned();
    on_thread(move || {
        let stderr = std::io::stderr().lock();
        let parts = pg_query::split_with_parser(&text);
        let parts = parts.map(|parts| parts.into_iter().map(str::to_owned).collect());
        let parts: Vec<String> = parts.unwrap_or_else(|_| split_at_semicolons(&text));
        drop(stderr);
        let parts = parts.iter().map(|part| part.trim().to_owned());
        Ok(parts.filter(|part| !part.is_empty()).collect())
    })
}

/// The parts of a text that is no SQL as a whole, so that each can be told what is wrong with it. Where not even
/// its words can be told, it is one part.
fn split_at_semicolons(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for token in pg_query::scan(text).map_or(Vec::new(), |scanned| scanned.tokens) {
        let kind = token.token();
        match kind {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth = depth.saturating_sub(1),
            _ => {}
        }
        if kind == Token::Ascii59 && depth == 0 {
            let end = usize::try_from(token.start).unwrap_or(start);
            parts.push(text.get(start..end).unwrap_or_default().to_owned());
            start = usize::try_from(token.end).unwrap_or(end);
        }
    }
    parts.push(text.get(start..).unwrap_or_default().to_owned());
    parts
}

/// Does a piece of work on the parser's thread, and waits for it.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Denial> + Send + 'static,
) -> Result<T, Denial> {
    let (answer, answers) = channel();
    let job: Job = Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // the one who asked waits for the answer, so it can be given
        let _ = answer.send(done.unwrap_or_else(|_| Err(broken())));
    });
    worker(job).map_err(|()| broken())?;
    answers.recv().map_err(|_| broken())?
}

/// What must hold before the parser sees a text.
fn check(sql: &str) -> Result<(), Denial> {
    let denial = |what: &str, why, at| Denial {
        what: what.to_owned(),
        why,
        at,
    };
    if sql.len() > MAX_BYTES {
        return Err(denial(
            "the statement is too long",
            "a statement has at most 1 MiB",
            None,
        ));
    }
    if let Some(at) = sql.find('\0') {
        return Err(denial(
            "a NUL character",
            "the server would not see what follows it",
            Some(at),
        ));
    }
    if [&b"global"[..], b"temp"]
        .iter()
        .all(|word| count(sql, word) > MAX_WARNINGS)
    {
        return Err(denial(
            "GLOBAL TEMP again and again",
            "the parser would take too long over its warnings",
            None,
        ));
    }
    if let Some(at) = long_run(sql) {
        return Err(denial(
            "comments opened again and again",
            "the parser would take too long",
            Some(at),
        ));
    }
    Ok(())
}

/// How often a word stands in a text, up to one more than matters.
fn count(sql: &str, word: &[u8]) -> usize {
    let places = sql.as_bytes().windows(word.len());
    let found = places.filter(|place| place.eq_ignore_ascii_case(word));
    found.take(MAX_WARNINGS + 1).count()
}

/// Where a long run of operator characters opens comments: the scanner reads the whole run for
/// each of them.
fn long_run(sql: &str) -> Option<usize> {
    let operator = |byte: &u8| b"~!@#^&|`?+-*/%<>=".contains(byte);
    let mut at = 0;
    for run in sql.as_bytes().split(|byte| !operator(byte)) {
        let opened = run
            .windows(2)
            .filter(|pair| pair == b"/*")
            .take(MAX_OPENED + 1);
        if run.len() > MAX_RUN && opened.count() > MAX_OPENED {
            return Some(at);
        }
        at += run.len() + 1;
    }
    None
}

fn parse(sql: &str) -> Result<Vec<RawStmt>, Denial> {
    let stderr = std::io::stderr().lock();
    let parsed = pg_query::parse(sql, 0);
    drop(stderr);
    let error = match parsed {
        Ok(parsed) => return Ok(parsed.protobuf.stmts),
        Err(error) => error,
    };
    Err(match error {
        pg_query::Error::Parse(message)
            if !message.contains("too deep") && !message.contains("stack depth") =>
        {
            Denial {
                what: super::walk::shown(&message),
                why: "PostgreSQL's grammar does not take it",
                at: None,
            }
        }
        _ => Denial {
            what: "the statement nests too deep".to_owned(),
            why: "write it with fewer levels, for example with WITH",
            at: None,
        },
    })
}

fn broken() -> Denial {
    Denial {
        what: "the parser gave no answer".to_owned(),
        why: "what cannot be read cannot be allowed",
        at: None,
    }
}

/// Gives a job to the parser's thread.
fn worker(job: Job) -> Result<(), ()> {
    static WORKER: OnceLock<Mutex<Option<Sender<Job>>>> = OnceLock::new();
    let slot = WORKER.get_or_init(Mutex::default);
    let mut sender = slot.lock().map_err(|_| ())?;
    if sender.is_none() {
        let (new, jobs) = channel::<Job>();
        thread::Builder::new()
            .name("sql-parser".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || jobs.into_iter().for_each(|job| job()))
            .map_err(|_| ())?;
        *sender = Some(new);
    }
    sender.as_ref().ok_or(())?.send(job).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server is asked about this text in place of the command.
    #[test]
    fn the_query_that_something_is_made_of_is_a_statement_of_its_own() {
        for (sql, query) in [
            (
                "CREATE TABLE s.n AS SELECT a FROM s.t WHERE b = $1",
                Some("SELECT a FROM s.t WHERE b = $1"),
            ),
            (
                "CREATE TABLE s.n (x) AS VALUES (1) WITH NO DATA",
                Some("VALUES (1)"),
            ),
            (
                "CREATE MATERIALIZED VIEW s.m AS SELECT a FROM s.t",
                Some("SELECT a FROM s.t"),
            ),
            (
                "CREATE OR REPLACE VIEW s.v AS WITH c AS (SELECT 1 AS a) SELECT a FROM c",
                Some("WITH c AS (SELECT 1 AS a) SELECT a FROM c"),
            ),
            (
                "SELECT a INTO UNLOGGED s.n FROM s.t ORDER BY a",
                Some("SELECT a FROM s.t ORDER BY a"),
            ),
            // INTO stands in the first of them alone
            (
                "SELECT a INTO s.n FROM s.t UNION SELECT b FROM s.u EXCEPT SELECT c FROM s.w",
                Some("(SELECT a FROM s.t UNION SELECT b FROM s.u) EXCEPT SELECT c FROM s.w"),
            ),
            ("SELECT a FROM s.t", None),
            ("SELECT a FROM s.t UNION SELECT b FROM s.u", None),
            ("CREATE TABLE s.n AS EXECUTE p", None),
            ("INSERT INTO s.t SELECT a FROM s.u", None),
            ("CREATE TABLE s.n (a int)", None),
        ] {
            let sql = sql.to_owned();
            let shown = sql.clone();
            let found = on_thread(move || Ok(parse(&sql)?.first().and_then(inner_query)));
            assert_eq!(found.unwrap().as_deref(), query, "{shown}");
        }
    }

    /// What is left out would never be judged.
    #[test]
    fn every_statement_of_a_text_is_found() {
        for (text, parts) in [
            ("SELECT 1; ;\n COMMIT;", &["SELECT 1", "COMMIT"][..]),
            (
                "selct 1; SELECT ';'; /* ; */ x",
                &["selct 1", "SELECT ';'", "/* ; */ x"],
            ),
            ("SELECT 'open; COMMIT", &["SELECT 'open; COMMIT"]),
            (
                "CREATE FUNCTION s.f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; COMMIT",
                &[
                    "CREATE FUNCTION s.f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
                    "COMMIT",
                ],
            ),
            (" -- nothing\n", &[]),
        ] {
            assert_eq!(split(text).unwrap(), parts, "{text}");
        }
    }
}
