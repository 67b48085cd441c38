//! What statements turned out to need, gathered where a run is tried and not held to grants.
//!
//! A need of a text may hold a `?`. Where the server then names what is meant, its word stands in the text's
//! place; where it does not, the line that meets the need for certain does, or the need is kept as it is and
//! a person fills it in.

use super::grants::{Grants, MAX_LINES, Need};

/// What was needed in a phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// What is known exactly.
    exact: Grants,
    /// What the server knows and several lines could meet: any column of a table, a type or its extension.
    either: Vec<Need>,
    /// What only texts tell, with a `?`.
    open: Vec<Need>,
    /// The same of the statement that was recorded last, which the server may yet name.
    asked: Vec<Need>,
}

/// A list of grants, and what is needed beside them that no line can be written for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines.
    pub grants: Grants,
    /// What has to be filled in.
    pub unclear: Vec<Need>,
}

impl Record {
    /// Records what the text of a statement needs.
    pub fn text<'a>(&mut self, needs: impl IntoIterator<Item = &'a Need>) {
        self.close();
        for need in needs {
            match need {
                Need::Grant(grant) => self.exact.add(grant.clone()),
                need => keep(&mut self.asked, need),
            }
        }
    }

    /// Records what the server says that the last statement needs: what of its text that answers is known now.
    pub fn server<'a>(&mut self, needs: impl IntoIterator<Item = &'a Need>) {
        let needs: Vec<&Need> = needs.into_iter().collect();
        let exact: Grants = (needs.iter())
            .filter_map(|need| match need {
                Need::Grant(grant) => Some(grant.clone()),
                _ => None,
            })
            .collect();
        self.asked
            .retain(|open| !exact.allows(open) && !needs.iter().any(|need| answers(need, open)));
        self.exact.extend(exact.iter().cloned());
        for need in needs {
            if !matches!(need, Need::Grant(_)) {
                keep(&mut self.either, need);
            }
        }
    }

    /// Records a need that no statement stands for.
    pub fn host(&mut self, need: Need) {
        match need {
            Need::Grant(grant) => self.exact.add(grant),
            need => keep(&mut self.open, &need),
        }
    }

    /// What the last statement's text leaves open.
    pub fn asked(&self) -> &[Need] {
        &self.asked
    }

    /// Whether there is more than a manifest may hold; a guest could go on for ever.
    pub fn is_full(&self) -> bool {
        [self.either.len(), self.open.len(), self.asked.len()]
            .iter()
            .sum::<usize>()
            + self.exact.len()
            >= MAX_LINES
    }

    /// Adds what another run needed.
    pub fn merge(&mut self, mut other: Record) {
        self.close();
        other.close();
        self.exact.extend(other.exact.iter().cloned());
        for need in &other.either {
            keep(&mut self.either, need);
        }
        for need in &other.open {
            keep(&mut self.open, need);
        }
    }

    /// The list that grants it all.
    pub fn needed(&self) -> Lines {
        self.lines(self.exact.clone(), |_| false)
    }

    /// What of it these grants do not cover.
    pub fn missing(&self, granted: &Grants) -> Lines {
        self.lines(self.exact.beyond(granted), |need| granted.allows(need))
    }

    /// What these grants have that was not needed.
    pub fn unused(&self, granted: &Grants) -> Grants {
        let beyond = granted.beyond(&self.needed().grants);
        let loose = || self.either.iter().chain(&self.open).chain(&self.asked);
        // what is not known may well be just this line
        let may_serve = |line: &Grants| loose().any(|need| line.allows(need));
        (beyond.iter())
            .filter(|line| !may_serve(&Grants::from_iter([(*line).clone()])))
            .cloned()
            .collect()
    }

    /// Lines for what is not known exactly, beside those that are there, but for what is met anyway.
    fn lines(&self, mut grants: Grants, met: impl Fn(&Need) -> bool) -> Lines {
        let mut unclear = Vec::new();
        for need in self.open.iter().chain(&self.asked) {
            // a list of columns could be too short, though it would do for this text
            if let (Need::Columns { .. }, false) = (need, met(need)) {
                grants.extend(need.grant());
            }
        }
        for need in self.either.iter().chain(&self.open).chain(&self.asked) {
            if met(need) || self.exact.allows(need) || grants.allows(need) {
                continue;
            }
            match need.grant() {
                Some(grant) => grants.add(grant),
                None => keep(&mut unclear, need),
            }
        }
        unclear.sort();
        Lines { grants, unclear }
    }

    /// The next statement comes: what the last one left open stays so.
    fn close(&mut self) {
        for need in std::mem::take(&mut self.asked) {
            keep(&mut self.open, &need);
        }
    }
}

fn keep(list: &mut Vec<Need>, need: &Need) {
    if !list.contains(need) {
        list.push(need.clone());
    }
}

/// Whether the server's need says what the text's leaves open, though it is no grant itself.
fn answers(need: &Need, open: &Need) -> bool {
    match (need, open) {
        (Need::ExtensionType { name, .. }, Need::Type(of)) => name == of,
        _ => need == open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::grants::name::{Ident, Name};
    use crate::guard::grants::{Grant, Kind, Object};
    use crate::guard::statement::required;

    fn grant(line: &str) -> Need {
        Need::Grant(Grant::parse(line).unwrap())
    }

    fn shown(lines: &Lines) -> Vec<String> {
        let unclear = lines.unclear.iter().map(|need| format!("? {need}"));
        let lines = lines.grants.iter().map(ToString::to_string);
        lines.chain(unclear).collect()
    }

    /// A record of these texts, each with what the server says of it.
    fn record(statements: &[(&str, &[Need])]) -> Record {
        let mut record = Record::default();
        for (sql, said) in statements {
            record.text(&required(sql).needs);
            record.server(*said);
        }
        record
    }

    #[test]
    fn needs_of_several_statements_become_one_list() {
        let found = record(&[
            ("SELECT y FROM public.a", &[]),
            ("ALTER TABLE public.a DROP COLUMN x", &[]),
            ("SELECT x FROM public.a", &[]),
            ("ALTER TABLE public.a ADD COLUMN z int", &[]),
            ("DELETE FROM public.b", &[]),
        ]);
        let lines = [
            "alter public.a: add-column, drop-column",
            "delete public.b",
            "read public.a(x, y)",
        ];
        assert_eq!(shown(&found.needed()), lines);
    }

    #[test]
    fn the_servers_word_stands_in_the_place_of_the_texts() {
        let two = "SELECT x, public.f(y) FROM public.a, public.b";
        let said = [
            grant("read public.a(x)"),
            grant("read public.b(y)"),
            grant("call public.f(integer)"),
        ];
        let exact = [
            "call public.f(integer)",
            "read public.a(x)",
            "read public.b(y)",
        ];
        assert_eq!(shown(&record(&[(two, &said)]).needed()), exact);
        let drop = "DROP INDEX public.i";
        let said = [grant("index public.t")];
        assert_eq!(
            shown(&record(&[(drop, &said)]).needed()),
            ["index public.t"]
        );
    }

    #[test]
    fn what_only_the_text_tells_is_met_for_certain_or_left_to_a_person() {
        let two = "SELECT x, public.f(y) FROM public.a, public.b";
        let found = record(&[(two, &[]), ("SELECT b.z FROM public.b", &[])]);
        let lines = ["read public.a", "read public.b", "? call public.f(?)"];
        assert_eq!(shown(&found.needed()), lines);
        let found = record(&[("DROP INDEX public.i", &[])]);
        assert_eq!(shown(&found.needed()), ["? index (table of public.i)"]);
        // the grant that another statement needs meets it
        let found = record(&[
            ("CREATE INDEX i ON public.t (x)", &[]),
            ("DROP INDEX public.i", &[]),
        ]);
        assert_eq!(shown(&found.needed()), ["index public.t"]);
    }

    /// Else the first statement would hide what the second one, which nobody asked the server of, needs.
    #[test]
    fn the_server_answers_for_the_statement_that_it_was_asked_of() {
        let said = [grant("read public.a(x)"), grant("read public.b(y)")];
        let found = record(&[
            ("SELECT x, y FROM public.a, public.b", &said),
            ("SELECT x, z FROM public.a, public.b", &[]),
        ]);
        assert_eq!(shown(&found.needed()), ["read public.a", "read public.b"]);
    }

    #[test]
    fn any_column_and_an_extensions_type_need_no_line_of_their_own() {
        let table = Name::new("public", "a").unwrap();
        let columns = Default::default();
        let kind = Kind::Read;
        let any = Need::Columns {
            kind,
            table,
            columns,
        };
        let counted = record(&[("SELECT count(*) FROM public.a", &[any])]);
        assert_eq!(shown(&counted.needed()), ["read public.a"]);
        let mut both = counted.clone();
        both.merge(record(&[("SELECT a.x FROM public.a", &[])]));
        assert_eq!(shown(&both.needed()), ["read public.a(x)"]);
        let citext = Need::ExtensionType {
            extension: Ident::new("citext").unwrap(),
            name: Name::new("public", "citext").unwrap(),
        };
        let cast = ("SELECT $1::public.citext", &[citext][..]);
        assert_eq!(shown(&record(&[cast]).needed()), ["use-type public.citext"]);
        let create = ("CREATE EXTENSION citext SCHEMA public", &[][..]);
        let both = record(&[cast, create]);
        assert_eq!(shown(&both.needed()), ["extension citext in public"]);
    }

    #[test]
    fn the_manifest_is_compared_with_what_was_needed() {
        let found = record(&[
            ("SELECT a.x, a.y FROM public.a", &[]),
            ("SELECT public.f($1)", &[]),
            ("DELETE FROM public.b", &[]),
        ]);
        let granted = [
            "read public.a(x, z)",
            "call public.f(text)",
            "truncate public.b",
        ];
        let granted = Grants::parse(granted).unwrap();
        let missing = ["delete public.b", "read public.a(y)"];
        assert_eq!(shown(&found.missing(&granted)), missing);
        let unused: Vec<_> = found
            .unused(&granted)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(unused, ["truncate public.b", "read public.a(z)"]);
        let none = shown(&found.missing(&Grants::default()));
        assert_eq!(none, shown(&found.needed()));
    }

    #[test]
    fn runs_are_taken_together_in_any_order() {
        let drop = Need::Owner {
            kind: Kind::Index,
            object: Object::Index,
            name: Name::new("public", "i").unwrap(),
        };
        let mut first = record(&[("DELETE FROM public.b", &[])]);
        first.text([&drop]);
        let second = record(&[("SELECT b.x FROM public.b", &[])]);
        let mut one = first.clone();
        one.merge(second.clone());
        let mut other = second;
        other.merge(first);
        let lines = [
            "delete public.b",
            "read public.b(x)",
            "? index (table of public.i)",
        ];
        assert_eq!(shown(&one.needed()), lines);
        assert_eq!(one.needed(), other.needed());
    }

    /// A guest can make up as many names as it likes.
    #[test]
    fn a_record_knows_when_it_is_full() {
        let mut found = Record::default();
        for number in 0..MAX_LINES {
            assert!(!found.is_full());
            found.host(grant(&format!("read public.t{number}")));
        }
        assert!(found.is_full());
    }
}
