//! The columns of protected data that an author names, and which phases reach them.

use serde::Serialize;

use super::Granted;
use crate::guard::grants::name::Name;
use crate::guard::grants::{Action, Kind, Subject};
use crate::migration::Phase;

/// A column of protected data, or several of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Protected {
    /// What the author wrote.
    pub what: String,
    /// Whether that names columns of a table in a schema, or a table that a grant names; else no phase is told.
    pub understood: bool,
    /// Whether a grant names the table.
    pub granted: bool,
    /// The phases that may read it.
    pub read: Vec<Phase>,
    /// The phases that may add, change or remove it.
    pub changed: Vec<Phase>,
    /// The phases that may build indexes over it.
    pub indexed: Vec<Phase>,
}

/// How a grant reaches a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Read,
    Changed,
    Indexed,
}

/// What each entry of the manifest's `phi` comes to under these grants.
pub(super) fn protected(phi: &[String], grants: &[Granted]) -> Vec<Protected> {
    phi.iter().map(|entry| one(entry, grants)).collect()
}

fn one(entry: &str, grants: &[Granted]) -> Protected {
    let columns = Columns::read(entry);
    let phases = |wanted: Reach| {
        let reaches = |granted: &&Granted| {
            let meets = |columns: &Columns| columns.meet(&granted.grant.subject);
            granted.idle.is_none()
                && reach(granted) == Some(wanted)
                && columns.as_ref().is_some_and(meets)
        };
        let mut phases: Vec<Phase> = grants
            .iter()
            .filter(reaches)
            .map(|granted| granted.phase)
            .collect();
        phases.dedup();
        phases
    };
    let granted = columns.as_ref().is_some_and(|columns| {
        let mut grants = grants.iter();
        grants.any(|granted| columns.are_of(&granted.grant.subject))
    });
    Protected {
        what: entry.to_owned(),
        // `table.column` looks like a table in a schema
        understood: (columns.as_ref())
            .is_some_and(|columns| granted || !columns.columns.is_empty()),
        granted,
        read: phases(Reach::Read),
        changed: phases(Reach::Changed),
        indexed: phases(Reach::Indexed),
    }
}

fn reach(granted: &Granted) -> Option<Reach> {
    match granted.grant.kind {
        Kind::Read => Some(Reach::Read),
        Kind::Insert | Kind::Update | Kind::Delete | Kind::Truncate => Some(Reach::Changed),
        Kind::DropTable | Kind::DropMatview | Kind::Refresh => Some(Reach::Changed),
        Kind::Alter => match &granted.grant.subject {
            Subject::Actions(_, actions) => {
                let changes = [Action::ColumnType, Action::Default, Action::DropColumn];
                changes
                    .iter()
                    .any(|action| actions.contains(action))
                    .then_some(Reach::Changed)
            }
            _ => Some(Reach::Changed),
        },
        Kind::Index => Some(Reach::Indexed),
        _ => None,
    }
}

/// `schema.table(column, ...)`, or a table. Authors write the names with and without quotes, so they are compared
/// without, and without regard to case: in doubt a grant reaches the column.
struct Columns {
    schema: String,
    table: String,
    columns: Vec<String>,
}

impl Columns {
    fn read(entry: &str) -> Option<Self> {
        let bare = |name: &str| name.trim().trim_matches('"').replace("\"\"", "\"");
        let (relation, columns) = match entry.split_once('(') {
            Some((relation, rest)) => (relation, rest.trim_end().strip_suffix(')')?),
            None => (entry, ""),
        };
        let (schema, table) = relation.split_once('.')?;
        let columns = columns.split(',').map(bare);
        let read = Columns {
            schema: bare(schema),
            table: bare(table),
            columns: columns.filter(|column| !column.is_empty()).collect(),
        };
        (!read.schema.is_empty() && !read.table.is_empty()).then_some(read)
    }

    /// Whether the subject is their table.
    fn are_of(&self, subject: &Subject) -> bool {
        subject.name().is_some_and(|Name { schema, name }| {
            self.schema.eq_ignore_ascii_case(schema.as_str())
                && self.table.eq_ignore_ascii_case(name.as_str())
        })
    }

    fn meet(&self, subject: &Subject) -> bool {
        let named = |granted: &str| {
            let mut columns = self.columns.iter();
            columns.any(|one| one.eq_ignore_ascii_case(granted))
        };
        self.are_of(subject)
            && match subject {
                Subject::Columns(_, granted) if !granted.is_empty() && !self.columns.is_empty() => {
                    granted.iter().any(|column| named(column.as_str()))
                }
                _ => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_column_is_reached_by_grants_on_it_and_on_the_whole_table() {
        let review = sample(
            &["query", "execute", "checks"],
            "phi = ['public.a(firstName)', 'public.a(\"x\", b)', 'public.b', 'all names', 'public.c(x)', 'a.x', 'public.aa(x)']\n[grants]\n\
             up = ['read public.a(\"firstName\")', 'index public.b', 'delete public.b', 'update public.a(b)']\n\
             down = ['read public.a', 'alter public.c: rename', 'update public.a(c)']\n\
             verify = ['read public.c(x)', 'delete public.a']\n",
        );
        use Phase::{Down, Up, Verify};
        let found = |place: usize| {
            let Protected {
                read,
                changed,
                indexed,
                ..
            } = review.protected[place].clone();
            (read, changed, indexed)
        };
        assert_eq!(found(0), (vec![Up, Down], vec![], vec![]));
        assert_eq!(found(1), (vec![Down], vec![Up], vec![]));
        assert_eq!(found(2), (vec![], vec![Up], vec![Up]));
        assert_eq!(found(4), (vec![Verify], vec![], vec![]));
        let known = |place: usize| {
            let found = &review.protected[place];
            (found.understood, found.granted)
        };
        assert_eq!(known(0), (true, true));
        assert_eq!(known(3), (false, false));
        // a column without its table's schema, and a table that is misspelt
        assert_eq!((known(5), known(6)), ((false, false), (true, false)));
    }

    #[test]
    fn a_table_whose_columns_change_changes_them() {
        for (grant, changes) in [
            ("alter public.a: drop-column", true),
            ("alter public.a: add-column, column-type", true),
            ("alter public.a: add-column", false),
            ("truncate public.a", true),
            ("drop table public.a", true),
            ("insert public.a", true),
            ("insert public.aa", false),
            ("insert x.a", false),
            ("lock public.a", false),
        ] {
            let review = sample(
                &["execute"],
                &format!("phi = ['public.a(x)']\n[grants]\nup = ['{grant}']\n"),
            );
            assert_eq!(!review.protected[0].changed.is_empty(), changes, "{grant}");
        }
    }
}
