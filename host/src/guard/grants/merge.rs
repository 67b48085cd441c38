//! Grants taken together: several lines on one object become one, and what one list has beyond another.

use std::collections::BTreeSet;

use super::name::{Ident, Name};
use super::{Action, Grant, Grants, Subject};

impl Grants {
    /// Adds a grant. On a table there is one line of a kind: with the columns or the ways of all, where none
    /// is of the whole table.
    pub fn add(&mut self, grant: Grant) {
        let kind = grant.kind;
        for line in self.0.iter_mut().filter(|line| line.kind == kind) {
            match (&mut line.subject, &grant.subject) {
                (Subject::Columns(table, have), Subject::Columns(other, more))
                    if table == other =>
                {
                    match more.is_empty() {
                        true => have.clear(),
                        false if have.is_empty() => {}
                        false => have.extend(more.iter().cloned()),
                    }
                    return;
                }
                (Subject::Actions(table, have), Subject::Actions(other, more))
                    if table == other =>
                {
                    have.extend(more);
                    return;
                }
                (have, more) if have == more => return,
                _ => {}
            }
        }
        let place = self.0.partition_point(|line| *line < grant);
        self.0.insert(place, grant);
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these grants have that others have not, column by column and way by way. A whole table is more
    /// than any of its columns.
    pub fn beyond(&self, others: &Grants) -> Grants {
        Grants(
            self.0
                .iter()
                .filter_map(|line| rest(line, others))
                .collect(),
        )
    }
}

/// What is left of a line without what others have.
fn rest(line: &Grant, others: &Grants) -> Option<Grant> {
    let others = || others.0.iter().filter(|other| other.kind == line.kind);
    let subject = match &line.subject {
        Subject::Columns(table, columns) if !columns.is_empty() => {
            let mut columns = columns.clone();
            for other in others() {
                take_columns(&mut columns, table, &other.subject);
            }
            (!columns.is_empty()).then(|| Subject::Columns(table.clone(), columns))
        }
        Subject::Actions(table, actions) => {
            let mut actions: BTreeSet<Action> = actions.clone();
            for other in others() {
                if let Subject::Actions(of, taken) = &other.subject
                    && of == table
                {
                    actions.retain(|action| !taken.contains(action));
                }
            }
            (!actions.is_empty()).then(|| Subject::Actions(table.clone(), actions))
        }
        whole => (!others().any(|other| other.subject == *whole)).then(|| whole.clone()),
    };
    subject.map(|subject| Grant {
        kind: line.kind,
        subject,
    })
}

fn take_columns(columns: &mut BTreeSet<Ident>, table: &Name, other: &Subject) {
    match other {
        Subject::Columns(of, all) if of == table && all.is_empty() => columns.clear(),
        Subject::Columns(of, taken) if of == table => columns.retain(|one| !taken.contains(one)),
        _ => {}
    }
}

/// Each is added in turn.
impl Extend<Grant> for Grants {
    fn extend<T: IntoIterator<Item = Grant>>(&mut self, grants: T) {
        for grant in grants {
            self.add(grant);
        }
    }
}

/// Taken together, as [`Grants::add`] does.
impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(grants: T) -> Self {
        let mut all = Grants::default();
        all.extend(grants);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(lines: &[&str]) -> Grants {
        lines
            .iter()
            .map(|line| Grant::parse(line).unwrap())
            .collect()
    }

    fn shown(grants: &Grants) -> Vec<String> {
        grants.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn there_is_one_line_of_a_kind_on_a_table() {
        let lines = [
            "catalog",
            "read public.a(y, x)",
            "alter public.a: rename",
            "read public.b(x)",
            "read public.a(x, z)",
            "alter public.a: add-column",
            "update public.a(x)",
            "catalog",
            "delete public.b",
            "index public.a",
            "index public.b",
        ];
        let canonical = [
            "delete public.b",
            "update public.a(x)",
            "read public.a(x, y, z)",
            "read public.b(x)",
            "alter public.a: add-column, rename",
            "index public.a",
            "index public.b",
            "catalog",
        ];
        assert_eq!(shown(&merged(&lines)), canonical);
        let mut backwards = lines;
        backwards.reverse();
        assert_eq!(merged(&backwards), merged(&lines));
        let read = Grants::parse(canonical).unwrap();
        assert_eq!(read, merged(&lines), "it is as a manifest's list is");
    }

    #[test]
    fn the_whole_table_wins_before_and_after() {
        for lines in [
            ["read public.a", "read public.a(x)"],
            ["read public.a(x)", "read public.a"],
        ] {
            assert_eq!(shown(&merged(&lines)), ["read public.a"]);
        }
    }

    #[test]
    fn what_is_beyond_is_told_by_columns_and_ways() {
        for (have, others, beyond) in [
            (
                "read public.a(x, y)",
                "read public.a(x)",
                Some("read public.a(y)"),
            ),
            ("read public.a(x)", "read public.a", None),
            ("read public.a", "read public.a(x)", Some("read public.a")),
            (
                "read public.a(x)",
                "update public.a(x)",
                Some("read public.a(x)"),
            ),
            (
                "read public.a(x)",
                "read public.b",
                Some("read public.a(x)"),
            ),
            (
                "alter public.a: rename, storage",
                "alter public.a: rename",
                Some("alter public.a: storage"),
            ),
            (
                "alter public.a: rename",
                "alter public.a: rename, storage",
                None,
            ),
            ("catalog", "catalog", None),
            ("index public.a", "index public.b", Some("index public.a")),
        ] {
            let found = merged(&[have]).beyond(&merged(&[others]));
            assert_eq!(shown(&found), Vec::from_iter(beyond), "{have}");
        }
    }
}
