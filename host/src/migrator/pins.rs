//! The settings that a transaction pins: whatever could make the same statement mean something else, or
//! show its result in another way.
//!
//! They are set at the beginning, whatever the server, the database and the login have them at, and again
//! behind each statement that may have run somebody's function: `set_config` in its body would last until the
//! transaction ends. Each exists on 14 to 18 and an ordinary login may set it. SET costs 2 to 3 us a piece, less
//! than one SELECT of many set_config. Not here: `timezone_abbreviations`, which reads a file for 80 us.
//!
//! Source: PostgreSQL, "Client Connection Defaults", "Version and Platform Compatibility".

use std::time::Duration;

const SETTINGS: &[(&str, &str)] = &[
    // what names and literals mean
    ("search_path", "pg_catalog, pg_temp"),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    ("client_encoding", "'UTF8'"),
    ("DateStyle", "'ISO, YMD'"),
    ("TimeZone", "'UTC'"),
    ("default_text_search_config", "'pg_catalog.simple'"),
    ("xmloption", "content"),
    ("lc_monetary", "'C'"),
    ("lc_numeric", "'C'"),
    ("lc_time", "'C'"),
    // how values are shown
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("xmlbinary", "base64"),
    ("quote_all_identifiers", "off"),
    // which rows are found, and in which order
    ("row_security", "off"),
    ("gin_fuzzy_search_limit", "0"),
    ("synchronize_seqscans", "off"),
    ("cursor_tuple_fraction", "1"),
    // what definitions come to; where things are stored is the operator's, and not to be changed on the way
    ("check_function_bodies", "on"),
    ("default_tablespace", "DEFAULT"),
    ("temp_tablespaces", "DEFAULT"),
    ("default_table_access_method", "DEFAULT"),
    ("default_toast_compression", "DEFAULT"),
    // how long anything may take
    ("idle_in_transaction_session_timeout", "0"),
];

/// What only a superuser may set, or not every release has: set where it differs. Under a search path of
/// somebody else's the names must be in full.
const WHERE_OTHER: &[(&str, &str)] = &[
    ("session_replication_role", "origin"),
    ("transaction_timeout", "0"),
    ("restrict_nonsystem_relation_kind", ""),
];

/// The statements that pin them, with the most time that a statement may take. The last one is a query, after which a
/// read-only transaction stays so.
pub fn pins(lock_timeout: Duration, statement_timeout: Option<Duration>) -> String {
    let mut sql: String = SETTINGS
        .iter()
        .map(|(name, value)| format!("SET LOCAL {name} = {value}; "))
        .collect();
    let others: Vec<String> = WHERE_OTHER
        .iter()
        .map(|(name, value)| {
            format!(
                "CASE WHEN pg_catalog.current_setting('{name}', true) OPERATOR(pg_catalog.<>) '{value}' \
                 THEN pg_catalog.set_config('{name}', '{value}', true) END"
            )
        })
        .collect();
    // 0 would be no limit
    let most = statement_timeout.map_or(0, |most| most.as_millis().max(1));
    sql += &format!(
        "SET LOCAL statement_timeout = {most}; SET LOCAL lock_timeout = {}; SELECT {}",
        lock_timeout.as_millis(),
        others.join(", ")
    );
    sql
}

/// The statements that pin them for a statement outside of transactions, until the next transaction begins. The
/// time-out for locks is another: a concurrent build waits for every older transaction.
pub fn session_pins(lock_timeout: Duration, statement_timeout: Option<Duration>) -> String {
    pins(lock_timeout, statement_timeout)
        .replace("SET LOCAL ", "SET ")
        .replace("', true) END", "', false) END")
}

/// The statements that begin a transaction in which a guest can run.
pub fn begin(pins: &str) -> String {
    format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE; {pins}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_transactions_nothing_is_set_for_one_alone() {
        let sql = session_pins(Duration::from_secs(60), Some(Duration::from_secs(2)));
        assert!(sql.starts_with("SET search_path = pg_catalog, pg_temp; "));
        assert!(sql.contains("SET statement_timeout = 2000; SET lock_timeout = 60000; "));
        assert!(!sql.contains("LOCAL") && !sql.contains("', true) END"));
    }

    #[test]
    fn each_setting_is_pinned_once_and_the_path_first() {
        let sql = pins(Duration::from_millis(50), None);
        assert!(sql.starts_with("SET LOCAL search_path = pg_catalog, pg_temp; "));
        assert!(
            sql.contains(
                "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 50; SELECT CASE"
            )
        );
        let least = pins(Duration::ZERO, Some(Duration::from_micros(1)));
        assert!(least.contains("SET LOCAL statement_timeout = 1; "));
        for (name, _) in SETTINGS {
            assert_eq!(
                sql.matches(&format!("SET LOCAL {name} =")).count(),
                1,
                "{name}"
            );
        }
    }
}
