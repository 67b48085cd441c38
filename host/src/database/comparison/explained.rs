//! Which changes of the catalog the grants of a phase explain. Pure.

use super::{Change, Explained, How};
use crate::guard::grants::{Action, Grant, Grants, Kind, Subject};

/// The changes that nothing explains which was granted.
pub fn unexplained(changes: Vec<Change>, grants: &Grants) -> Vec<Change> {
    let explains = |change: &Change| grants.iter().any(|grant| explained(change, grant));
    changes
        .into_iter()
        .filter(|change| !explains(change))
        .collect()
}

/// Whether one grant explains a change: an object comes and goes with what it belongs to, and nothing that
/// stays changes but as it is granted by name.
pub(super) fn explained(change: &Change, grant: &Grant) -> bool {
    let appears = matches!(change.how, How::Added | How::Removed);
    match (&change.explained_by, &grant.subject) {
        (Some(Explained::Extension(name)), Subject::Extension(granted, _)) => {
            return appears && (*name == granted.to_string() || name == granted.as_str());
        }
        (Some(Explained::Extension(_)), _) => return false,
        (
            Some(Explained::Constraint {
                tables, referenced, ..
            }),
            subject,
        ) => {
            let name = subject.name().map(ToString::to_string);
            let on = |tables: &[String]| name.as_ref().is_some_and(|name| tables.contains(name));
            // a foreign key to a table is made anew where its columns get another type, and for each partition
            let anew = [
                Action::AttachPartition,
                Action::ColumnType,
                Action::DetachPartition,
            ];
            return appears
                && (on(tables) && makes_constraints(grant) || on(referenced) && may(grant, &anew));
        }
        (Some(Explained::Relation(relation)), subject) => {
            return subject
                .name()
                .is_some_and(|name| name.to_string() == *relation)
                && comes_with_relation(change, grant);
        }
        (Some(Explained::Type(name)), subject) => {
            let named = subject
                .name()
                .is_some_and(|granted| granted.to_string() == *name);
            return appears && named && makes_or_drops(grant.kind, None);
        }
        (None, _) => {}
    }
    by_itself(change, grant, appears)
}

fn by_itself(change: &Change, grant: &Grant, appears: bool) -> bool {
    let what = change.what.as_str();
    let name = grant.subject.name().map(ToString::to_string);
    let named = name.as_deref() == Some(what);
    // what a table takes along, written as `x on schema.table`
    let on_it = |word: &str| {
        let (table, rest) = (name.as_deref(), what.rsplit_once(word));
        table.is_some() && rest.map(|(_, of)| of) == table
    };
    match change.class {
        "extension" => match &grant.subject {
            Subject::Extension(granted, _) => appears && granted.to_string() == what,
            _ => false,
        },
        "schema" => match &grant.subject {
            Subject::Schema(granted) => change.how == How::Added && granted.to_string() == what,
            _ => false,
        },
        "relation" if appears => named && makes_or_drops(grant.kind, change.kind.as_deref()),
        "relation" => match &change.how {
            How::Changed(fields) => fields.iter().all(|field| match field.as_str() {
                // a new name is granted as if it were made
                "name" => named && makes_or_drops(grant.kind, change.kind.as_deref()),
                "options" => {
                    named && (may(grant, &[Action::Storage]) || grant.kind == Kind::CreateView)
                }
                _ => false,
            }),
            _ => false,
        },
        "type" => appears && named && makes_or_drops(grant.kind, None),
        "column acl" => {
            let of_table = name.is_some_and(|name| what.starts_with(&format!("{name}.")));
            change.how == How::Removed
                && of_table
                && (grant.kind == Kind::DropTable || may(grant, &[Action::DropColumn]))
        }
        "function" => {
            let of_name = name.is_some_and(|name| what.starts_with(&format!("{name}(")));
            of_name && grant.kind == Kind::CodeFunction
        }
        "trigger" | "policy" | "rule" => {
            let gone = change.how == How::Removed && on_it(" on ");
            let table = matches!(
                grant.kind,
                Kind::DropTable | Kind::DropView | Kind::DropMatview
            );
            // of a partition: the triggers of the table that it becomes a part of
            let partition = appears
                && change.class == "trigger"
                && on_it(" on ")
                && (grant.kind == Kind::CreateTable
                    || may(grant, &[Action::AttachPartition, Action::DetachPartition]));
            gone && table || partition || is_code(change, grant)
        }
        "inheritance" => {
            let parent =
                on_it(" of ") && may(grant, &[Action::AttachPartition, Action::DetachPartition]);
            let child = name.is_some_and(|name| what.starts_with(&format!("{name} of ")));
            appears && (parent || child && grant.kind == Kind::DropTable)
        }
        "publication relation" => {
            let table = name.is_some_and(|name| what.starts_with(&format!("{name} in ")));
            change.how == How::Removed && table && grant.kind == Kind::DropTable
        }
        _ => false,
    }
}

/// Whether the grant is for the code of that trigger or policy, which is named in its table's schema.
fn is_code(change: &Change, grant: &Grant) -> bool {
    let kind = match change.class {
        "trigger" => Kind::CodeTrigger,
        "policy" => Kind::CodePolicy,
        _ => return false,
    };
    let Some(name) = grant.subject.name() else {
        return false;
    };
    let of_name = format!("{} on {}.", name.name, name.schema);
    grant.kind == kind && change.what.starts_with(&of_name)
}

fn may(grant: &Grant, actions: &[Action]) -> bool {
    match &grant.subject {
        Subject::Actions(_, granted) => actions.iter().any(|action| granted.contains(action)),
        _ => false,
    }
}

/// Whether constraints of the grant's table come and go with what it allows.
fn makes_constraints(grant: &Grant) -> bool {
    matches!(grant.kind, Kind::CreateTable | Kind::DropTable)
        || may(
            grant,
            &[
                Action::AddColumn,
                Action::AddConstraint,
                Action::AttachPartition,
                Action::ColumnType,
                Action::DetachPartition,
                Action::DropColumn,
                Action::DropConstraint,
                Action::ValidateConstraint,
            ],
        )
}

/// Whether what belongs to a relation comes, goes or changes with what the grant allows: its row type, the
/// sequences of its columns, a view's rule.
fn comes_with_relation(change: &Change, grant: &Grant) -> bool {
    let fields = |allowed: &[&str]| match &change.how {
        How::Changed(fields) => fields.iter().all(|field| allowed.contains(&field.as_str())),
        _ => true,
    };
    match change.class {
        "rule" => matches!(
            grant.kind,
            Kind::CreateView | Kind::DropView | Kind::CreateMatview | Kind::DropMatview
        ),
        "relation" => {
            fields(&[])
                && (makes_or_drops(grant.kind, None)
                    || may(
                        grant,
                        &[Action::AddColumn, Action::Default, Action::DropColumn],
                    ))
        }
        // a table's new name is its row type's too
        "type" => fields(&["typname"]) && makes_or_drops(grant.kind, None),
        _ => false,
    }
}

/// Whether the kind makes or drops relations of that `relkind`, or any object where none is said.
fn makes_or_drops(kind: Kind, relkind: Option<&str>) -> bool {
    match relkind {
        Some("r" | "p") => matches!(kind, Kind::CreateTable | Kind::DropTable),
        Some("v") => matches!(kind, Kind::CreateView | Kind::DropView),
        Some("m") => matches!(kind, Kind::CreateMatview | Kind::DropMatview),
        Some("S") => matches!(kind, Kind::CreateSequence | Kind::DropSequence),
        Some(_) => false,
        None => matches!(
            kind,
            Kind::CreateTable
                | Kind::DropTable
                | Kind::CreateView
                | Kind::DropView
                | Kind::CreateMatview
                | Kind::DropMatview
                | Kind::CreateSequence
                | Kind::DropSequence
                | Kind::CreateType
                | Kind::DropType
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(class: &'static str, what: &str, how: How) -> Change {
        let kind = (class == "relation").then(|| "r".to_owned());
        Change {
            class,
            what: what.into(),
            how,
            explained_by: None,
            kind,
        }
    }

    fn with(explained_by: Explained, class: &'static str, how: How) -> Change {
        Change {
            explained_by: Some(explained_by),
            ..change(class, "it", how)
        }
    }

    fn fields(names: &[&str]) -> How {
        How::Changed(names.iter().map(|name| (*name).into()).collect())
    }

    /// Fails unless just these grants explain the change.
    #[track_caller]
    fn by(change: &Change, lines: &[&str], not: &[&str]) {
        let explains = |line: &&str| {
            let grants = Grants::parse([*line]).unwrap();
            unexplained(vec![change.clone()], &grants).is_empty()
        };
        for line in lines {
            assert!(explains(line), "{line} does not explain {change:?}");
        }
        for line in not {
            assert!(!explains(line), "{line} explains {change:?}");
        }
    }

    #[test]
    fn what_is_made_and_dropped_is_explained_by_its_own_grant() {
        by(
            &change("relation", "public.a", How::Added),
            &["create table public.a", "drop table public.a"],
            &[
                "create table public.b",
                "create view public.a",
                "read public.a",
            ],
        );
        by(
            &change("function", "public.f(integer)", How::Added),
            &[&format!("code function public.f sha256={}", "0".repeat(64))],
            &[
                "call public.f(int)",
                &format!("code function public.fa sha256={}", "0".repeat(64)),
            ],
        );
        by(
            &change("trigger", "t on public.a", How::Added),
            &[
                &format!("code trigger public.t sha256={}", "0".repeat(64)),
                "create table public.a",
            ],
            &[
                "drop table public.a",
                &format!("code trigger app.t sha256={}", "0".repeat(64)),
            ],
        );
        by(
            &change("trigger", "t on public.a", How::Removed),
            &["drop table public.a"],
            &["drop table public.b", "index public.a"],
        );
        by(
            &change("schema", "app", How::Added),
            &["create schema app"],
            &["create schema apps"],
        );
        by(
            &change("schema", "app", How::Removed),
            &[],
            &["create schema app"],
        );
    }

    #[test]
    fn what_came_with_something_is_explained_by_the_grant_for_that() {
        let key = Explained::Constraint {
            name: "fk".into(),
            tables: vec!["public.a".into()],
            referenced: vec!["public.r".into()],
        };
        by(
            &with(key, "trigger", How::Added),
            &[
                "alter public.a: add-constraint",
                "drop table public.a",
                "alter public.r: column-type",
            ],
            &[
                "alter public.b: add-constraint",
                "alter public.r: add-constraint",
                "alter public.a: rename",
                "reference public.a",
            ],
        );
        by(
            &with(
                Explained::Extension("pg_trgm".into()),
                "function",
                How::Added,
            ),
            &["extension pg_trgm in public"],
            &["extension unaccent in public"],
        );
        let row_type = Explained::Relation("public.a".into());
        by(
            &with(row_type.clone(), "type", How::Added),
            &["create table public.a"],
            &["create table public.b", "alter public.a: add-column"],
        );
        by(
            &with(row_type, "relation", How::Added),
            &["create table public.a", "alter public.a: add-column"],
            &["read public.a"],
        );
        by(
            &with(Explained::Type("public.mood".into()), "type", How::Added),
            &["create type public.mood"],
            &["use-type public.mood"],
        );
    }

    /// Whoever may make a table may not change who owns one that is there.
    #[test]
    fn an_owner_and_a_privilege_are_never_explained() {
        let all = [
            "create table public.a",
            "drop table public.a",
            "alter public.a: add-column, rename, storage",
            "extension pg_trgm in public",
        ];
        for field in ["acl", "owner", "row security", "schema"] {
            by(&change("relation", "public.a", fields(&[field])), &[], &all);
            let both = change("relation", "public.a", fields(&["name", field]));
            by(&both, &[], &all);
        }
        let extensions = with(
            Explained::Extension("pg_trgm".into()),
            "function",
            fields(&["proacl"]),
        );
        by(&extensions, &[], &all);
        for class in [
            "default acl",
            "role",
            "membership",
            "event trigger",
            "cast",
            "operator",
        ] {
            by(&change(class, "public.a", How::Added), &[], &all);
        }
        by(&change("column acl", "public.a.x", How::Added), &[], &all);
    }

    #[test]
    fn a_change_of_what_stays_is_explained_field_by_field() {
        by(
            &change("relation", "public.a", fields(&["options"])),
            &["alter public.a: storage"],
            &["alter public.a: rename", "alter public.b: storage"],
        );
        by(
            &change("relation", "public.new", fields(&["name"])),
            &["create table public.new"],
            &["alter public.new: rename"],
        );
        by(
            &change("column acl", "public.a.x", How::Removed),
            &["alter public.a: drop-column", "drop table public.a"],
            &["alter public.ax: drop-column"],
        );
        by(
            &change("inheritance", "public.a of public.b", How::Added),
            &["alter public.b: attach-partition"],
            &["create table public.a", "alter public.a: attach-partition"],
        );
    }
}
