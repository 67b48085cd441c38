//! What stands between a guest's statement and the server: the guard's judgement, and what a refusal says.

use std::collections::BTreeSet;
use std::time::Instant;

use super::analysis::Place;
use super::state::{Answer, Fault, State, excerpt};
use super::talk::cut;
use super::wit::types;
use crate::database::{self, Session};
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::grants::{Grant, Need};
use crate::guard::resolve::{Reached, Resolution, resolved};
use crate::guard::statement::{self, Change, ChangeKind, Class, Denial};
use crate::guard::{Guard, Refusal};
use crate::migration::Mode;
use crate::touched::{Touched, Verb, Write};

/// How many queries one look-up resolves: a text of many is stored as one tree.
const MOST_TOGETHER: usize = 100;

/// How many grants a refusal lists.
const MOST_SHOWN: usize = 20;

impl State {
    /// What a statement is, if it may run. Every text of a guest's that the server will run passes here, before
    /// anything of it is run: its text is judged first, then what the server says of it.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) async fn admit(&mut self, sql: &str) -> Answer<Class> {
        let class = self.judge(sql).await?;
        self.name_what_is_open(sql).await?;
        match &class {
            Class::Change(change) => {
                self.guard.forget_resolved();
                self.find_tables(sql).await?;
                self.admit_set_off(sql, change).await?;
                if change.kind == ChangeKind::Truncate {
                    let writes = truncates(change);
                    let asking = async |session: &Session| session.effects(&writes).await;
                    let effects = self.ask(sql, asking).await?;
                    self.hold_resolved(sql, &resolved(&Touched::default(), &effects))?;
                }
                if let Some(query) = &change.query {
                    self.resolve(sql, query, &Place::Within(BTreeSet::new()))
                        .await?;
                }
            }
            _ if self.guard.is_resolved(sql) => {}
            _ => self.resolve(sql, sql, &Place::Statement).await?,
        }
        Ok(class)
    }

    /// Asks the server what a statement, or the query in it, touches and sets off, and holds that against the grants.
    async fn resolve(&mut self, sql: &str, query: &str, place: &Place<'_>) -> Answer<()> {
        let resolution = self.look_up(query, place).await?;
        self.hold_resolved(sql, &resolution)
    }

    pub(super) fn hold_resolved(&mut self, sql: &str, resolution: &Resolution) -> Answer<()> {
        let judged = self.timed(|guard| guard.judge_resolved(sql, resolution))?;
        judged.map_err(|refusal| self.refused(sql, &refusal))
    }

    /// Asks the server whose the indexes and statistics are that a command names, and holds that against the grants.
    async fn find_tables(&mut self, sql: &str) -> Answer<()> {
        let belonging = self.guard.belonging(sql);
        if belonging.is_empty() {
            return Ok(());
        }
        let mut resolution = Resolution::default();
        for need in belonging {
            match self.named(sql, &need).await? {
                Some(grant) => resolution.needs.push(Reached {
                    need: Need::Grant(grant),
                    way: Some(need.to_string()),
                }),
                // what does not exist is the server's to refuse, but it renames a table as an index too
                None if self.is_relation(sql, &need).await? => resolution.denied.push(Denial {
                    what: need.to_string(),
                    why: "what has that name is no index and no statistics object",
                    at: None,
                }),
                None => {}
            }
        }
        self.hold_resolved(sql, &resolution)
    }

    /// While needs are recorded, the catalog says what the text of this statement leaves open, as it is before
    /// the statement changes it.
    async fn name_what_is_open(&mut self, sql: &str) -> Answer<()> {
        let mut named = Vec::new();
        for need in self.guard.open().to_vec() {
            named.extend(self.named(sql, &need).await?.map(Need::Grant));
        }
        self.guard.name(&named);
        Ok(())
    }

    /// What a text leaves open of what it is refused for, the catalog knows: the refusal then names the line.
    async fn name_missing(&mut self, sql: &str, refusal: &mut Refusal) -> Answer<()> {
        for missing in refusal.missing.iter_mut().take(MOST_SHOWN) {
            if missing.line.is_some() {
                continue;
            }
            match self.named(sql, &missing.need).await? {
                Some(grant) => {
                    missing.line = Some(grant.to_string());
                    missing.note = Some(format!("through {}", missing.need));
                    missing.need = Need::Grant(grant);
                }
                None => missing.note = missing.need.unknown(),
            }
        }
        Ok(())
    }

    async fn named(&mut self, sql: &str, need: &Need) -> Answer<Option<Grant>> {
        self.ask(sql, async |session| session.named(need).await)
            .await
    }

    async fn is_relation(&mut self, sql: &str, need: &Need) -> Answer<bool> {
        match need {
            Need::Owner { name, .. } => {
                self.ask(sql, async |session| session.is_relation(name).await)
                    .await
            }
            _ => Ok(false),
        }
    }

    async fn judge(&mut self, sql: &str) -> Answer<Class> {
        self.meter.add_statement().map_err(Fault::limit)?;
        let class = match self.timed(|guard| guard.judge(sql))? {
            Ok(class) => class,
            Err(mut refusal) => {
                self.name_missing(sql, &mut refusal).await?;
                return Err(self.refused(sql, &refusal));
            }
        };
        match &class {
            Class::Change(change)
                if change.outside_transaction && self.mode == Mode::Transactional =>
            {
                let what = format!("failed to run `{}`", excerpt(sql));
                let why = "the server runs it outside a transaction only: it needs stepwise mode \
                    (--mode stepwise, where the manifest's `modes` has it)";
                Err(Fault::unsupported(what, why))
            }
            Class::Change(change)
                if change.outside_transaction
                    && self.stepping.as_ref().is_some_and(|one| one.in_batch) =>
            {
                let what = format!("failed to run `{}`", excerpt(sql));
                let why = "the server runs it outside a transaction only, and a range of `batches` is one: \
                    run it before or behind them";
                Err(Fault::unsupported(what, why))
            }
            _ => Ok(class),
        }
    }

    /// Reads texts at once that are judged one after the other.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) fn read_ahead(&mut self, texts: &[&str]) -> Answer<()> {
        self.timed(|guard| guard.read_ahead(texts))
    }

    /// Whether a statement can be judged and sent before the ones ahead of it are done.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) fn is_told_by_text(&mut self, sql: &str) -> Answer<bool> {
        let told = self.timed(|guard| guard.is_told_by_text(sql))?;
        let ready = told && self.mode == Mode::Transactional && self.acting.knows_owners();
        Ok(ready && self.sets_off_nothing(sql)?)
    }

    /// Whether a check may run this query, which must only select.
    pub(super) async fn admit_check(&mut self, sql: &str) -> Answer<()> {
        match self.admit(sql).await? {
            Class::Query => Ok(()),
            _ => {
                let refusal = Refusal {
                    never: vec!["a check takes a query that only selects".to_owned()],
                    missing: Vec::new(),
                    granted: Vec::new(),
                };
                Err(self.refused(sql, &refusal))
            }
        }
    }

    /// Whether the expressions of queries that are only planned are allowed, each query over one table; and whether
    /// they may run code that is not the server's own.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) async fn admit_expressions(
        &mut self,
        queries: &[(String, (&str, &str))],
    ) -> Answer<bool> {
        let mut runs_code = false;
        let texts: Vec<&str> = queries.iter().map(|(sql, _)| &**sql).collect();
        self.read_ahead(&texts)?;
        for (sql, table) in queries {
            self.meter.add_statement().map_err(Fault::limit)?;
            let judged = self.timed(|guard| guard.judge_expressions(sql, *table))?;
            runs_code |= judged.map_err(|refusal| self.refused(sql, &refusal))?;
        }
        // one look-up for many: the server keeps the select lists of sub-selects that it would never run
        for queries in queries.chunks(MOST_TOGETHER) {
            let list: Vec<_> =
                (queries.iter().map(|(sql, _)| format!("EXISTS ({sql}\n)"))).collect();
            let sql = format!("SELECT {}", list.join(", "));
            let tables = queries.iter().map(|(_, table)| *table).collect();
            let schemas = queries.iter().map(|(_, (schema, _))| *schema).collect();
            let resolution = self.look_up(&sql, &Place::Within(schemas)).await?;
            let judged =
                self.timed(|guard| guard.judge_resolved_expressions(&resolution, &tables))?;
            runs_code |= judged.map_err(|refusal| self.refused(&sql, &refusal))?;
        }
        Ok(runs_code)
    }

    /// Counts the time that the guard takes as the guest's: a text of a megabyte takes seconds to analyse.
    pub(super) fn timed<T>(&mut self, ask: impl FnOnce(&mut Guard) -> T) -> Answer<T> {
        let since = Instant::now();
        let judged = ask(&mut self.guard);
        let charged = self.meter.add_time(since.elapsed());
        charged.map(|()| judged).map_err(Fault::Stop)
    }

    /// Whether the host's own checks may tell the guest what the catalog says.
    #[tracing::instrument(target = "wasmigrate::walls", level = "trace", skip_all)]
    pub(super) fn judge_catalog(&mut self, question: &str) -> Answer<()> {
        self.meter.add_statement().map_err(Fault::limit)?;
        let judged = self.guard.grants(Need::Grant(Grant::catalog()));
        judged.map_err(|refusal| self.refused(question, &refusal))
    }

    /// The server refused the run role what no grant gave it: a function's body or a trigger's, for example.
    pub(super) fn denied_by_server(&mut self, sql: &str, refusal: &database::Refusal) -> Fault {
        let phase = self.phase;
        let statement = excerpt(sql);
        self.found(
            &statement,
            &format!("what {phase} is granted"),
            &refusal.message,
        );
        let what = format!("failed to run `{statement}`: it does more than {phase} is granted");
        let error = Error::new(Code::GrantDenied, what)
            .cause(&refusal.message)
            .server(refusal.report())
            .hint(format!(
                "if it is meant to do this, grant what the server names to `{phase}` in [grants] of its \
                 migration.toml and build it again"
            ));
        Fault::failed(error, types::Error::Denied(refusal.message.clone()))
    }

    /// Records what was refused, with texts that a guest had a part in.
    fn found(&mut self, subject: &str, expected: &str, seen: &str) {
        let clean = |text: &str| cut(text).replace('\0', "\u{fffd}");
        self.findings.push(Finding {
            kind: "grant".into(),
            subject: clean(subject),
            expected: clean(expected),
            seen: clean(seen),
            met: false,
        });
    }

    /// The guest is told; the operator sees the statement, what it needs, what was granted and what to do.
    pub(super) fn refused(&mut self, sql: &str, refusal: &Refusal) -> Fault {
        let phase = self.phase;
        let statement = excerpt(sql);
        let granted = match &refusal.granted[..] {
            [] => "nothing".to_owned(),
            all if all.len() <= MOST_SHOWN => all.join(", "),
            all => format!(
                "{}, and {} more",
                all[..MOST_SHOWN].join(", "),
                all.len() - MOST_SHOWN
            ),
        };
        let expected = format!("granted in {phase}: {granted}");
        self.found(&statement, &expected, &refusal.to_string());
        let answer = types::Error::Denied(refusal.to_string());
        if !refusal.never.is_empty() {
            let what = format!("failed to allow `{statement}`");
            let error = refusal
                .never
                .iter()
                .fold(Error::new(Code::Denied, what), Error::cause);
            return Fault::failed(error.hint("no grant can allow it"), answer);
        }
        let needs: Vec<_> = refusal
            .missing
            .iter()
            .map(|missing| match &missing.note {
                Some(note) => format!("`{}` ({note})", missing.need),
                None => format!("`{}`", missing.need),
            })
            .collect();
        let what = format!(
            "failed to allow `{statement}`: {phase} is not granted {}",
            needs.join(", ")
        );
        let lines: Vec<_> = refusal
            .missing
            .iter()
            .filter_map(|missing| missing.line.as_ref().map(|line| format!("{line:?}")))
            .collect();
        let error =
            Error::new(Code::GrantDenied, what).cause(format!("granted in {phase}: {granted}"));
        let hint = match &lines[..] {
            [] => {
                "grant it in the migration's migration.toml, if it is meant to do this".to_owned()
            }
            lines => format!(
                "if it is meant to do this, add {} to `{phase}` in [grants] of its migration.toml and build it again",
                lines.join(", ")
            ),
        };
        Fault::failed(error.hint(hint), answer)
    }
}

/// The tables that a TRUNCATE names.
fn truncates(change: &Change) -> Vec<Write> {
    let tables = change.touched.iter();
    let write = |touched: &statement::Touched| Write {
        schema: touched.name.schema.as_str().to_owned(),
        table: touched.name.name.as_str().to_owned(),
        verb: Verb::Truncate,
    };
    tables.map(write).collect()
}
