//! What commands on objects set off: asked of the server before they run, and held against the grants.

use std::collections::BTreeSet;

use super::owners::Owners;
use super::state::{Answer, State};
use crate::database::Session;
use crate::database::role;
use crate::guard::commands::{fires, has_events};
use crate::guard::grants::name::Name;
use crate::guard::resolve::{Resolution, commanded};
use crate::guard::statement::{Change, ChangeKind, Role};
use crate::touched::{Effects, EventTrigger, Surroundings, Touched, Verb, Work, Write};

impl State {
    /// Whether a command may run with all that it sets off.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) async fn admit_set_off(&mut self, sql: &str, change: &Change) -> Answer<()> {
        let work = self.timed(|guard| guard.work(sql))?;
        if work == Work::default() && !has_events(change.kind) {
            return Ok(());
        }
        let surroundings = self.look_around(sql, &work).await?;
        self.admit_heirs(sql, change, &surroundings).await?;
        let fired: Vec<&EventTrigger> = surroundings
            .triggers
            .iter()
            .filter(|trigger| fires(change, trigger))
            .collect();
        let mut effects = Effects::default();
        if !surroundings.is_quiet(&work) {
            let asking = async |session: &Session| session.set_off(&work).await;
            effects = self.ask(sql, asking).await?;
        }
        let query = match change.kind {
            ChangeKind::Refresh => self.query_anew(sql, &work).await?,
            _ => None,
        };
        let resolution = commanded(&effects, &fired, query);
        if self.timed(|guard| guard.unsettles(sql))? {
            self.acting.surroundings = None;
        } else {
            self.acting.surroundings = Some(surroundings);
        }
        if resolution == Resolution::default() {
            return Ok(());
        }
        self.hold_resolved(sql, &resolution)
    }

    /// Whether a change of a table may be one of those that inherit from it too, and its drop one of its partitions.
    async fn admit_heirs(
        &mut self,
        sql: &str,
        change: &Change,
        surroundings: &Surroundings,
    ) -> Answer<()> {
        let role = match change.kind {
            ChangeKind::AlterTable | ChangeKind::Rename => Role::Altered,
            ChangeKind::Drop if self.timed(|guard| guard.drops_tables(sql))? => Role::Dropped,
            _ => return Ok(()),
        };
        for touched in change.touched.iter().filter(|one| one.role == role) {
            let (schema, table) = (touched.name.schema.as_str(), touched.name.name.as_str());
            if (surroundings.quiet).contains(&(schema.to_owned(), table.to_owned())) {
                continue;
            }
            let asking = async |session: &Session| session.heirs(schema, table).await;
            let heirs = self.ask(sql, asking).await?;
            let resolution = self.timed(|guard| guard.inherited(sql, &touched.name, &heirs))?;
            self.hold_resolved(sql, &resolution)?;
        }
        Ok(())
    }

    /// Whether it is known without asking that a command sets off nothing.
    pub(super) fn sets_off_nothing(&mut self, sql: &str) -> Answer<bool> {
        let work = self.timed(|guard| guard.work(sql))?;
        let known = self.acting.surroundings.as_ref();
        Ok(known.is_some_and(|known| known.triggers.is_empty() && known.is_quiet(&work)))
    }

    /// What a materialized view's query touches, which a refresh runs.
    async fn query_anew(&mut self, sql: &str, work: &Work) -> Answer<Option<Touched>> {
        let Some(view) = work.tables.first() else {
            return Ok(None);
        };
        let (schema, name) = (&view.schema, &view.table);
        let asking = async |session: &Session| session.touched_by_view(schema, name).await;
        self.ask(sql, asking).await
    }

    /// What commands find: asked at the first of a transaction, together with who owns what, and again for a table
    /// that is not known to be quiet.
    async fn look_around(&mut self, sql: &str, work: &Work) -> Answer<Surroundings> {
        let objects = self.acting.concerned();
        let known = self.acting.surroundings.take();
        let mut unknown: BTreeSet<(String, String)> = (work.tables.iter())
            .map(|write| (write.schema.clone(), write.table.clone()))
            .collect();
        match known {
            Some(known) if known.is_quiet(work) => return Ok(known),
            Some(known) => unknown.extend(known.quiet),
            None => {
                let relations = objects
                    .iter()
                    .filter(|(kind, _)| *kind == role::Kind::Relation);
                let name = |(_, name): &(_, Name)| {
                    (
                        name.schema.as_str().to_owned(),
                        name.name.as_str().to_owned(),
                    )
                };
                unknown.extend(relations.map(name));
            }
        }
        let tables: Vec<Write> = unknown
            .into_iter()
            .map(|(schema, table)| Write {
                schema,
                table,
                verb: Verb::Define,
            })
            .collect();
        let asked: Vec<_> = (objects.iter())
            .filter(|_| !self.acting.knows_owners())
            .map(|(kind, name)| (*kind, name.schema.as_str(), name.name.as_str()))
            .collect();
        let asking = async |session: &Session| {
            let (owners, surroundings) =
                tokio::join!(biased; session.owners(&asked), session.surroundings(&tables));
            Ok((owners?, surroundings?))
        };
        let (owners, surroundings) = self.ask(sql, asking).await?;
        if !self.acting.knows_owners() {
            self.acting.owned(Owners::new(objects, owners));
        }
        Ok(surroundings)
    }
}
