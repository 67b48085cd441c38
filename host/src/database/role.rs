//! The run role: queries and DML of a guest run as a role that may do what was granted, and nothing else.
//!
//! It is made inside the migration's own transaction and dropped before COMMIT. CREATE ROLE, GRANT and
//! DROP ROLE are transactional, so no other session ever sees the role, and however a run ends, by
//! COMMIT, by ROLLBACK, by a lost connection or by a kill, neither it nor an ACL entry is left. A role that
//! were made in a transaction of its own would have to be swept after a crash, and would stand in
//! `pg_roles`, in dumps and in ACLs meanwhile.
//!
//! What that costs others, as tried on 14, 15, 16 and 18: until the transaction ends, nobody waits to read
//! or write rows, to create or drop other objects. On a table with a whole-table grant, VACUUM, ANALYZE
//! and CREATE INDEX of other sessions wait at their end for this transaction, since they write the row of
//! `pg_class` that GRANT has replaced; autovacuum too, which the server cancels where the migration needs
//! its lock. A GRANT on the same table waits and then fails with "tuple concurrently updated", and so does
//! ALTER TABLE before PostgreSQL 17. A grant by columns replaces rows of `pg_attribute` only, which VACUUM,
//! ANALYZE and CREATE INDEX don't touch. We wait likewise, with `lock_timeout`, and both ways of losing
//! count as contention ([`Refusal::is_contention`](super::Refusal::is_contention)).
//!
//! What this wall does not stop: functions are executable by PUBLIC unless revoked, as is TEMP on the
//! database, and what PUBLIC holds on tables the role holds too
//! ([`Session::open_to_public`](super::Session)). `set_config('role', ..)` leaves the role. The walls over
//! the statement keep these out. Triggers run as the role, so what their bodies do must be granted;
//! foreign keys act as the table's owner. A table with row security is an error for it, under the pinned
//! `row_security = off`.
//!
//! Source: PostgreSQL, "Privileges", "Role Membership", "SET ROLE", "DROP OWNED".

mod granted;
mod lookup;
mod owner;
mod script;

use std::collections::BTreeSet;

pub use owner::{Kind, Owner};

use self::lookup::Lookup;
use super::failure::Failure;
use super::locks::Backend;
use super::session::Session;

/// What may be done with the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as its privilege is")]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
}

/// A verb on a table, view, materialized view or foreign table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePrivilege {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What may be done.
    pub verb: Verb,
    /// With which columns; none means all. Only Select, Insert and Update know columns.
    pub columns: Vec<String>,
}

/// A function, aggregate or procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The types of its input arguments, as SQL writes them.
    pub arguments: Vec<String>,
}

/// What a run role may do. USAGE on the schemas of all these comes with it; so does USAGE on a sequence that
/// belongs to a column of a table which may be inserted into, since a `serial` default runs as the role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges {
    /// On tables.
    pub tables: Vec<TablePrivilege>,
    /// USAGE and UPDATE on sequences, to draw and to set values, as schema and name.
    pub sequences: Vec<(String, String)>,
    /// EXECUTE on functions.
    pub routines: Vec<Routine>,
    /// USAGE on types, as schema and name.
    pub types: Vec<(String, String)>,
    /// USAGE on further schemas.
    pub schemas: Vec<String>,
}

/// A run role that exists in the open transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    name: String,
    absent: Vec<String>,
    /// Whether it may hold the procedure in which a statement is analysed.
    pub(super) may_probe: bool,
    /// Whether making that procedure may fire an event trigger.
    pub(super) meets_events: bool,
}

impl Role {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was to be granted on but does not exist, as a reader knows it; perhaps the run makes it, and then
    /// [`Session::extend_role`] grants on it.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }
}

/// What came of the attempt to make a run role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It exists, and is not yet the current role.
    Role(Role),
    /// It can't be made here, for that reason: the run can go on without this wall, with a warning.
    Unavailable(String),
}

/// As whom the statements of a session run.
#[derive(Debug, Clone, Copy)]
pub enum Actor<'a> {
    /// The login.
    Host,
    /// The run role.
    Run(&'a Role),
    /// The owner of an object.
    Owner(&'a Owner),
}

/// The name of a run's role. Roles belong to the whole cluster and run ids to a database, so the id alone
/// could meet another run's; the process id can't. A verification alone has no id.
pub fn name(run: Option<i64>, backend: &Backend) -> String {
    let run = run.map_or("verify".to_owned(), |run| run.to_string());
    format!("wasmigrate_run_{run}_{}", backend.pid)
}

impl Session {
    /// Makes the run role, after BEGIN and the pinned settings and before anything of a guest: one query
    /// for what exists and whose it is, and one batch. A transaction that is to be read-only begins
    /// READ WRITE and is made so afterwards by [`Session::go_read_only`].
    ///
    /// # Errors
    /// [`Failure::Unusable`] where the login can't grant what is asked for, with who owns it.
    pub async fn enter_role(
        &self,
        privileges: &Privileges,
        name: &str,
    ) -> Result<Entered, Failure> {
        let lookup = self.look_up(privileges).await?;
        if let Some(why) = lookup.obstacle() {
            return Ok(Entered::Unavailable(why));
        }
        let grants = script::grants(privileges, &lookup, name).map_err(Failure::Unusable)?;
        let create = script::create(name, &lookup, self.server());
        self.batch(&format!("{create}{grants}")).await?;
        Ok(Entered::Role(Role {
            name: name.to_owned(),
            absent: lookup.absent(privileges),
            may_probe: lookup.may_probe(),
            meets_events: lookup.events,
        }))
    }

    /// Grants what could not be granted before: call it as the host after DDL that made one of
    /// [`Role::absent`], or that gave a table columns which a grant without columns covers already.
    pub async fn extend_role(
        &self,
        role: &mut Role,
        privileges: &Privileges,
    ) -> Result<(), Failure> {
        let lookup = self.look_up(privileges).await?;
        let grants = script::grants(privileges, &lookup, &role.name).map_err(Failure::Unusable)?;
        if !grants.is_empty() {
            self.batch(&grants).await?;
        }
        role.absent = lookup.absent(privileges);
        Ok(())
    }

    /// Lets the role find what is in these schemas: call it as the host.
    pub async fn let_find(&self, role: &Role, schemas: &BTreeSet<&str>) -> Result<(), Failure> {
        let schemas: Vec<_> = schemas.iter().map(|schema| super::quoted(schema)).collect();
        let (schemas, role) = (schemas.join(", "), super::quoted(&role.name));
        self.batch(&format!("GRANT USAGE ON SCHEMA {schemas} TO {role}"))
            .await
    }

    /// Makes the open transaction read-only, for good: without the query that follows, the first statement
    /// could make it READ WRITE again. Source: PostgreSQL, "SET TRANSACTION".
    pub async fn go_read_only(&self) -> Result<(), Failure> {
        self.batch("SET TRANSACTION READ ONLY; SELECT 1").await
    }

    /// Lets what follows run as somebody, until the transaction ends or a savepoint is rolled back to that
    /// was made before. To be sent together with the statement, by polling both.
    ///
    /// A guest's statement is prepared, declared as a cursor and *fetched* under the run role: literals of a
    /// user's type are read when it is parsed, privileges are checked when it is declared, but a function
    /// in its target list runs as whoever is current at the FETCH (tried on 15 and 16).
    pub async fn act_as(&self, actor: Actor<'_>) -> Result<(), Failure> {
        self.batch(&actor.sql()).await
    }

    /// Runs what is deferred and closes all cursors, under the run role: at COMMIT it would be done as the
    /// login.
    pub async fn settle_role(&self, role: &Role) -> Result<(), Failure> {
        let set = Actor::Run(role).sql();
        self.batch(&format!("{set}; SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL"))
            .await
    }

    /// Drops the run role with all that was granted to it. May be sent together with
    /// [`Session::settle_role`]: the server does nothing once a statement of the transaction failed.
    pub async fn drop_role(&self, role: &Role) -> Result<(), Failure> {
        self.batch(&script::drop(&role.name)).await
    }

    /// Asks what is asked to make a role, for the sake of asking.
    pub(super) async fn ask_ahead(&self, privileges: &Privileges) {
        drop(self.look_up(privileges).await);
    }

    async fn look_up(&self, privileges: &Privileges) -> Result<Lookup, Failure> {
        let asked = lookup::question(privileges).map_err(Failure::Unusable)?;
        let lookup = self.json(&lookup::sql(privileges), &[&asked]).await?;
        lookup.ok_or_else(|| Failure::Unusable("the server told nothing of its catalog".into()))
    }

    /// The relations outside the system's schemas on which PUBLIC holds a privilege: what it may do, every
    /// run role may do.
    pub async fn open_to_public(&self) -> Result<Vec<String>, Failure> {
        let sql = "SELECT json_agg(DISTINCT pg_catalog.format('%I.%I', n.nspname, c.relname))::text \
            FROM (SELECT oid, relacl FROM pg_catalog.pg_class UNION ALL \
                SELECT attrelid, attacl FROM pg_catalog.pg_attribute WHERE attacl IS NOT NULL) h (oid, acl) \
              JOIN pg_catalog.pg_class c ON c.oid = h.oid \
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.aclexplode(h.acl) x \
            WHERE x.grantee = 0 AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";
        Ok(self.json(sql, &[]).await?.unwrap_or_default())
    }
}

impl Actor<'_> {
    /// The statement that makes it the current role.
    pub fn sql(&self) -> String {
        let name = match self {
            Actor::Host => return "SET LOCAL ROLE NONE".to_owned(),
            Actor::Run(role) => &role.name,
            Actor::Owner(owner) => &owner.owner,
        };
        format!("SET LOCAL ROLE {}", super::quoted(name))
    }
}

impl Privileges {
    /// The tables, each once and in order.
    fn all_tables(&self) -> Vec<(&str, &str)> {
        let tables = self.tables.iter();
        let tables: BTreeSet<_> = tables.map(|table| (&*table.schema, &*table.name)).collect();
        tables.into_iter().collect()
    }

    /// The schemas of all that is named.
    fn all_schemas(&self) -> BTreeSet<&str> {
        let pairs = self.sequences.iter().chain(&self.types);
        let tables = self.tables.iter().map(|table| table.schema.as_str());
        let routines = self.routines.iter().map(|routine| routine.schema.as_str());
        tables
            .chain(routines)
            .chain(pairs.map(|(schema, _)| schema.as_str()))
            .chain(self.schemas.iter().map(String::as_str))
            .collect()
    }
}
