//! Questions asked ahead, for which nobody waits: a server process that is new reads its own catalogs for the first
//! time while the runner has other things to do, and not when a guest waits for an answer.

use futures_util::FutureExt as _;
use tokio::join;

use super::comparison;
use super::role::{Kind, Privileges, TablePrivilege, Verb};
use super::session::Session;
use super::touched;

/// Between two questions the server may wait longer than a database's own settings allow.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; \
    SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL jit = off";

impl Session {
    /// For the session that works: what each transaction asks of roles, owners and texts. Nothing is written, and what
    /// fails is asked again where it is needed.
    pub fn warm_up(&self) {
        let privileges = Privileges {
            tables: vec![TablePrivilege {
                schema: "pg_catalog".into(),
                name: "pg_class".into(),
                verb: Verb::Insert,
                columns: vec!["relname".into()],
            }],
            ..Privileges::default()
        };
        let [probe, names, effects] = touched::first_questions();
        let [_, details] = comparison::first_questions(self.server());
        let owned = [(Kind::Relation, "pg_catalog", "pg_class")];
        let asked = async {
            join!(
                biased;
                self.batch(BEGIN),
                self.ask_ahead(&privileges),
                self.text(&probe, &[]),
                self.text(&names, &["{}", "{}"]),
                self.owners(&owned),
                self.text(&effects, &["[]"]),
                self.text(&details, &["[]"]),
                self.batch("ROLLBACK"),
            )
        };
        // all are sent when they are polled once
        drop(asked.now_or_never());
    }

    /// For the session that holds the run lock: what is compared before each COMMIT.
    pub fn warm_up_beside(&self) {
        let [candidates, details] = comparison::first_questions(self.server());
        let asked =
            async { join!(biased; self.text(&candidates, &[]), self.text(&details, &["[]"])) };
        drop(asked.now_or_never());
    }
}
