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
    /// Whether that names columns or a table in a schema; else no phase is told.
    pub understood: bool,
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
            let Some(columns) = &columns else {
                return false;
            };
            granted.idle.is_none()
                && reach(granted) == Some(wanted)
                && columns.meet(&granted.grant.subject)
        };
        let mut phases: Vec<Phase> = grants
            .iter()
            .filter(reaches)
            .map(|granted| granted.phase)
            .collect();
        phases.dedup();
        phases
    };
    Protected {
        what: entry.to_owned(),
        understood: columns.is_some(),
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

    fn meet(&self, subject: &Subject) -> bool {
        let Some(Name { schema, name }) = subject.name() else {
            return false;
        };
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        if !same(&self.schema, schema.as_str()) || !same(&self.table, name.as_str()) {
            return false;
        }
        match subject {
            Subject::Columns(_, granted) if !granted.is_empty() && !self.columns.is_empty() => {
                let named = |granted: &str| self.columns.iter().any(|one| same(one, granted));
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
            &["query", "checks"],
            "phi = ['public.a(firstName)', 'public.a(\"x\", b)', 'public.b', 'all names', 'public.c(x)']\n[grants]\n\
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
        assert!(!review.protected[3].understood && review.protected[0].understood);
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
