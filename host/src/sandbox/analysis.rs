//! As whom the server analyses a guest's text, before the walls have its answer.
//!
//! To read a literal of somebody's type is to run its checks, and the server reads literals as it analyses: so the run
//! role asks, which has no more than the phase's grants. The login asks only where no such role can be made.

use std::collections::BTreeSet;

use super::actor::no_role;
use super::state::{Answer, State};
use crate::database::role::{Actor, Role};
use crate::database::{Failure, Session};
use crate::guard::resolve::{Resolution, resolved};

/// Where a text stands that is to be analysed.
pub enum Place<'a> {
    /// It is a statement, which runs as the run role.
    Statement,
    /// It is the query in a command, or expressions over tables in these schemas: something else runs it than the
    /// run role, which may have no privilege there.
    Within(BTreeSet<&'a str>),
}

impl State {
    /// Asks the server what a statement touches and sets off.
    pub(super) async fn look_up(&mut self, sql: &str, place: &Place<'_>) -> Answer<Resolution> {
        let within = match place {
            Place::Statement => None,
            Place::Within(schemas) => Some(schemas),
        };
        // for what runs otherwise, what came since is granted only if the server misses it
        if within.is_none() || self.run_role().is_none() {
            self.role_for(within.is_some()).await?;
        }
        let mut answer = self.look_up_as_run(sql).await;
        if let (Some(schemas), Some(Err(failure))) = (within, &answer)
            && failure.is_privilege()
            && let Some(role) = self.role_for(true).await?
        {
            if !schemas.is_empty() {
                self.ask(sql, async |session| session.let_find(&role, schemas).await)
                    .await?;
            }
            answer = self.look_up_as_run(sql).await;
        }
        match answer {
            Some(answer) => answer.map_err(|failure| self.fault_of(sql, true, failure)),
            None => {
                let asking = async |session: &Session| look_up(session, sql, Actor::Host).await;
                self.ask(sql, asking).await
            }
        }
    }

    /// The run role with all that it can be granted, if one can be made. Where it `may_lack` something, it may be that
    /// the login can't grant it.
    async fn role_for(&mut self, may_lack: bool) -> Answer<Option<Role>> {
        match self.make_role().await {
            Err(Failure::Unusable(_)) if may_lack => {}
            made => made.map_err(no_role)?,
        }
        Ok(self.run_role())
    }

    /// What the server tells the run role; none where there is no such role.
    async fn look_up_as_run(&mut self, sql: &str) -> Option<Result<Resolution, Failure>> {
        let role = self.run_role()?;
        let host = self.acting.as_host();
        let asking = look_up(&self.session, sql, Actor::Run(&role));
        Some(self.session.between(&host, asking, "").await)
    }
}

async fn look_up(session: &Session, sql: &str, actor: Actor<'_>) -> Result<Resolution, Failure> {
    let types = session.parameter_types(sql, actor).await?;
    let touched = session.touches(sql, &types, actor).await?;
    let effects = session.effects(&touched.writes()).await?;
    Ok(resolved(&touched, &effects))
}
