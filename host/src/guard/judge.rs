//! The statements of one phase, held against its grants.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::grants::{Grants, Kind, Need};
use super::statement::{Class, Demand, required};

/// How many texts are remembered, and how long they may be in all, in bytes: a guest can make up as many as
/// it likes.
const MOST_TEXTS: usize = 1000;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Judges the statements of one phase by its grants. A text is analysed once, however often it runs.
#[derive(Debug, Default)]
pub struct Guard {
    grants: Grants,
    seen: HashMap<String, Arc<Demand>>,
    bytes: usize,
}

/// Why a statement may not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What nothing can allow; foreign text in it is escaped.
    pub never: Vec<String>,
    /// What is needed and not granted, and the line of a manifest that would grant it, where one is known.
    pub missing: Vec<(String, Option<String>)>,
    /// All that the phase is granted.
    pub granted: Vec<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.never.is_empty() {
            return f.write_str(&self.never.join("; "));
        }
        let missing: Vec<_> = self.missing.iter().map(|(need, _)| need.as_str()).collect();
        write!(f, "not granted: {}", missing.join(", "))
    }
}

impl Guard {
    /// A guard for a phase with these grants.
    pub fn new(grants: Grants) -> Self {
        Guard {
            grants,
            ..Guard::default()
        }
    }

    /// Whether a statement may run, and what it is.
    pub fn judge(&mut self, sql: &str) -> Result<Class, Refusal> {
        let demand = self.demand(sql);
        self.hold(&demand, |_| true)?;
        Ok(demand.class.clone())
    }

    /// Whether the expressions of a query may be planned, though it is never run: what it reads does not count.
    /// If so, whether they need anything else, a function or a type that is somebody's.
    pub fn judge_expressions(&mut self, sql: &str) -> Result<bool, Refusal> {
        let demand = self.demand(sql);
        let counts = |need: &Need| need.kind() != Kind::Read;
        self.hold(&demand, counts)?;
        Ok(demand.needs.iter().any(counts))
    }

    /// Whether a need is granted that no statement of the guest's stands for.
    pub fn grants(&self, need: Need) -> Result<(), Refusal> {
        let demand = Demand {
            class: Class::Query,
            needs: vec![need],
            denied: Vec::new(),
        };
        self.hold(&demand, |_| true)
    }

    fn hold(&self, demand: &Demand, counts: impl Fn(&Need) -> bool) -> Result<(), Refusal> {
        let missing: Vec<_> = self
            .grants
            .missing(&demand.needs)
            .into_iter()
            .filter(|need| counts(need))
            .map(|need| (need.to_string(), need.line()))
            .collect();
        if demand.denied.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Err(Refusal {
            never: demand.denied.iter().map(ToString::to_string).collect(),
            missing,
            granted: self.grants.iter().map(ToString::to_string).collect(),
        })
    }

    fn demand(&mut self, sql: &str) -> Arc<Demand> {
        if let Some(known) = self.seen.get(sql) {
            return Arc::clone(known);
        }
        let demand = Arc::new(required(sql));
        if self.seen.len() >= MOST_TEXTS || self.bytes + sql.len() > MOST_BYTES {
            self.seen.clear();
            self.bytes = 0;
        }
        if sql.len() <= MOST_BYTES {
            self.bytes += sql.len();
            self.seen.insert(sql.to_owned(), Arc::clone(&demand));
        }
        demand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(lines: &[&str]) -> Guard {
        Guard::new(Grants::parse(lines.iter().copied()).unwrap())
    }

    #[test]
    fn what_is_granted_runs_and_what_is_missing_is_named() {
        let mut guard = guard(&["read public.a(x)", "catalog"]);
        assert_eq!(guard.judge("SELECT x FROM public.a"), Ok(Class::Query));
        let refusal = guard.judge("DELETE FROM public.a WHERE x = 1").unwrap_err();
        let line = "delete public.a".to_owned();
        assert_eq!(refusal.missing, [(line.clone(), Some(line))]);
        assert_eq!(refusal.to_string(), "not granted: delete public.a");
        assert!(guard.judge("COMMIT").unwrap_err().missing.is_empty());
    }

    #[test]
    fn a_planned_expression_needs_no_read_and_no_less_otherwise() {
        let mut guard = guard(&[]);
        assert_eq!(
            guard.judge_expressions("SELECT (lower(x)) FROM ONLY public.a"),
            Ok(false)
        );
        for sql in [
            "SELECT (pg_sleep(1)) FROM ONLY public.a",
            "SELECT (public.f(x)) FROM ONLY public.a",
        ] {
            assert!(guard.judge_expressions(sql).is_err(), "{sql}");
        }
        let mut calls = self::guard(&["call public.f(text)"]);
        let sql = "SELECT (public.f(x)) FROM ONLY public.a";
        assert_eq!(calls.judge_expressions(sql), Ok(true));
    }

    /// A guest can send as many texts as it likes: what is remembered of them stays small.
    #[test]
    fn a_text_is_analysed_once_and_not_all_are_remembered() {
        let mut guard = guard(&["read public.a"]);
        let sql = "SELECT 1 FROM public.a";
        let first = guard.demand(sql);
        assert!(Arc::ptr_eq(&first, &guard.demand(sql)));
        for number in 0..=MOST_TEXTS {
            let _ = guard.judge(&format!("SELECT {number}"));
        }
        assert!(guard.seen.len() <= MOST_TEXTS);
    }
}
