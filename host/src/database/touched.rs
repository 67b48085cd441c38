//! What the server itself says a statement touches, and what its writes set off.
//!
//! The statement becomes the body of a procedure that lives for a moment: `BEGIN ATOMIC` makes the server
//! analyse it, store it and record what it depends on, without planning or running anything. `pg_depend`
//! names what is not the server's own; built-in functions are in the stored tree alone, and so is who reads
//! which column: there the server keeps what its permission check will ask for. Views are followed into
//! their own trees. Sources: PostgreSQL, CREATE PROCEDURE, pg_depend, pg_proc (`prosqlbody`), pg_rewrite.

mod answer;
mod effects;
mod parameters;
mod plain;
mod sql;
mod tree;

use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::failure::Failure;
use super::qualified;
use super::session::Session;
use crate::touched::Touched;
use plain::{Known, Objects, Plain, Probe};

/// The look-ups of a session: their plans cost more than their runs.
#[derive(Default)]
pub(super) struct Lookups {
    probe: OnceCell<Statement>,
    names: OnceCell<Statement>,
    objects: OnceCell<Statement>,
    touched: OnceCell<Statement>,
    plain_effects: OnceCell<Statement>,
    effects: OnceCell<Statement>,
    commands: OnceCell<Statement>,
    known: Mutex<Known>,
    /// Set once the session has its temporary schema.
    opened: OnceCell<()>,
}

/// Nested loops over indexes are all that these look-ups need; the estimates of the functions in them would
/// make the planner think of more.
const ASIDE: &str = "SAVEPOINT wasmigrate_aside; SET LOCAL jit = off; SET LOCAL enable_hashjoin = off; \
    SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off; \
    SET LOCAL plan_cache_mode = force_generic_plan";
const BACK: &str = "ROLLBACK TO SAVEPOINT wasmigrate_aside; RELEASE SAVEPOINT wasmigrate_aside";

/// Makes the session's temporary schema outside of the savepoint: made within, it would go with each probe,
/// and every plan of the session with it.
const OPEN_TEMPORARY: &str = "CREATE PROCEDURE pg_temp.wasmigrate_open() LANGUAGE sql BEGIN ATOMIC END; \
    DROP PROCEDURE pg_temp.wasmigrate_open()";

/// How many arguments a procedure has at most. Source: PostgreSQL, `FUNC_MAX_ARGS`.
const MOST_ARGUMENTS: usize = 100;

impl Session {
    /// Makes the session's temporary schema, in a transaction of its own where none is open: made in one of a
    /// migration's, its commit would cost every plan of the session. Run it while there is something else to wait for.
    pub async fn open_temporary(&self) -> Result<(), Failure> {
        let open = async || self.batch(OPEN_TEMPORARY).await;
        self.lookups().opened.get_or_try_init(open).await.copied()
    }

    /// The types of a statement's parameters, as SQL writes them. The server parses the statement, and refuses
    /// two in one text; it does not run it. It needs an open transaction, which is then as before. A text without a `$`
    /// has no parameter, and the server is not asked.
    pub async fn parameter_types(&self, sql: &str) -> Result<Vec<String>, Failure> {
        if !sql.contains('$') {
            return Ok(Vec::new());
        }
        // to parse a literal of somebody's type is to run what checks it, which must leave nothing
        let client = &self.connection().client;
        let (open, statement, back) =
            tokio::join!(biased; self.batch(ASIDE), client.prepare(sql), self.batch(BACK));
        let statement = statement?;
        open?;
        back?;
        let name = |r#type: &tokio_postgres::types::Type| qualified(r#type.schema(), r#type.name());
        Ok(statement.params().iter().map(name).collect())
    }

    /// What a query or a statement that changes rows touches, with parameters of these types (see
    /// [`Session::parameter_types`]). Nothing is run.
    ///
    /// It needs an open read-write transaction, the pinned `search_path = pg_catalog, pg_temp`, and the
    /// privilege TEMPORARY on the database. Whatever the outcome, the transaction is as before.
    pub async fn touches(&self, sql: &str, types: &[String]) -> Result<Touched, Failure> {
        let replaced;
        let (body, types) = if types.len() > MOST_ARGUMENTS {
            replaced = parameters::replace(sql, types).ok_or_else(|| {
                Failure::Unusable("the statement's parameters could not be told apart".into())
            })?;
            (replaced.as_str(), &[][..])
        } else {
            (sql, types)
        };
        let head = format!(
            "CREATE PROCEDURE pg_temp.{}({}) LANGUAGE sql BEGIN ATOMIC ",
            sql::PROBE,
            types.join(", ")
        );
        // the line's end ends a comment of the statement
        let probe = format!("{head}{body}\n; END");
        // sent at once, answered in order
        let (opened, lookup) = tokio::join!(
            biased;
            self.open_temporary(),
            self.lookup(&self.lookups().probe, sql::short::probe),
        );
        opened?;
        let lookup = lookup?;
        let seen = self.aside(Some(&probe), &lookup, &[]).await;
        let seen: Probe = seen.map_err(|failure| placed(failure, &head))?;
        if let Some(plain) = seen.plain()
            && let Some(answer) = self.answer(plain).await?
        {
            return answer.read();
        }
        let lookup = self.lookup(&self.lookups().touched, sql::touched).await?;
        let found: answer::Answer = self.aside(Some(&probe), &lookup, &[]).await?;
        found.read()
    }

    /// What a plain statement touches, if that can be told so. Names that the session has not met are asked for.
    async fn answer(&self, plain: Plain) -> Result<Option<answer::Answer>, Failure> {
        let known = || {
            self.lookups()
                .known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let unknown = known().unknown(&plain);
        if let Some([functions, types]) = unknown {
            let lookup = self
                .lookup(&self.lookups().names, sql::short::names)
                .await?;
            let more = self.aside(None, &lookup, &[&functions, &types]).await?;
            known().add(more);
        }
        let objects = match plain.objects() {
            Some([operators, classes, oids]) => {
                let lookup = self
                    .lookup(&self.lookups().objects, sql::short::objects)
                    .await?;
                self.aside(None, &lookup, &[&operators, &classes, &oids])
                    .await?
            }
            None => Objects::default(),
        };
        Ok(plain.answer(&known(), objects))
    }

    /// A look-up's plan, made once a session.
    async fn lookup(
        &self,
        cell: &OnceCell<Statement>,
        sql: impl FnOnce() -> String,
    ) -> Result<Statement, Failure> {
        let make = async || self.connection().client.prepare(&sql()).await;
        Ok(cell.get_or_try_init(make).await?.clone())
    }

    /// Makes the probe, where there is one, and looks up, in one round trip of which nothing stays.
    async fn aside<T: DeserializeOwned>(
        &self,
        probe: Option<&str>,
        lookup: &Statement,
        params: &[&str],
    ) -> Result<T, Failure> {
        let client = &self.connection().client;
        let make = async {
            match probe {
                // by the extended protocol, which refuses a text that ends the body and goes on
                Some(probe) => client.execute_typed(probe, &[]).await.map(drop),
                None => Ok(()),
            }
        };
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        let look = client.query_opt(lookup, &params);
        // sent at once, answered in order
        let (open, made, row, back) =
            tokio::join!(biased; self.batch(ASIDE), make, look, self.batch(BACK));
        if open.is_err() && made.is_ok() && probe.is_some() {
            // there was no transaction, so the procedure stayed
            let name = format!("DROP ROUTINE IF EXISTS pg_temp.{}", sql::PROBE);
            self.batch(&name).await?;
        }
        open?;
        made?;
        let text: Option<String> = row?.map(|row| row.try_get(0)).transpose()?;
        back?;
        serde_json::from_str(text.as_deref().unwrap_or("null")).map_err(|error| {
            Failure::Unusable(format!("the catalog's answer is not understood: {error}"))
        })
    }
}

/// The failure, with its place counted in the statement and not in the probe that begins with this.
fn placed(failure: Failure, head: &str) -> Failure {
    match failure {
        Failure::Server(mut refusal) => {
            let before = u32::try_from(head.chars().count()).unwrap_or(u32::MAX);
            refusal.position = refusal
                .position
                .and_then(|at| at.checked_sub(before))
                .filter(|at| *at > 0);
            Failure::Server(refusal)
        }
        failure => failure,
    }
}
