//! The statements of one phase, held against its grants.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commands;
use super::grants::name::Name;
use super::grants::{Grants, Kind, MAX_LINES, Need};
use super::memory::Memory;
use super::record::Record;
use super::refusal::{Missing, Refusal};
use super::resolve::{Reached, Resolution};
use super::statement::{Change, ChangeKind, Class, Demand, Denial, required, required_of_all};
use crate::touched::{Child, Work};

#[cfg(all(feature = "without-statement-wall", not(debug_assertions)))]
compile_error!(
    "without-statement-wall is for tests: nothing that is released may be built with it"
);

/// Whether the text of a query or a change of rows is held to the grants. The tests alone switch it off, with the
/// feature `without-statement-wall`, to see what the walls behind stop by themselves.
pub const STATEMENT_WALL: bool = !cfg!(feature = "without-statement-wall");

/// How many bytes of text are read ahead at most.
const MOST_READ_AHEAD: usize = 64 * 1024;

/// What the statements of a phase are held to.
#[derive(Debug, Clone)]
pub enum Held {
    /// Nothing runs that these do not grant.
    Grants(Grants),
    /// What is needed is recorded, and runs; what nothing can allow does not. For a run that is rolled back.
    Recording,
}

/// Judges the statements of one phase by its grants. A text is analysed once, however often it runs.
#[derive(Debug, Default)]
pub struct Guard {
    grants: Grants,
    /// What was needed, where that is recorded.
    record: Option<Record>,
    seen: Memory<Arc<Demand>>,
    resolved: Memory<()>,
}

impl Guard {
    /// A guard for a phase with these grants.
    pub fn new(grants: Grants) -> Self {
        Guard {
            grants,
            ..Guard::default()
        }
    }

    /// A guard that refuses only what nothing can allow, and records what the rest needs.
    pub fn recording() -> Self {
        Guard {
            record: Some(Record::default()),
            ..Guard::default()
        }
    }

    /// The guard of a phase that is held to this.
    pub fn of(held: Held) -> Self {
        match held {
            Held::Grants(grants) => Guard::new(grants),
            Held::Recording => Guard::recording(),
        }
    }

    /// What was needed, where it was recorded.
    pub fn recorded(self) -> Record {
        self.record.unwrap_or_default()
    }

    /// What the text of the last statement leaves open, while that is recorded; [`Guard::name`] answers it.
    pub fn open(&self) -> &[Need] {
        self.record.as_ref().map_or(&[], Record::asked)
    }

    /// Records what was meant by what [`Guard::open`] tells.
    pub fn name(&mut self, needs: &[Need]) {
        if let Some(record) = &mut self.record {
            record.server(needs);
        }
    }

    /// Whether a statement may run, and what it is.
    pub fn judge(&mut self, sql: &str) -> Result<Class, Refusal> {
        let demand = self.demand(sql);
        self.hold_text(&demand, demand.needs.iter())?;
        self.record_text(sql, demand.needs.iter());
        Ok(demand.class.clone())
    }

    /// The needs of a statement on the tables of objects that its text names alone.
    pub fn belonging(&mut self, sql: &str) -> Vec<Need> {
        let demand = self.demand(sql);
        let owned = |need: &&Need| matches!(need, Need::Owner { .. });
        demand.needs.iter().filter(owned).cloned().collect()
    }

    /// What a command works on, so far as that may run somebody's function.
    pub fn work(&mut self, sql: &str) -> Work {
        commands::work(&self.demand(sql))
    }

    /// What a change of a table needs of those that inherit from it, and its drop of its partitions.
    pub fn inherited(&mut self, sql: &str, parent: &Name, heirs: &[Child]) -> Resolution {
        commands::inherited(&self.demand(sql), parent, heirs)
    }

    /// Whether a command drops tables, and so their partitions.
    pub fn drops_tables(&mut self, sql: &str) -> bool {
        commands::drops_tables(&self.demand(sql))
    }

    /// Whether what is known of tables and event triggers holds no longer after a command.
    pub fn unsettles(&mut self, sql: &str) -> bool {
        commands::unsettles(&self.demand(sql))
    }

    /// Whether the text of a command tells all that must be known before it runs, so that the server is asked nothing.
    pub fn is_told_by_text(&mut self, sql: &str) -> bool {
        let records = self.record.is_some();
        let demand = self.demand(sql);
        // a query in a command is resolved, and must find what those ahead make
        let asked = |change: &Change| {
            use ChangeKind::{AlterTable, Rename, Truncate};
            matches!(change.kind, AlterTable | Rename | Truncate) || change.query.is_some()
        };
        let command = matches!(&demand.class, Class::Change(change) if !asked(change));
        let owned = |need: &Need| matches!(need, Need::Owner { .. });
        command && !records && !demand.needs.iter().any(owned)
    }

    /// Whether the expressions of a query over a table may be planned, though it is never run: what it reads of that
    /// table does not count. If so, whether they need anything else, a function or a type that is somebody's.
    pub fn judge_expressions(&mut self, sql: &str, table: (&str, &str)) -> Result<bool, Refusal> {
        let demand = self.demand(sql);
        let needs = || demand.needs.iter().filter(|need| !reads(need, table));
        self.hold_text(&demand, needs())?;
        self.record_text(sql, needs());
        Ok(needs().next().is_some())
    }

    /// The same of what the server has resolved such queries over these tables to. The text is not remembered: it
    /// may not run.
    pub fn judge_resolved_expressions(
        &mut self,
        resolution: &Resolution,
        tables: &BTreeSet<(&str, &str)>,
    ) -> Result<bool, Refusal> {
        let of_table = |need: &Need| tables.iter().any(|table| reads(need, *table));
        let counts = |reached: &&Reached| reached.way.is_some() || !of_table(&reached.need);
        let needs = || resolution.needs.iter().filter(counts);
        self.hold(&resolution.denied, needs().map(Reached::parts))?;
        if let Some(record) = &mut self.record {
            record.server(needs().map(|reached| &reached.need));
        }
        Ok(needs().next().is_some())
    }

    /// Whether a statement may run that the server has resolved to this. Where it may, the text is remembered.
    pub fn judge_resolved(&mut self, sql: &str, resolution: &Resolution) -> Result<(), Refusal> {
        let needs = resolution.needs.iter();
        self.hold(&resolution.denied, needs.map(Reached::parts))?;
        if let Some(record) = &mut self.record {
            record.server(resolution.needs.iter().map(|reached| &reached.need));
        }
        self.resolved.keep(sql, ());
        Ok(())
    }

    /// Whether a text was resolved and may run. The text alone decides: what types its parameters have is the
    /// server's word, and follows from the text and the catalog.
    pub fn is_resolved(&self, sql: &str) -> bool {
        self.resolved.of(sql).is_some()
    }

    /// Forgets what was resolved, as after each change of definitions.
    pub fn forget_resolved(&mut self) {
        self.resolved.clear();
    }

    /// Whether a need is granted that no statement of the guest's stands for.
    pub fn grants(&mut self, need: Need) -> Result<(), Refusal> {
        self.hold(&[], [(&need, None)])?;
        if let Some(record) = &mut self.record {
            record.host(need);
        }
        Ok(())
    }

    /// Records what a text needs that was judged. What is open in one that the server has resolved is answered.
    fn record_text<'a>(&mut self, sql: &str, needs: impl Iterator<Item = &'a Need>) {
        if let Some(record) = &mut self.record {
            let resolved = self.resolved.of(sql).is_some();
            record.text(needs.filter(|need| !resolved || matches!(need, Need::Grant(_))));
        }
    }

    fn hold_text<'a>(
        &self,
        demand: &Demand,
        needs: impl Iterator<Item = &'a Need>,
    ) -> Result<(), Refusal> {
        // what is a command, or not one statement, no wall behind would look at
        if !STATEMENT_WALL && matches!(demand.class, Class::Query | Class::Write) {
            return Ok(());
        }
        self.hold(&demand.denied, needs.map(|need| (need, None)))
    }

    fn hold<'a>(
        &self,
        denied: &[Denial],
        needs: impl IntoIterator<Item = (&'a Need, Option<&'a str>)>,
    ) -> Result<(), Refusal> {
        if let (Some(record), []) = (&self.record, denied) {
            return match record.is_full() {
                true => Err(Refusal {
                    never: vec![format!(
                        "it needs more grants than the {MAX_LINES} that a phase may have"
                    )],
                    missing: Vec::new(),
                    granted: Vec::new(),
                }),
                false => Ok(()),
            };
        }
        let missing: Vec<_> = (needs.into_iter())
            .filter(|(need, _)| self.record.is_none() && !self.grants.allows(need))
            .map(|(need, way)| Missing {
                need: need.clone(),
                line: need.line(),
                note: way.map(|way| format!("through {way}")),
            })
            .collect();
        if denied.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            never: denied.iter().map(ToString::to_string).collect(),
            missing,
            granted: self.grants.iter().map(ToString::to_string).collect(),
        })
    }

    /// Reads texts at once that will be judged one after the other. Of long ones each is read by itself, so that its time
    /// counts before the next is begun.
    pub fn read_ahead(&mut self, texts: &[&str]) {
        let unknown: Vec<&str> = (texts.iter().copied())
            .filter(|sql| self.seen.of(sql).is_none())
            .collect();
        if unknown.iter().map(|sql| sql.len()).sum::<usize>() > MOST_READ_AHEAD {
            return;
        }
        for (sql, demand) in unknown.iter().zip(required_of_all(&unknown)) {
            self.seen.keep(sql, Arc::new(demand));
        }
    }

    fn demand(&mut self, sql: &str) -> Arc<Demand> {
        if let Some(known) = self.seen.of(sql) {
            return Arc::clone(known);
        }
        let demand = Arc::new(required(sql));
        self.seen.keep(sql, Arc::clone(&demand));
        demand
    }
}

/// Whether a need is to read of that table.
fn reads(need: &Need, table: (&str, &str)) -> bool {
    let of_table = |name: &Name| (name.schema.as_str(), name.name.as_str()) == table;
    match need {
        Need::Grant(grant) if grant.kind == Kind::Read => {
            grant.subject.name().is_some_and(of_table)
        }
        Need::Columns {
            kind: Kind::Read,
            table,
            ..
        } => of_table(table),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::grants::Grant;

    const A: (&str, &str) = ("public", "a");

    fn guard(lines: &[&str]) -> Guard {
        Guard::new(Grants::parse(lines.iter().copied()).unwrap())
    }

    /// What the server says, where these grants would be needed.
    fn resolution(way: Option<&str>, lines: &[&str]) -> Resolution {
        let reached = |line: &&str| Reached {
            need: Need::Grant(Grant::parse(line).unwrap()),
            way: way.map(str::to_owned),
        };
        Resolution {
            needs: lines.iter().map(reached).collect(),
            denied: Vec::new(),
        }
    }

    #[test]
    fn what_is_granted_runs_and_what_is_missing_is_named() {
        let mut guard = guard(&["read public.a(x)", "catalog"]);
        assert_eq!(guard.judge("SELECT x FROM public.a"), Ok(Class::Query));
        let refusal = guard.judge("DELETE FROM public.a WHERE x = 1").unwrap_err();
        let line = "delete public.a".to_owned();
        let missing = Missing {
            need: Need::Grant(Grant::parse(&line).unwrap()),
            line: Some(line),
            note: None,
        };
        assert_eq!(refusal.missing, [missing]);
        assert_eq!(refusal.to_string(), "not granted: delete public.a");
        assert!(guard.judge("COMMIT").unwrap_err().missing.is_empty());
    }

    #[test]
    fn a_planned_expression_needs_no_read_and_no_less_otherwise() {
        let mut guard = guard(&[]);
        assert_eq!(
            guard.judge_expressions("SELECT (lower(x)) FROM ONLY public.a", A),
            Ok(false)
        );
        for sql in [
            "SELECT (pg_sleep(1)) FROM ONLY public.a",
            "SELECT ((SELECT y FROM public.b)) FROM ONLY public.a",
            "SELECT (public.f(x)) FROM ONLY public.a",
        ] {
            assert!(guard.judge_expressions(sql, A).is_err(), "{sql}");
        }
        let mut calls = self::guard(&["call public.f(text)"]);
        let sql = "SELECT (public.f(x)) FROM ONLY public.a";
        assert_eq!(calls.judge_expressions(sql, A), Ok(true));
    }

    #[test]
    fn what_the_server_says_of_a_planned_expression_counts_too() {
        let mut guard = guard(&["call public.f(text)"]);
        for (way, line, judged) in [
            (None, "read public.a(x)", Some(false)),
            (Some("view public.v"), "read public.a(x)", None),
            (None, "read public.b(x)", None),
            (None, "call public.f(text)", Some(true)),
            (Some("cast"), "call public.f(integer)", None),
        ] {
            let found =
                guard.judge_resolved_expressions(&resolution(way, &[line]), &BTreeSet::from([A]));
            assert_eq!(found.ok(), judged, "{line}");
        }
    }

    #[test]
    fn a_guard_that_records_lets_pass_what_a_grant_could_allow() {
        let mut guard = Guard::of(Held::Recording);
        assert_eq!(guard.judge("SELECT a.x FROM public.a"), Ok(Class::Query));
        let refusal = guard
            .judge("SELECT pg_sleep(1), b.y FROM public.b")
            .unwrap_err();
        assert!(!refusal.never.is_empty() && refusal.missing.is_empty());
        assert_eq!(guard.grants(Need::Grant(Grant::catalog())), Ok(()));
        guard.judge("DROP INDEX public.i").unwrap();
        assert_eq!(guard.open().len(), 1);
        let named = Need::Grant(Grant::parse("index public.t").unwrap());
        guard.name(&[named]);
        assert!(guard.open().is_empty());
        guard
            .judge_expressions("SELECT (public.f(x)) FROM ONLY public.c", ("public", "c"))
            .unwrap();
        let needed = guard.recorded().needed();
        let lines: Vec<_> = needed.grants.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["read public.a(x)", "index public.t", "catalog"]);
        assert_eq!(needed.unclear.len(), 1);
    }

    #[test]
    fn what_is_resolved_once_stays_so_in_the_record() {
        let mut guard = Guard::recording();
        let sql = "SELECT x, y FROM public.a, public.b";
        let resolution = resolution(None, &["read public.a(x)", "read public.b(y)"]);
        guard.judge(sql).unwrap();
        guard.judge_resolved(sql, &resolution).unwrap();
        guard.judge(sql).unwrap();
        let needed = guard.recorded().needed();
        let lines: Vec<_> = needed.grants.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["read public.a(x)", "read public.b(y)"]);
    }

    #[test]
    fn a_guest_cannot_make_the_record_endless() {
        let mut guard = Guard::recording();
        let refused = (0..=MAX_LINES)
            .filter(|number| guard.judge(&format!("TABLE public.t{number}")).is_err())
            .count();
        assert_eq!(refused, 1);
    }

    #[test]
    fn a_text_is_analysed_once() {
        let mut guard = guard(&["read public.a"]);
        let sql = "SELECT 1 FROM public.a";
        let first = guard.demand(sql);
        assert!(Arc::ptr_eq(&first, &guard.demand(sql)));
    }

    #[test]
    fn a_text_is_resolved_once_until_definitions_change() {
        let mut guard = guard(&["read public.v", "read public.t(x)"]);
        let sql = "SELECT x FROM public.v";
        let reached = |line| resolution(Some("view public.v"), &[line]);
        let refused = reached("read public.t(y)");
        let refusal = guard.judge_resolved(sql, &refused).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "not granted: read public.t(y) (through view public.v)"
        );
        assert_eq!(refusal.missing[0].line.as_deref(), Some("read public.t(y)"));
        assert!(!guard.is_resolved(sql));
        let allowed = reached("read public.t(x)");
        assert_eq!(guard.judge_resolved(sql, &allowed), Ok(()));
        assert!(guard.is_resolved(sql));
        guard.forget_resolved();
        assert!(!guard.is_resolved(sql));
    }
}
