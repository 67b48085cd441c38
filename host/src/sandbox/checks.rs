//! The interface `checks`: questions that return what is there, and requirements that record a finding.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::actor::READ_WRITE;
use super::state::{Answer, Fault, State, excerpt, values};
use super::steps::Call;
use super::talk::cut;
use super::wit::{checks, types};
use crate::database::{
    ExtensionInfo, Failure, ForeignKeySpec, IndexSpec, IndexUse, Session, label,
};
use crate::error::{Code, Error};
use crate::finding::Finding;

type Called<T> = wasmtime::Result<Result<T, types::Error>>;

impl checks::Host for State {
    async fn table_exists(&mut self, table: types::Relation) -> Called<bool> {
        self.asked(
            "the check of a table",
            &("table", &table.schema, &table.name),
            async |session| session.table_exists(&table.schema, &table.name).await,
        )
        .await
    }

    async fn column(
        &mut self,
        table: types::Relation,
        name: String,
    ) -> Called<Option<checks::ColumnInfo>> {
        let found = self
            .asked(
                "the check of a column",
                &(&table.schema, &table.name, &name),
                async |session| session.column(&table.schema, &table.name, &name).await,
            )
            .await?;
        Ok(found.map(|column| {
            column.map(|column| checks::ColumnInfo {
                type_name: column.type_name,
                nullable: column.nullable,
                default: column.default,
            })
        }))
    }

    async fn index(&mut self, name: types::Relation) -> Called<Option<checks::IndexInfo>> {
        let found = self
            .asked(
                "the check of an index",
                &(&name.schema, &name.name),
                async |session| session.index(&name.schema, &name.name).await,
            )
            .await?;
        Ok(found.map(|index| {
            index.map(|index| checks::IndexInfo {
                table: types::Relation {
                    schema: index.table_schema,
                    name: index.table_name,
                },
                definition: index.definition,
                valid: index.valid,
            })
        }))
    }

    async fn constraint(
        &mut self,
        table: types::Relation,
        name: String,
    ) -> Called<Option<checks::ConstraintInfo>> {
        let found = self
            .asked(
                "the check of a constraint",
                &(&table.schema, &table.name, &name),
                async |session| session.constraint(&table.schema, &table.name, &name).await,
            )
            .await?;
        Ok(found.map(|constraint| {
            constraint.map(|constraint| checks::ConstraintInfo {
                definition: constraint.definition,
                validated: constraint.validated,
            })
        }))
    }

    async fn extension(&mut self, name: String) -> Called<Option<checks::ExtensionInfo>> {
        let found = self
            .asked(
                "the check of an extension",
                &("installed", &name),
                async |session| session.extension(&name).await,
            )
            .await?;
        Ok(found.map(|extension| extension.map(checks::ExtensionInfo::from)))
    }

    async fn available_extension(&mut self, name: String) -> Called<Option<String>> {
        self.asked(
            "the check of an extension",
            &("available", &name),
            async |session| session.available_extension(&name).await,
        )
        .await
    }

    async fn index_standings(
        &mut self,
        specs: Vec<checks::IndexSpec>,
    ) -> Called<Vec<checks::Standing>> {
        let specs: Vec<_> = specs.into_iter().map(IndexSpec::from).collect();
        let answer = self.indexes_looked_at(&specs).await;
        self.answer(answer.map(|all| all.into_iter().map(checks::Standing::from).collect()))
    }

    async fn foreign_key_standing(
        &mut self,
        spec: checks::ForeignKeySpec,
    ) -> Called<checks::Standing> {
        let answer = self.foreign_key_looked_at(&spec.into()).await;
        self.answer(answer.map(checks::Standing::from))
    }

    async fn require_no_rows(
        &mut self,
        what: String,
        sql: String,
        params: Vec<types::Value>,
    ) -> Called<()> {
        let answer = self.no_rows(what, &sql, params).await;
        self.answer(answer)
    }

    async fn require_indexes(&mut self, specs: Vec<checks::IndexSpec>) -> Called<()> {
        let specs: Vec<_> = specs.into_iter().map(IndexSpec::from).collect();
        let answer = self.indexes_required(&specs).await;
        self.answer(answer)
    }

    async fn require_foreign_key(&mut self, spec: checks::ForeignKeySpec) -> Called<()> {
        let spec = ForeignKeySpec::from(spec);
        let answer = self.foreign_key_required(&spec).await;
        self.answer(answer)
    }

    async fn require_extension(&mut self, name: String) -> Called<checks::ExtensionInfo> {
        let answer = self.extension_required(name).await;
        self.answer(answer)
    }

    async fn require_plan_uses(
        &mut self,
        sql: String,
        params: Vec<types::Value>,
        index: types::Relation,
    ) -> Called<()> {
        let answer = self.plan_uses(&sql, params, &index).await;
        self.answer(answer)
    }

    async fn require_latency(
        &mut self,
        what: String,
        sql: String,
        params: Vec<types::Value>,
        limit_ms: u32,
    ) -> Called<()> {
        let answer = self.latency(what, &sql, params, limit_ms).await;
        self.answer(answer)
    }
}

impl State {
    async fn extension_required(&mut self, name: String) -> Answer<checks::ExtensionInfo> {
        let question = "the check of an extension";
        self.ready_to_ask(question)?;
        let call = Call::asking("require-extension", question, &name);
        let found = match self.begin_step::<Option<ExtensionInfo>>(call).await? {
            Some(found) => found,
            None => {
                let asking = async |session: &Session| session.extension(&name).await;
                let found = self.ask(question, asking).await?;
                self.installed(name, &found)?;
                self.end_step(&found, false).await?;
                found
            }
        };
        // what is not installed has failed the run
        found
            .map(checks::ExtensionInfo::from)
            .ok_or(Fault::Poisoned)
    }

    fn installed(&mut self, name: String, found: &Option<ExtensionInfo>) -> Answer<()> {
        let seen = match found {
            Some(found) => format!("version {} in schema {}", found.version, found.schema),
            None => "not installed".to_owned(),
        };
        self.find(Finding {
            kind: "extension".into(),
            subject: name,
            expected: "installed".to_owned(),
            seen,
            met: found.is_some(),
        })
    }

    async fn no_rows(&mut self, what: String, sql: &str, params: Vec<types::Value>) -> Answer<()> {
        self.ready()?;
        let params = values(params);
        let call = Call::asking("require-no-rows", sql, &(&what, sql, &params));
        if self.begin_step::<()>(call).await?.is_some() {
            return Ok(());
        }
        let ahead = self.ready_to_check(sql).await?;
        let executed = self.session.execute(sql, &params);
        let rows = self.session.between(&ahead, executed, READ_WRITE).await;
        let rows = rows.map_err(|failure| self.fault(sql, failure))?;
        self.meter
            .add_rows(usize::try_from(rows).unwrap_or(usize::MAX))
            .map_err(Fault::limit)?;
        let seen = match rows {
            0 => "no row".to_owned(),
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        };
        let expected = "no row".to_owned();
        self.find(Finding {
            kind: "no-rows".into(),
            subject: what,
            expected,
            seen,
            met: rows == 0,
        })?;
        self.end_step(&(), false).await
    }

    async fn plan_uses(
        &mut self,
        sql: &str,
        params: Vec<types::Value>,
        index: &types::Relation,
    ) -> Answer<()> {
        self.ready()?;
        let params = values(params);
        let call = Call::asking(
            "require-plan-uses",
            sql,
            &(sql, &params, &index.schema, &index.name),
        );
        if self.begin_step::<()>(call).await?.is_some() {
            return Ok(());
        }
        let ahead = self.ready_to_check(sql).await?;
        let asking = self
            .session
            .index_use(sql, &params, (&index.schema, &index.name));
        let found = self.session.between(&ahead, asking, "").await;
        let (seen, met) = match self.checked(sql, found).await? {
            IndexUse::Used => ("the plan uses it".to_owned(), true),
            IndexUse::Passed(plan) => (
                format!("usable, but the planner prefers {plan} on so small a table"),
                true,
            ),
            IndexUse::Untold(plan) => (
                format!("not to be told on so small a table: the planner prefers {plan}"),
                true,
            ),
            IndexUse::Absent => ("there is no such index".to_owned(), false),
            IndexUse::Unusable(plan) => (
                format!("not usable for the query: the plan is {plan}"),
                false,
            ),
        };
        let subject = label(&index.schema, &index.name);
        let expected = format!("can serve `{}`", excerpt(sql));
        self.find(Finding {
            kind: "plan".into(),
            subject,
            expected,
            seen,
            met,
        })?;
        self.end_step(&(), false).await
    }

    async fn latency(
        &mut self,
        what: String,
        sql: &str,
        params: Vec<types::Value>,
        limit_ms: u32,
    ) -> Answer<()> {
        self.ready()?;
        let params = values(params);
        let call = Call::asking("require-latency", sql, &(&what, sql, &params, limit_ms));
        if self.begin_step::<()>(call).await?.is_some() {
            return Ok(());
        }
        let ahead = self.ready_to_check(sql).await?;
        let limit = Duration::from_millis(limit_ms.into());
        // the measured time is the query's: what is sent ahead of it would count
        let sent = self.session.batch(&ahead).await;
        sent.map_err(|failure| self.fault(sql, failure))?;
        let took = self.session.latency(sql, &params, limit).await;
        let took = self.checked(sql, took).await?;
        let expected = format!("at most {limit_ms} ms");
        let seen = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
        self.find(Finding {
            kind: "latency".into(),
            subject: what,
            expected,
            seen,
            met: took <= limit,
        })?;
        self.end_step(&(), false).await
    }

    /// Whether a question about the catalog may go to the server now.
    pub(super) fn ready_to_ask(&mut self, question: &str) -> Answer<()> {
        self.ready()?;
        self.judge_catalog(question)
    }

    /// Asks the catalog something. The question's words stand for a statement in messages.
    async fn asked<T: Serialize + DeserializeOwned>(
        &mut self,
        question: &str,
        given: &impl Serialize,
        ask: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Called<T> {
        let call = Call::asking(question, question, given);
        let answer = self.ask_once(question, call, ask).await;
        self.answer(answer)
    }

    async fn ask_once<T: Serialize + DeserializeOwned>(
        &mut self,
        question: &str,
        call: Call,
        ask: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
    ) -> Answer<T> {
        self.ready_to_ask(question)?;
        if let Some(kept) = self.begin_step(call).await? {
            return Ok(kept);
        }
        let answer = self.ask(question, ask).await?;
        self.end_step(&answer, false).await?;
        Ok(answer)
    }

    /// What a check of the guest's SQL needs ahead; it ends with [`State::checked`].
    async fn ready_to_check(&mut self, sql: &str) -> Answer<String> {
        self.ready()?;
        self.admit_check(sql).await?;
        self.as_reader().await
    }

    /// Ends a read-only check that was several requests.
    pub(super) async fn checked<T>(&mut self, sql: &str, outcome: Result<T, Failure>) -> Answer<T> {
        let outcome = outcome.map_err(|failure| self.fault(sql, failure))?;
        let back = self.session.batch(READ_WRITE).await;
        back.map_err(|failure| self.fault(sql, failure))?;
        Ok(outcome)
    }

    /// Records a finding; one that is not met fails the run.
    pub(super) fn find(&mut self, finding: Finding) -> Answer<()> {
        // a guest's words are in it: PostgreSQL could not store a NUL, and as much as it likes would not do
        let clean = |text: String| cut(&text).replace('\0', "\u{fffd}");
        let finding = Finding {
            subject: clean(finding.subject),
            expected: clean(finding.expected),
            seen: clean(finding.seen),
            ..finding
        };
        let bytes = finding.subject.len() + finding.expected.len() + finding.seen.len();
        self.meter.add_log(bytes).map_err(Fault::limit)?;
        self.events.finding(&finding);
        let failed = (!finding.met).then(|| {
            let what = format!(
                "failed to meet a requirement: {} {}",
                finding.kind, finding.subject
            );
            let seen = format!("expected {}, seen {}", finding.expected, finding.seen);
            let answer = types::Error::CheckFailed(format!("{what}: {seen}"));
            Fault::failed(Error::new(Code::CheckFailed, what).cause(seen), answer)
        });
        self.findings.push(finding);
        failed.map_or(Ok(()), Err)
    }
}
