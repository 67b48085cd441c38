//! The guests that misbehave, and how each run of theirs must end.

/// The guests whose `up` fails: the setting, the exit status, the code, and what the message says.
#[rustfmt::skip]
pub const FAILING: &[(&str, &str, i32, &str, &str)] = &[
    ("endless-loop", "", 7, "limit-guest-time", "guest-time = 2s"),
    ("memory-hog", "amount=past-limit", 7, "limit-memory", "memory = 64MiB"),
    ("deep-recursion", "amount=past-limit", 7, "limit-stack", "stack = 256KiB"),
    ("deep-recursion", "amount=endless", 7, "limit-stack", "stack = 256KiB"),
    ("panic", "", 6, "guest-panicked", "panicked: the dosage form is not known, at migrations-wasm/faulty/panic/src/lib.rs:"),
    ("huge-string", "amount=past-limit", 7, "limit-call-bytes", "call-bytes = 1MiB"),
    ("huge-string", "amount=past-limit place=parameter", 7, "limit-call-bytes", "call-bytes = 1MiB"),
    ("huge-string", "amount=past-limit place=log", 7, "limit-call-bytes", "call-bytes = 1MiB"),
    ("log-flood", "amount=past-limit", 7, "limit-log-bytes", "log-bytes = 64KiB"),
    ("lying-columns", "lie=offsets-past-data", 6, "call-unsupported", "offsets past the end of its data"),
    ("lying-columns", "lie=offsets-descend", 6, "call-unsupported", "offsets that do not ascend"),
    ("lying-columns", "lie=offsets-too-few", 6, "call-unsupported", "column 2 of the batch has no offsets"),
    ("lying-columns", "lie=lengths-disagree", 6, "call-unsupported", "holds 1 values where the batch has 9 rows"),
    ("lying-columns", "lie=validity-too-short", 6, "call-unsupported", "validity that is shorter than its rows"),
    ("lying-columns", "lie=bad-utf8", 6, "call-unsupported", "text that is not UTF-8"),
    ("lying-columns", "lie=split-utf8", 6, "call-unsupported", "an offset inside a character"),
    ("lying-columns", "lie=too-few-columns", 6, "call-unsupported", "opened for 2 columns, the batch has 1"),
    ("lying-columns", "lie=huge-length", 6, "call-unsupported", "where the batch has 4294967295 rows"),
    ("handle-hoarder", "amount=past-limit", 7, "limit-handles", "handles = 16"),
    ("row-flood", "amount=past-limit", 7, "limit-rows", "rows = 1000"),
    ("statement-flood", "amount=past-limit", 7, "limit-statements", "statements = 100"),
    ("endless-statement", "", 7, "limit-wall-time", "wall-time = 1s"),
    ("swallowed-error", "", 6, "statement-failed", "SQLSTATE: 23502"),
    ("ok-after-failed-statement", "", 6, "statement-failed", "SQLSTATE: 23502"),
    ("rows-open-ddl", "", 6, "rows-open", "drain or drop the rows first"),
    ("call-while-copy-open", "", 6, "copy-open", "finish it before the next call"),
    ("error-returned", "", 6, "migration-failed", "all is well"),
    ("forbidden-statement", "statement=commit", 7, "denied", "transaction control"),
    ("forbidden-statement", "statement=rollback", 7, "denied", "transaction control"),
    ("forbidden-statement", "statement=savepoint", 7, "denied", "transaction control"),
    ("forbidden-statement", "statement=set-role", 7, "denied", "SET or RESET"),
    ("forbidden-statement", "statement=reset", 7, "denied", "SET or RESET"),
    ("forbidden-statement", "statement=copy", 7, "denied", "COPY is written by the host"),
    ("forbidden-statement", "statement=declare", 7, "denied", "a cursor"),
    ("forbidden-statement", "statement=prepare", 7, "denied", "PREPARE: prepared statements"),
    ("forbidden-statement", "statement=listen", 7, "denied", "LISTEN: a migration does not talk"),
    ("forbidden-statement", "statement=explain", 7, "denied", "EXPLAIN is written by the host"),
    ("forbidden-statement", "statement=two-statements", 7, "denied", "two statements"),
];

/// The guests that stay within their limit, by the setting.
pub const WITHIN: &[(&str, &str)] = &[
    ("memory-hog", "amount=at-limit"),
    ("deep-recursion", "amount=at-limit"),
    ("huge-string", "amount=at-limit"),
    ("huge-string", "amount=at-limit place=parameter"),
    ("huge-string", "amount=at-limit place=log"),
    ("log-flood", "amount=at-limit"),
    ("handle-hoarder", "amount=at-limit"),
    ("row-flood", "amount=at-limit"),
    ("statement-flood", "amount=at-limit"),
];

/// The guests that have a test of their own.
pub const APART: &[&str] = &["writes-in-verify", "wrong-world"];
