//! Which line of `[grants]` would explain a change of the catalog that none explains. Pure.

use super::explained::explained;
use super::{Change, Explained, How};
use crate::guard::grants::Grant;

/// For each change the line that would explain it, where there is one. What came with something else is explained by
/// the line for that. Code that is made or dropped by other code is not: its line holds a digest of a statement of the
/// migration's own.
pub fn remedies(changes: &[Change]) -> Vec<Option<String>> {
    let own: Vec<String> = changes.iter().flat_map(own).collect();
    let remedy = |change: &Change| {
        if let Some(Explained::Extension(name)) = &change.explained_by {
            return by_extension(change, name);
        }
        if change.class == "extension" {
            return by_extension(change, &change.what);
        }
        let mut lines = own.iter().cloned().chain(of_others(change));
        lines.find(|line| Grant::parse(line).is_ok_and(|grant| explained(change, &grant)))
    };
    changes.iter().map(remedy).collect()
}

/// Where an extension's objects lie, its operator says.
fn by_extension(change: &Change, name: &str) -> Option<String> {
    let appears = matches!(change.how, How::Added | How::Removed);
    appears.then(|| format!("extension {name} in SCHEMA"))
}

/// The lines that are for an object itself.
fn own(change: &Change) -> Option<String> {
    let Change { class, what, .. } = change;
    let verb = match &change.how {
        How::Added => "create",
        How::Removed => "drop",
        How::Changed(fields) if fields == &["name"] => "create",
        How::Changed(_) => return None,
    };
    let object = match (*class, change.kind.as_deref()) {
        _ if change.explained_by.is_some() => return None,
        ("relation", Some("r" | "p")) => "table",
        ("relation", Some("v")) => "view",
        ("relation", Some("m")) => "matview",
        ("relation", Some("S")) => "sequence",
        ("type", _) => "type",
        ("schema", _) => "schema",
        _ => return None,
    };
    Some(format!("{verb} {object} {what}"))
}

/// The lines that are for what an object belongs to, the least dangerous first.
fn of_others(change: &Change) -> Vec<String> {
    let Change { class, what, .. } = change;
    let action = |added: &str, removed: &str| match change.how {
        How::Added => added.to_owned(),
        How::Removed => removed.to_owned(),
        How::Changed(_) => "storage".to_owned(),
    };
    let alter = |table: &str, action: String| format!("alter {table}: {action}");
    match &change.explained_by {
        Some(Explained::Constraint {
            tables, referenced, ..
        }) => {
            let constraint = action("add-constraint", "drop-constraint");
            let tables = tables.iter().map(|table| alter(table, constraint.clone()));
            let anew = referenced
                .iter()
                .map(|table| alter(table, "column-type".to_owned()));
            tables.chain(anew).collect()
        }
        Some(Explained::Relation(relation)) => {
            let verb = action("create", "drop");
            vec![
                alter(relation, action("add-column", "drop-column")),
                format!("{verb} view {relation}"),
                format!("{verb} table {relation}"),
            ]
        }
        Some(Explained::Type(name)) => vec![format!("{} type {name}", action("create", "drop"))],
        Some(Explained::Extension(_)) => Vec::new(),
        None => match (*class, what.rsplit_once(" of ")) {
            ("inheritance", Some((_, parent))) => {
                vec![alter(
                    parent,
                    action("attach-partition", "detach-partition"),
                )]
            }
            ("relation", _) => vec![alter(what, action("", "")), format!("create view {what}")],
            ("column acl", _) => {
                let table = what.rsplit_once('.').map(|(table, _)| table);
                (table.into_iter())
                    .map(|table| alter(table, "drop-column".to_owned()))
                    .collect()
            }
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(class: &'static str, what: &str, how: How, kind: Option<&str>) -> Change {
        Change {
            class,
            what: what.to_owned(),
            how,
            explained_by: None,
            kind: kind.map(str::to_owned),
        }
    }

    fn with(explained_by: Explained, change: Change) -> Change {
        Change {
            explained_by: Some(explained_by),
            ..change
        }
    }

    fn changed(field: &str) -> How {
        How::Changed(vec![field.to_owned()])
    }

    /// Each line that is told explains its change, as `remedies` tells none that does not.
    #[test]
    fn a_change_is_explained_by_the_line_that_is_told() {
        let key = || Explained::Constraint {
            name: "k".to_owned(),
            tables: vec!["public.a".to_owned()],
            referenced: vec!["public.r".to_owned()],
        };
        let of_table = || Explained::Relation("public.a".to_owned());
        let extension = || Explained::Extension("pg_trgm".to_owned());
        let relation = |kind, how| change("relation", "public.\"A\"", how, Some(kind));
        for (change, line) in [
            (relation("r", How::Added), Some("create table public.\"A\"")),
            (relation("p", How::Removed), Some("drop table public.\"A\"")),
            (relation("v", How::Added), Some("create view public.\"A\"")),
            (
                relation("m", How::Removed),
                Some("drop matview public.\"A\""),
            ),
            (
                relation("S", How::Added),
                Some("create sequence public.\"A\""),
            ),
            (
                relation("r", changed("name")),
                Some("create table public.\"A\""),
            ),
            (
                relation("r", changed("options")),
                Some("alter public.\"A\": storage"),
            ),
            (
                change("type", "public.y", How::Added, Some("e")),
                Some("create type public.y"),
            ),
            (
                change("schema", "app", How::Added, None),
                Some("create schema app"),
            ),
            (
                with(key(), change("trigger", "t", How::Removed, None)),
                Some("alter public.a: drop-constraint"),
            ),
            (
                with(
                    of_table(),
                    change("relation", "public.a_seq", How::Added, Some("S")),
                ),
                Some("alter public.a: add-column"),
            ),
            (
                with(of_table(), change("rule", "r", How::Added, None)),
                Some("create view public.a"),
            ),
            (
                with(
                    extension(),
                    change("function", "public.f()", How::Added, None),
                ),
                Some("extension pg_trgm in SCHEMA"),
            ),
            (
                change("inheritance", "public.a of public.b", How::Removed, None),
                Some("alter public.b: detach-partition"),
            ),
            (
                change("column acl", "public.a.x", How::Removed, None),
                Some("alter public.a: drop-column"),
            ),
            (relation("f", How::Added), None),
            (relation("r", changed("owner")), None),
            (change("schema", "app", How::Removed, None), None),
            (change("function", "public.f()", How::Added, None), None),
            (change("policy", "p on public.a", How::Added, None), None),
            (change("role", "r", How::Added, None), None),
            (
                with(extension(), change("function", "f", changed("acl"), None)),
                None,
            ),
        ] {
            assert_eq!(
                remedies(std::slice::from_ref(&change))[0].as_deref(),
                line,
                "{change:?}"
            );
        }
    }

    #[test]
    fn what_goes_with_an_object_is_explained_by_its_line() {
        let changes = [
            change("relation", "public.a", How::Removed, Some("r")),
            with(
                Explained::Relation("public.a".to_owned()),
                change("relation", "public.a_seq", How::Removed, Some("S")),
            ),
            change("inheritance", "public.a of public.b", How::Removed, None),
            change("trigger", "t on public.a", How::Removed, None),
        ];
        for line in remedies(&changes) {
            assert_eq!(line.as_deref(), Some("drop table public.a"));
        }
    }
}
