//! Which catalogs a transaction has written, by the server's own counters: the others need not be looked through.

use std::collections::BTreeSet;

use super::catalogs::CATALOGS;
use crate::database::failure::Failure;
use crate::database::session::Session;

/// The catalogs of which a transaction has written rows, by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written(pub(super) BTreeSet<usize>);

/// The catalogs of which the open transaction has written rows, or all where the server does not count. A counter may be of an earlier transaction of the session, or of what was rolled back; never less than
/// was written. Source: PostgreSQL, "Statistics Functions", pg_stat_get_xact_tuples_inserted (as in
/// pg_stat_xact_sys_tables).
pub async fn written(session: &Session) -> Result<Written, Failure> {
    let tables: Vec<String> = CATALOGS
        .iter()
        .enumerate()
        .map(|(place, catalog)| format!("({place}, '{}')", written_for(catalog.table)))
        .collect();
    let counted = ["inserted", "updated", "deleted"]
        .map(|what| format!("coalesce(pg_stat_get_xact_tuples_{what}(to_regclass(t)), 0)"));
    let sql = format!(
        "SELECT json_agg(place)::text FROM (VALUES {}) v (place, t) \
         WHERE {} > 0 OR current_setting('track_counts') <> 'on'",
        tables.join(", "),
        counted.join(" + ")
    );
    let places: Option<BTreeSet<usize>> = session.json(&sql, &[]).await?;
    Ok(Written(places.unwrap_or_default()))
}

/// The table behind a view.
fn written_for(table: &str) -> &str {
    match table {
        "pg_roles" => "pg_authid",
        table => table,
    }
}
