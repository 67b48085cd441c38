//! What stands between a guest's statement and the server: the guard's judgement, and what a refusal says.

use super::state::{Answer, Fault, State, excerpt};
use super::talk::cut;
use super::wit::types;
use crate::error::{Code, Error};
use crate::finding::Finding;
use crate::guard::Refusal;
use crate::guard::grants::{Grant, Need};
use crate::guard::statement::Class;
use crate::migration::Mode;

/// How many grants a refusal lists.
const MOST_SHOWN: usize = 20;

impl State {
    /// What a statement is, if it may run. Every text of a guest's that the server will run passes here, before
    /// anything of it is sent.
    pub(super) async fn admit(&mut self, sql: &str) -> Answer<Class> {
        let class = self.judge(sql)?;
        self.name_what_is_open(sql).await?;
        Ok(class)
    }

    /// While needs are recorded, the catalog says what the text of this statement leaves open, as it is before
    /// the statement changes it.
    async fn name_what_is_open(&mut self, sql: &str) -> Answer<()> {
        let mut named = Vec::new();
        for need in self.guard.open() {
            match self.session.named(need).await {
                Ok(grant) => named.extend(grant.map(Need::Grant)),
                Err(failure) => return Err(self.fault(sql, failure)),
            }
        }
        self.guard.name(&named);
        Ok(())
    }

    fn judge(&mut self, sql: &str) -> Answer<Class> {
        let class = match self.guard.judge(sql) {
            Ok(class) => class,
            Err(refusal) => return Err(self.refused(sql, &refusal)),
        };
        match &class {
            Class::Change(change)
                if change.outside_transaction && self.mode == Mode::Transactional =>
            {
                let what = format!("failed to run `{}`", excerpt(sql));
                let why =
                    "the server runs it outside a transaction only, and the mode is transactional";
                Err(Fault::unsupported(what, why))
            }
            _ => Ok(class),
        }
    }

    /// Whether a check may run this query, which must only select.
    pub(super) async fn admit_check(&mut self, sql: &str) -> Answer<()> {
        match self.admit(sql).await? {
            Class::Query => Ok(()),
            _ => Err(Fault::denied("a check takes a query that only selects")),
        }
    }

    /// Whether the expressions of a query that is only planned are allowed.
    pub(super) fn judge_expressions(&mut self, sql: &str) -> Answer<()> {
        match self.guard.judge_expressions(sql) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.refused(sql, &refusal)),
        }
    }

    /// Whether the host's own checks may tell the guest what the catalog says.
    pub(super) fn judge_catalog(&mut self, question: &str) -> Answer<()> {
        match self.guard.grants(Need::Grant(Grant::catalog())) {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.refused(question, &refusal)),
        }
    }

    /// The guest is told; the operator sees the statement, what it needs, what was granted and what to do.
    fn refused(&mut self, sql: &str, refusal: &Refusal) -> Fault {
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
        let clean = |text: &str| cut(text).replace('\0', "\u{fffd}");
        self.findings.push(Finding {
            kind: "grant",
            subject: clean(&statement),
            expected: clean(&format!("granted in {phase}: {granted}")),
            seen: clean(&refusal.to_string()),
            met: false,
        });
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
            .map(|missing| match &missing.way {
                Some(way) => format!("`{}` (through {way})", missing.need),
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
