//! The statements of one phase, held against its grants.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::grants::name::Name;
use super::grants::{Grants, Kind, Need, Object};
use super::resolve::Resolution;
use super::statement::{Class, Demand, Denial, required};

/// How many texts are remembered, and how long they may be in all, in bytes: a guest can make up as many as
/// it likes.
const MOST_TEXTS: usize = 1000;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Judges the statements of one phase by its grants. A text is analysed once, however often it runs.
#[derive(Debug, Default)]
pub struct Guard {
    grants: Grants,
    seen: Memory<Arc<Demand>>,
    resolved: Memory<()>,
}

/// What is known of texts; all of it is forgotten where it would become too much.
#[derive(Debug)]
struct Memory<T> {
    texts: HashMap<String, T>,
    bytes: usize,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Memory {
            texts: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<T> Memory<T> {
    fn keep(&mut self, text: &str, known: T) {
        if self.texts.contains_key(text) {
            return;
        }
        if self.texts.len() >= MOST_TEXTS || self.bytes + text.len() > MOST_BYTES {
            self.clear();
        }
        if text.len() <= MOST_BYTES {
            self.bytes += text.len();
            self.texts.insert(text.to_owned(), known);
        }
    }

    fn clear(&mut self) {
        self.texts.clear();
        self.bytes = 0;
    }
}

/// Why a statement may not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What nothing can allow; foreign text in it is escaped.
    pub never: Vec<String>,
    /// What is needed and not granted.
    pub missing: Vec<Missing>,
    /// All that the phase is granted.
    pub granted: Vec<String>,
}

/// What is needed and not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The need, as a reader knows it.
    pub need: String,
    /// The line of a manifest that would grant it, where one is known.
    pub line: Option<String>,
    /// What leads to it, where the statement does not name it itself; escaped.
    pub way: Option<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.need)?;
        match &self.way {
            Some(way) => write!(f, " (through {way})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.never.is_empty() {
            return f.write_str(&self.never.join("; "));
        }
        let missing: Vec<_> = self.missing.iter().map(Missing::to_string).collect();
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
        self.hold(&demand.denied, demand.needs.iter().map(direct))?;
        Ok(demand.class.clone())
    }

    /// The objects of a statement whose table its text does not tell, each with the kind of grant that its table must
    /// have.
    pub fn belonging(&mut self, sql: &str) -> Vec<(Kind, Object, Name)> {
        let demand = self.demand(sql);
        let owned = demand.needs.iter().filter_map(|need| match need {
            Need::Owner { kind, object, name } => Some((*kind, *object, name.clone())),
            _ => None,
        });
        owned.collect()
    }

    /// Whether the expressions of a query may be planned, though it is never run: what it reads does not count.
    /// If so, whether they need anything else, a function or a type that is somebody's.
    pub fn judge_expressions(&mut self, sql: &str) -> Result<bool, Refusal> {
        let demand = self.demand(sql);
        let needs = || demand.needs.iter().filter(|need| need.kind() != Kind::Read);
        self.hold(&demand.denied, needs().map(direct))?;
        Ok(needs().next().is_some())
    }

    /// Whether a statement may run that the server has resolved to this. Where it may, the text is remembered.
    pub fn judge_resolved(&mut self, sql: &str, resolution: &Resolution) -> Result<(), Refusal> {
        let needs = resolution.needs.iter();
        self.hold(
            &resolution.denied,
            needs.map(|reached| (&reached.need, reached.way.as_deref())),
        )?;
        self.resolved.keep(sql, ());
        Ok(())
    }

    /// Whether a text was resolved and may run. The text alone decides: what types its parameters have is the
    /// server's word, and follows from the text and the catalog.
    pub fn is_resolved(&self, sql: &str) -> bool {
        self.resolved.texts.contains_key(sql)
    }

    /// Forgets what was resolved, as after each change of definitions.
    pub fn forget_resolved(&mut self) {
        self.resolved.clear();
    }

    /// Whether a need is granted that no statement of the guest's stands for.
    pub fn grants(&self, need: Need) -> Result<(), Refusal> {
        self.hold(&[], [(&need, None)])
    }

    fn hold<'a>(
        &self,
        denied: &[Denial],
        needs: impl IntoIterator<Item = (&'a Need, Option<&'a str>)>,
    ) -> Result<(), Refusal> {
        let missing: Vec<_> = (needs.into_iter())
            .filter(|(need, _)| !self.grants.allows(need))
            .map(|(need, way)| Missing {
                need: need.to_string(),
                line: need.line(),
                way: way.map(str::to_owned),
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

    fn demand(&mut self, sql: &str) -> Arc<Demand> {
        if let Some(known) = self.seen.texts.get(sql) {
            return Arc::clone(known);
        }
        let demand = Arc::new(required(sql));
        self.seen.keep(sql, Arc::clone(&demand));
        demand
    }
}

/// A need that the text itself shows.
fn direct(need: &Need) -> (&Need, Option<&str>) {
    (need, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::grants::Grant;
    use crate::guard::resolve::Reached;

    fn guard(lines: &[&str]) -> Guard {
        Guard::new(Grants::parse(lines.iter().copied()).unwrap())
    }

    #[test]
    fn what_is_granted_runs_and_what_is_missing_is_named() {
        let mut guard = guard(&["read public.a(x)", "catalog"]);
        assert_eq!(guard.judge("SELECT x FROM public.a"), Ok(Class::Query));
        let refusal = guard.judge("DELETE FROM public.a WHERE x = 1").unwrap_err();
        let line = "delete public.a".to_owned();
        let missing = Missing {
            need: line.clone(),
            line: Some(line),
            way: None,
        };
        assert_eq!(refusal.missing, [missing]);
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
        assert!(guard.seen.texts.len() <= MOST_TEXTS);
    }

    #[test]
    fn a_text_is_resolved_once_until_definitions_change() {
        let mut guard = guard(&["read public.v", "read public.t(x)"]);
        let sql = "SELECT x FROM public.v";
        let reached = |line: &str| Reached {
            need: Need::Grant(Grant::parse(line).unwrap()),
            way: Some("view public.v".to_owned()),
        };
        let refused = Resolution {
            needs: vec![reached("read public.t(y)")],
            denied: Vec::new(),
        };
        let refusal = guard.judge_resolved(sql, &refused).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "not granted: read public.t(y) (through view public.v)"
        );
        assert_eq!(refusal.missing[0].line.as_deref(), Some("read public.t(y)"));
        assert!(!guard.is_resolved(sql));
        let allowed = Resolution {
            needs: vec![reached("read public.t(x)")],
            denied: Vec::new(),
        };
        assert_eq!(guard.judge_resolved(sql, &allowed), Ok(()));
        assert!(guard.is_resolved(sql));
        guard.forget_resolved();
        assert!(!guard.is_resolved(sql));
        for number in 0..=MOST_TEXTS {
            let _ = guard.judge_resolved(&format!("SELECT {number}"), &Resolution::default());
        }
        assert!(guard.resolved.texts.len() <= MOST_TEXTS);
    }
}
