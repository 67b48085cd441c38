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
use super::role::Actor;
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

/// The look-up itself is the host's.
const AS_LOGIN: &str = "SET LOCAL ROLE NONE";

/// How many arguments a procedure has at most. Source: PostgreSQL, `FUNC_MAX_ARGS`.
const MOST_ARGUMENTS: usize = 100;

/// The look-ups that nearly every statement needs: of a probe, of names, of effects.
pub(super) fn first_questions() -> [String; 3] {
    [
        sql::short::probe(),
        sql::short::names(),
        sql::short::effects(),
    ]
}

impl Session {
    /// Makes the session's temporary schema, in a transaction of its own where none is open: made in one of a
    /// migration's, its commit would cost every plan of the session. Run it while there is something else to wait for.
    pub async fn open_temporary(&self) -> Result<(), Failure> {
        let open = async || self.batch(OPEN_TEMPORARY).await;
        self.lookups().opened.get_or_try_init(open).await.copied()
    }

    /// The types of a statement's parameters, as SQL writes them. The server parses the statement, and refuses
    /// two in one text; it does not run it, but for what checks the literals of somebody's types, which so runs as the
    /// actor. It needs an open transaction in which the login is the current role, which is then as before. A text
    /// without a `$` has no parameter, and the server is not asked.
    pub async fn parameter_types(
        &self,
        sql: &str,
        actor: Actor<'_>,
    ) -> Result<Vec<String>, Failure> {
        if !sql.contains('$') {
            return Ok(Vec::new());
        }
        let statement = self.parse(sql, actor).await?;
        let name = |r#type: &tokio_postgres::types::Type| qualified(r#type.schema(), r#type.name());
        Ok(statement.params().iter().map(name).collect())
    }

    async fn parse(&self, sql: &str, actor: Actor<'_>) -> Result<Statement, Failure> {
        let client = &self.connection().client;
        let ahead = format!("{ASIDE}; {}", actor.sql());
        let (open, statement, back) =
            tokio::join!(biased; self.batch(&ahead), client.prepare(sql), self.batch(BACK));
        let statement = statement?;
        open?;
        back?;
        Ok(statement)
    }

    /// What a query or a statement that changes rows touches, with parameters of these types (see
    /// [`Session::parameter_types`]). Nothing is run, but for what checks literals.
    ///
    /// It needs an open read-write transaction in which the login is the current role, the pinned
    /// `search_path = pg_catalog, pg_temp`, and the privilege TEMPORARY on the database. Whatever the outcome, the
    /// transaction is as before.
    pub async fn touches(
        &self,
        sql: &str,
        types: &[String],
        actor: Actor<'_>,
    ) -> Result<Touched, Failure> {
        if let Actor::Run(role) = actor {
            if role.may_probe {
                match self.touches_as(sql, types, actor).await {
                    Err(failure) if role.meets_events && failure.is_privilege() => {}
                    done => return done,
                }
            }
            // what its literals run, the role has run, and was allowed to, before the login does
            self.parse(sql, actor).await?;
            return self.touches_as(sql, types, Actor::Host).await;
        }
        self.touches_as(sql, types, actor).await
    }

    async fn touches_as(
        &self,
        sql: &str,
        types: &[String],
        actor: Actor<'_>,
    ) -> Result<Touched, Failure> {
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
        let probe = Some((probe.as_str(), actor));
        let seen = self.aside(probe, &lookup, &[]).await;
        let seen: Probe = seen.map_err(|failure| placed(failure, &head))?;
        if let Some(plain) = seen.plain()
            && let Some(answer) = self.answer(plain).await?
        {
            return answer.read();
        }
        let lookup = self.lookup(&self.lookups().touched, sql::touched).await?;
        let found: answer::Answer = self.aside(probe, &lookup, &[None]).await?;
        found.read()
    }

    /// What the query of a materialized view touches, as the server has stored it; none where there is no such view.
    pub async fn touched_by_view(
        &self,
        schema: &str,
        name: &str,
    ) -> Result<Option<Touched>, Failure> {
        let lookup = self.lookup(&self.lookups().touched, sql::touched).await?;
        let view = qualified(schema, name);
        let found: answer::Answer = self.aside(None, &lookup, &[Some(&view)]).await?;
        match found.trees {
            Some(_) => found.read().map(Some),
            None => Ok(None),
        }
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
        let names = async {
            let Some([functions, types]) = unknown else {
                return Ok(None);
            };
            let lookup = self
                .lookup(&self.lookups().names, sql::short::names)
                .await?;
            let params = [Some(&*functions), Some(&*types)];
            self.aside(None, &lookup, &params).await.map(Some)
        };
        let objects = async {
            let Some([operators, classes, oids]) = plain.objects() else {
                return Ok(Objects::default());
            };
            let lookup = self
                .lookup(&self.lookups().objects, sql::short::objects)
                .await?;
            let params = [Some(&*operators), Some(&*classes), Some(&*oids)];
            self.aside(None, &lookup, &params).await
        };
        // sent at once, answered in order
        let (names, objects) = tokio::join!(biased; names, objects);
        if let Some(more) = names? {
            known().add(more);
        }
        Ok(plain.answer(&known(), objects?))
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
        probe: Option<(&str, Actor<'_>)>,
        lookup: &Statement,
        params: &[Option<&str>],
    ) -> Result<T, Failure> {
        let client = &self.connection().client;
        let (ahead, behind) = match probe {
            None | Some((_, Actor::Host)) => (ASIDE.to_owned(), ""),
            Some((_, actor)) => (format!("{ASIDE}; {}", actor.sql()), AS_LOGIN),
        };
        let make = async {
            let Some((probe, _)) = probe else {
                return Ok(());
            };
            // by the extended protocol, which refuses a text that ends the body and goes on
            let making = async { Ok(client.execute_typed(probe, &[]).await.map(drop)?) };
            self.between("", making, behind).await
        };
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        let look = client.query_opt(lookup, &params);
        // sent at once, answered in order
        let (open, made, row, back) =
            tokio::join!(biased; self.batch(&ahead), make, look, self.batch(BACK));
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
