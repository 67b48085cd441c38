//! What another session does right now, as the server reports it: its statement, how far that is, and what it locks.
//! Source: PostgreSQL, "Progress Reporting" and "pg_locks".

use std::fmt;

use serde::Deserialize;

use super::failure::Failure;
use super::session::Session;

/// What a session does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Doing {
    /// Its statement, shortened.
    pub statement: String,
    /// For how many seconds that has been going on.
    pub seconds: f64,
    /// How far it is, where the server counts that.
    pub stage: Option<Stage>,
    /// The tables on which it holds a lock that others may wait for, the strongest first.
    pub locks: Vec<Lock>,
}

/// How far a statement is in one of its stages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stage {
    /// The server's word for it.
    pub name: String,
    /// What is counted: `blocks`, `rows`, ..
    pub unit: String,
    /// How many are done.
    pub done: u64,
    /// Of how many; 0 is not known.
    pub total: u64,
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lock {
    /// As SQL names it: `SHARE`, `ACCESS EXCLUSIVE`.
    pub mode: String,
    /// The table, as SQL writes it.
    pub table: String,
}

impl Stage {
    /// The share that is done, in percent.
    pub fn percent(&self) -> Option<u64> {
        match self.total {
            0 => None,
            total => Some(self.done.min(total).saturating_mul(100) / total),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stage {
            name,
            unit,
            done,
            total,
        } = self;
        match self.percent() {
            Some(percent) => write!(f, "{name}, {done} of {total} {unit}, {percent} %"),
            None if *done > 0 => write!(f, "{name}, {done} {unit}"),
            None => f.write_str(name),
        }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.mode, self.table)
    }
}

/// The locks for which readers or writers of a table wait, or other changes of it; the strongest last. A row's own are
/// not among them. Source: PostgreSQL, "Table-Level Locks".
const STRONG: &str = "'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', \
    'AccessExclusiveLock'";

/// What the backend of that process id does; none where it waits for its client. The one who asks must search
/// pg_catalog alone, and be the same login or a superuser.
pub async fn doing(session: &Session, pid: i32) -> Result<Option<Doing>, Failure> {
    // in each stage one thing is counted
    let stage = "SELECT p.phase AS name, \
          CASE WHEN p.lockers_total > 0 AND p.lockers_done < p.lockers_total THEN 'transactions waited for' \
            WHEN p.tuples_total > 0 THEN 'rows' ELSE 'blocks' END AS unit, \
          CASE WHEN p.lockers_total > 0 AND p.lockers_done < p.lockers_total THEN p.lockers_done \
            WHEN p.tuples_total > 0 THEN p.tuples_done ELSE p.blocks_done END AS done, \
          CASE WHEN p.lockers_total > 0 AND p.lockers_done < p.lockers_total THEN p.lockers_total \
            WHEN p.tuples_total > 0 THEN p.tuples_total ELSE p.blocks_total END AS total \
        FROM pg_stat_progress_create_index p WHERE p.pid = a.pid \
      UNION ALL SELECT 'copying', 'rows', p.tuples_processed, 0 FROM pg_stat_progress_copy p WHERE p.pid = a.pid \
      UNION ALL SELECT p.phase, 'blocks', p.heap_blks_scanned, p.heap_blks_total \
        FROM pg_stat_progress_vacuum p WHERE p.pid = a.pid \
      UNION ALL SELECT p.phase, 'blocks', p.heap_blks_scanned, p.heap_blks_total \
        FROM pg_stat_progress_cluster p WHERE p.pid = a.pid \
      UNION ALL SELECT p.phase, 'blocks', p.sample_blks_scanned, p.sample_blks_total \
        FROM pg_stat_progress_analyze p WHERE p.pid = a.pid";
    let sql = format!(
        "SELECT json_build_object('statement', left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120), \
            'seconds', extract(epoch FROM clock_timestamp() - a.query_start), \
            'stage', (SELECT to_json(s) FROM ({stage}) s LIMIT 1), \
            'locks', (SELECT coalesce(json_agg(json_build_object('mode', \
                upper(regexp_replace(left(l.mode, -4), '([a-z])([A-Z])', '\\1 \\2', 'g')), 'table', l.name) \
                ORDER BY l.strength DESC, l.name), '[]') \
              FROM (SELECT DISTINCT ON (c.oid) k.mode, c.oid::regclass::text AS name, m.strength \
                FROM pg_locks k JOIN pg_class c ON c.oid = k.relation AND c.relkind IN ('r', 'p', 'm') \
                  JOIN pg_namespace n ON n.oid = c.relnamespace \
                  JOIN unnest(ARRAY[{STRONG}]) WITH ORDINALITY m (mode, strength) ON m.mode = k.mode \
                WHERE k.pid = a.pid AND k.granted AND k.locktype = 'relation' \
                  AND n.nspname NOT IN ('pg_catalog', 'wasmigrate') AND n.nspname !~ '^pg_t(oast|emp)' \
                ORDER BY c.oid, m.strength DESC) l))::text \
         FROM pg_stat_activity a WHERE a.pid = $1::integer AND a.state = 'active'"
    );
    session.json(&sql, &[&pid.to_string()]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_tells_what_is_counted() {
        let mut stage = Stage {
            name: "building index: scanning table".into(),
            unit: "blocks".into(),
            done: 45,
            total: 90,
        };
        assert_eq!(
            stage.to_string(),
            "building index: scanning table, 45 of 90 blocks, 50 %"
        );
        stage.done = 91;
        assert_eq!(stage.percent(), Some(100));
        stage.total = 0;
        assert_eq!(
            stage.to_string(),
            "building index: scanning table, 91 blocks"
        );
        stage.done = 0;
        assert_eq!(stage.to_string(), "building index: scanning table");
    }
}
