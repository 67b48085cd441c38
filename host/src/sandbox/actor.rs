//! As whom the guest's statements run, and what is put right behind them.
//!
//! Queries and changes of rows run as the run role, which is made at the first of them; commands on objects
//! as the owner; the host's own questions as the login. What switches is sent ahead of the statement and what
//! pins behind it, in one piece, so that neither costs a round trip.

use std::collections::BTreeSet;

use super::limits::Stop;
use super::outside::set_role;
use super::owners::{Owners, concerned, one_owner, outdates};
use super::state::{Answer, Fault, State};
use crate::database::role::{self, Actor, Entered, Owner, Privileges, Role};
use crate::database::{Failure, Session};
use crate::error::{Code, Error};
use crate::guard::Held;
use crate::guard::grants::name::Name;
use crate::guard::grants::{Action, Grant, Grants, Kind, Subject};
use crate::guard::statement::{Change, ChangeKind, Class};
use crate::migration::Phase;
use crate::touched::Surroundings;

/// Makes the transaction read-only for what follows. Until a first query has run, a statement could make it
/// READ WRITE again.
const READ_ONLY: &str = "SAVEPOINT wasmigrate_check; SET TRANSACTION READ ONLY; SELECT 1";
/// Makes it as it was. A cursor stays where a FETCH has left it.
pub(super) const READ_WRITE: &str = "ROLLBACK TO wasmigrate_check; RELEASE wasmigrate_check";

/// What is asked, where a message names it.
const OWNERS: &str = "the look-up of owners";

/// As whom the statements of one phase run.
pub struct Acting {
    grants: Grants,
    privileges: Privileges,
    name: String,
    pins: String,
    role: Made,
    current: Current,
    /// Whether the last statement was sent as the run role.
    confined: bool,
    owners: Option<Owners>,
    /// What commands find; none where that is not known, or no longer.
    pub(super) surroundings: Option<Surroundings>,
    /// Whether the phase may add or rename columns.
    adds_columns: bool,
    /// Whether what is needed is still to be found out.
    records: bool,
    /// Whether definitions have changed since privileges were granted.
    outdated: bool,
    /// Whether a statement may run code that a grant allows: it can change settings, and the catalog.
    runs_code: bool,
    /// Whether the catalog may have changed.
    changed: bool,
}

enum Made {
    NotYet,
    Role(Role),
    Unavailable,
}

#[derive(PartialEq)]
enum Current {
    Host,
    Run,
    Owner(Owner),
}

/// What a run leaves to be put right before its transaction commits.
#[derive(Debug, Default)]
pub struct Left {
    /// The run role, if one was made.
    pub role: Option<Role>,
    /// Whether the catalog must be compared.
    pub changed: bool,
    /// Whether code may have run that a grant allows.
    pub ran_code: bool,
}

impl Acting {
    pub(super) fn new(held: &Held, name: String, pins: String) -> Self {
        // what is needed is still to be found out: no role could be given it, and any code may run
        let (grants, role, records) = match held {
            Held::Grants(grants) => (grants.clone(), Made::NotYet, false),
            Held::Recording => (Grants::default(), Made::Unavailable, true),
        };
        let code = |kind| matches!(kind, Kind::Call | Kind::Fires | Kind::CodeTrigger);
        let runs_code = records || grants.iter().any(|grant| code(grant.kind));
        let names_columns = |grant: &Grant| match &grant.subject {
            Subject::Actions(_, actions) => {
                actions.contains(&Action::AddColumn) || actions.contains(&Action::Rename)
            }
            _ => false,
        };
        let adds_columns = grants.iter().any(names_columns);
        Acting {
            privileges: Privileges::granted(&grants),
            runs_code,
            grants,
            name,
            pins,
            role,
            current: Current::Host,
            confined: false,
            owners: None,
            surroundings: None,
            adds_columns,
            records,
            outdated: false,
            changed: false,
        }
    }

    /// What the transaction leaves.
    pub(super) fn end(&mut self) -> Left {
        let made = std::mem::replace(&mut self.role, Made::Unavailable);
        Left {
            role: match made {
                Made::Role(role) => Some(role),
                Made::NotYet | Made::Unavailable => None,
            },
            changed: self.changed,
            ran_code: self.runs_code,
        }
    }

    /// A new transaction begins: there is no run role in it, and what was known of objects may be over.
    pub(super) fn begin(&mut self) {
        self.role = match self.records {
            true => Made::Unavailable,
            false => Made::NotYet,
        };
        self.current = Current::Host;
        self.owners = None;
        self.surroundings = None;
        self.outdated = false;
        self.changed = false;
    }

    /// Notes who owns what.
    pub(super) fn owned(&mut self, owners: Owners) {
        self.owners = Some(owners);
    }

    /// The objects that the phase's commands may work on.
    pub(super) fn concerned(&self) -> Vec<(role::Kind, Name)> {
        concerned(&self.grants)
    }

    /// Whether a command can be sent as its owner without asking who that is.
    pub(super) fn knows_owners(&self) -> bool {
        self.owners.is_some()
    }

    /// Whether the server judges the statements that run now by the phase's grants.
    pub(super) fn is_confined(&self) -> bool {
        self.confined
    }

    /// What makes somebody the current role, if it is another.
    fn switch(&mut self, to: Current) -> String {
        self.confined = to == Current::Run;
        if self.current == to {
            return String::new();
        }
        self.current = to;
        self.current_sql()
    }

    /// What the next statement needs ahead to run as the login.
    pub(super) fn as_host(&mut self) -> String {
        self.switch(Current::Host)
    }

    /// What the next statement needs ahead to run as an owner; without one, as the login.
    pub(super) fn as_owner(&mut self, owner: Option<Owner>) -> String {
        match owner {
            Some(owner) => self.switch(Current::Owner(owner)),
            None => self.as_host(),
        }
    }

    fn current_sql(&self) -> String {
        match (&self.current, &self.role) {
            (Current::Owner(owner), _) => Actor::Owner(owner).sql(),
            (Current::Run, Made::Role(role)) => Actor::Run(role).sql(),
            _ => Actor::Host.sql(),
        }
    }

    /// What follows a statement: the settings and the current role are pinned again where its code, or that of an
    /// event trigger, may have changed them. Code that no grant names, the walls before keep from running.
    pub(super) fn behind(&mut self, class: &Class) -> String {
        let is_change = matches!(class, Class::Change(_));
        if let Class::Change(change) = class {
            // what may be read as a whole may be read with new columns too
            let keeps_names = KEEPS_NAMES.contains(&change.kind)
                || change.kind == ChangeKind::AlterTable && !self.adds_columns;
            self.outdated |= !keeps_names;
            if outdates(change) {
                self.owners = None;
            }
        }
        self.changed |= is_change || self.runs_code;
        match is_change || self.runs_code {
            true => format!("{}; {}", self.pins, self.current_sql()),
            false => String::new(),
        }
    }
}

/// Commands after which the privileges of the run role are as good as before.
const KEEPS_NAMES: &[ChangeKind] = &[
    ChangeKind::AlterIndex,
    ChangeKind::AlterStatistics,
    ChangeKind::Analyze,
    ChangeKind::Comment,
    ChangeKind::CreateIndex,
    ChangeKind::CreateStatistics,
    ChangeKind::Drop,
    ChangeKind::DropExtension,
    ChangeKind::Lock,
    ChangeKind::Refresh,
    ChangeKind::Reindex,
    ChangeKind::Truncate,
    ChangeKind::Vacuum,
];

impl State {
    /// What a statement needs ahead to run as whom it must.
    pub(super) async fn ahead(&mut self, class: &Class) -> Answer<String> {
        match class {
            Class::Change(change) if change.kind != ChangeKind::Truncate => {
                self.as_owner_of(change).await
            }
            _ => self.as_run().await,
        }
    }

    /// What the next statement needs ahead to run as the run role, which is made at the first call. Where
    /// none can be made, the login it is.
    pub(super) async fn as_run(&mut self) -> Answer<String> {
        self.make_role().await.map_err(no_role)?;
        Ok(match self.acting.role {
            Made::Role(_) => self.acting.switch(Current::Run),
            Made::NotYet | Made::Unavailable => self.acting.as_host(),
        })
    }

    /// Makes the run role, or grants it what could not be granted before.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) async fn make_role(&mut self) -> Result<(), Failure> {
        if let Made::NotYet = self.acting.role {
            let host = self.acting.as_host();
            let (privileges, name) = (&self.acting.privileges, &self.acting.name);
            let entering = self.session.enter_role(privileges, name);
            let entered = self.session.between(&host, entering, "").await;
            self.acting.role = match entered? {
                Entered::Role(role) => Made::Role(role),
                Entered::Unavailable(why) => {
                    self.events.unconfined(&why);
                    Made::Unavailable
                }
            };
            self.acting.outdated = false;
        }
        if self.acting.outdated {
            let host = self.acting.as_host();
            if let Made::Role(role) = &mut self.acting.role {
                let extending = self.session.extend_role(role, &self.acting.privileges);
                self.session.between(&host, extending, "").await?;
            }
            self.acting.outdated = false;
        }
        Ok(())
    }

    /// The run role, if there is one.
    pub(super) fn run_role(&self) -> Option<Role> {
        match &self.acting.role {
            Made::Role(role) => Some(role.clone()),
            Made::NotYet | Made::Unavailable => None,
        }
    }

    /// Asks the server a question of the host's own, as the login.
    pub(super) async fn ask<T>(
        &mut self,
        what: &str,
        question: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Answer<T> {
        let host = self.acting.as_host();
        let asking = question(&self.session);
        let answer = self.session.between(&host, asking, "").await;
        answer.map_err(|failure| self.fault(what, failure))
    }

    /// What makes the owner of a command's objects the current role outside of transactions.
    pub(super) async fn session_owner(&mut self, change: &Change) -> Answer<String> {
        self.look_up_owners().await?;
        let owners = self.acting.owners.as_ref();
        let owner = owners.and_then(|owners| owners.actor(change));
        Ok(set_role(owner.map(|owner| owner.owner.as_str())))
    }

    async fn as_owner_of(&mut self, change: &Change) -> Answer<String> {
        self.look_up_owners().await?;
        let owners = self.acting.owners.as_ref();
        let owner = owners.and_then(|owners| owners.actor(change)).cloned();
        Ok(self.acting.as_owner(owner))
    }

    /// What is needed ahead to plan a guest's expressions over tables, as [`State::as_reader`] for a query. Where they
    /// may run somebody's code, it is as the tables' owner: whoever makes an index of them runs it so too.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) async fn as_planner(
        &mut self,
        tables: &BTreeSet<(&str, &str)>,
        runs_code: bool,
    ) -> Answer<String> {
        if !runs_code {
            return Ok(joined(self.acting.as_host(), READ_ONLY));
        }
        let asked: Vec<_> = tables
            .iter()
            .map(|(schema, table)| (role::Kind::Relation, *schema, *table))
            .collect();
        let found = self
            .ask(OWNERS, async |session| session.owners(&asked).await)
            .await?;
        Ok(joined(self.acting.as_owner(one_owner(found)), READ_ONLY))
    }

    /// All at once, at the first command of a transaction and after one that made, dropped or renamed.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    async fn look_up_owners(&mut self) -> Answer<()> {
        if self.acting.owners.is_some() {
            return Ok(());
        }
        let objects = concerned(&self.acting.grants);
        let asked: Vec<_> = objects
            .iter()
            .map(|(kind, name)| (*kind, name.schema.as_str(), name.name.as_str()))
            .collect();
        let mut found = Vec::new();
        if !asked.is_empty() {
            found = self
                .ask(OWNERS, async |session| session.owners(&asked).await)
                .await?;
        }
        self.acting.owners = Some(Owners::new(objects, found));
        Ok(())
    }

    /// What a check needs ahead that holds the guest's SQL: it runs as the run role and only reads, until
    /// [`READ_WRITE`].
    pub(super) async fn as_reader(&mut self) -> Answer<String> {
        Ok(joined(self.as_run().await?, READ_ONLY))
    }

    /// Pins the settings after a statement that was several requests, where its code may have changed them.
    pub(super) async fn pin_behind(&mut self, sql: &str, class: &Class) -> Answer<()> {
        let behind = self.acting.behind(class);
        if behind.is_empty() {
            return Ok(());
        }
        let pinned = self.session.batch(&behind).await;
        pinned.map_err(|failure| self.fault(sql, failure))
    }

    /// What reading rows needs ahead, and behind: in `verify` each piece of a query only reads.
    pub(super) async fn around_rows(&mut self) -> Answer<(String, String)> {
        if self.phase == Phase::Verify {
            return Ok((self.as_reader().await?, READ_WRITE.to_owned()));
        }
        let ahead = self.as_run().await?;
        Ok((ahead, self.acting.behind(&Class::Query)))
    }
}

/// The statements of both, those of `first` first.
fn joined(first: String, then: &str) -> String {
    match first.is_empty() {
        true => then.to_owned(),
        false => format!("{first}; {then}"),
    }
}

/// The run role could not be made: no doing of the guest's.
pub(super) fn no_role(failure: Failure) -> Fault {
    let what = "failed to make the run's role";
    Fault::Stop(match failure {
        Failure::Server(refusal) if refusal.is_contention() => Stop::Contention(
            Error::new(Code::ContentionGivenUp, what)
                .cause(&refusal.message)
                .server(refusal.report()),
        ),
        failure => Stop::Failed(failure.error(Code::DatabasePrivilege, what).hint(
            "the login must own the tables that the manifest grants, or be a member of their owners",
        )),
    })
}
