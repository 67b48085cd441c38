//! The statements that make, fill and drop a run role. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::lookup::{Lookup, Object};
use super::{Privileges, Verb};
use crate::database::{label, qualified, quoted};

/// Makes the role. It can't log in and is a member of nothing. A login that is no superuser must be made a
/// member, to act as it, and *with* its privileges: DROP OWNED asks for them. They are no more than the
/// login's own. Where not everybody may make what is temporary, it may. Source: PostgreSQL, "GRANT", "GRANT on
/// Roles"; the options are of 16.
pub(super) fn create(name: &str, lookup: &Lookup, server: u32) -> String {
    let role = quoted(name);
    let member = !lookup.superuser;
    let mut sql = format!("CREATE ROLE {role} NOLOGIN NOINHERIT; ");
    if member {
        let options = if server >= 16 {
            " WITH INHERIT TRUE, SET TRUE"
        } else {
            ""
        };
        let _ = write!(sql, "GRANT {role} TO CURRENT_USER{options}; ");
    }
    if !lookup.temporary && lookup.may_temporary {
        let database = quoted(&lookup.database);
        let _ = write!(sql, "GRANT TEMPORARY ON DATABASE {database} TO {role}; ");
    }
    sql
}

/// Drops the role. DROP OWNED takes away what was granted to it, in the words of the catalog: also on what was
/// renamed since.
pub(super) fn drop(name: &str) -> String {
    let role = quoted(name);
    format!("SET LOCAL ROLE NONE; DROP OWNED BY {role}; DROP ROLE {role}")
}

/// The grants on what exists, a statement for all tables with the same verbs. What PUBLIC has is not granted
/// again, which spares the rows of the catalog.
pub(super) fn grants(
    privileges: &Privileges,
    lookup: &Lookup,
    name: &str,
) -> Result<String, String> {
    let role = quoted(name);
    let login = &lookup.login;
    let mut by_clause: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sequences: BTreeMap<&str, &Object> = BTreeMap::new();
    let named = privileges.all_tables();
    for table in &lookup.tables {
        let Some((schema, name)) = named.get(table.place) else {
            continue;
        };
        if !table.may {
            return Err(not_ours(login, &table.owner, &label(schema, name)));
        }
        let clause = clause(privileges, schema, name, &table.columns);
        if clause.is_empty() {
            continue;
        }
        if clause.contains("INSERT") {
            sequences.extend(table.sequences.iter().map(|found| (&*found.sql, found)));
        }
        let sql = qualified(schema, name);
        by_clause.entry(clause).or_default().push(sql);
    }
    let mut sql = String::new();
    for (clause, tables) in by_clause {
        let _ = write!(
            sql,
            "GRANT {clause} ON TABLE {} TO {role}; ",
            tables.join(", ")
        );
    }
    let sequences: Vec<&Object> = sequences.into_values().collect();
    let refer = |objects: &'static str, found: Vec<&Object>, sql: &mut String| {
        let missing: Vec<&Object> = found.into_iter().filter(|found| !found.public).collect();
        if let Some(object) = missing.iter().find(|object| !object.may) {
            return Err(not_ours(login, &object.owner, &object.sql));
        }
        let names: BTreeSet<&str> = missing.iter().map(|object| &*object.sql).collect();
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            let _ = write!(sql, "GRANT {objects} {} TO {role}; ", names.join(", "));
        }
        Ok(())
    };
    refer("USAGE ON SEQUENCE", sequences, &mut sql)?;
    refer(
        "USAGE, UPDATE ON SEQUENCE",
        lookup.sequences.iter().collect(),
        &mut sql,
    )?;
    refer(
        "EXECUTE ON ROUTINE",
        lookup.routines.iter().collect(),
        &mut sql,
    )?;
    refer("USAGE ON TYPE", lookup.types.iter().collect(), &mut sql)?;
    refer("USAGE ON SCHEMA", lookup.schemas.iter().collect(), &mut sql)?;
    Ok(sql)
}

/// The verbs on one table with the columns that it has: a verb on all columns covers one on some.
fn clause(privileges: &Privileges, schema: &str, name: &str, existing: &[String]) -> String {
    let mut verbs: BTreeMap<Verb, Option<BTreeSet<&str>>> = BTreeMap::new();
    let granted = privileges.tables.iter();
    for table in granted.filter(|table| table.schema == schema && table.name == name) {
        let knows_columns = !matches!(table.verb, Verb::Delete | Verb::Truncate);
        let columns = table.columns.iter().map(String::as_str);
        let entry = verbs.entry(table.verb).or_insert(Some(BTreeSet::new()));
        match entry {
            Some(known) if knows_columns && !table.columns.is_empty() => known.extend(columns),
            entry => *entry = None,
        }
    }
    let mut parts = Vec::new();
    for (verb, columns) in verbs {
        let word = match verb {
            Verb::Select => "SELECT",
            Verb::Insert => "INSERT",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
            Verb::Truncate => "TRUNCATE",
        };
        parts.push(match columns {
            None => word.to_owned(),
            Some(columns) => {
                let there = |column: &&str| existing.iter().any(|known| known == column);
                let columns: Vec<String> = columns.into_iter().filter(there).map(quoted).collect();
                if columns.is_empty() {
                    continue;
                }
                format!("{word} ({})", columns.join(", "))
            }
        });
    }
    parts.join(", ")
}

fn not_ours(login: &str, owner: &str, what: &str) -> String {
    format!(
        "the login {login} can't grant on {what}: it belongs to {owner}, of which {login} is no member"
    )
}

#[cfg(test)]
mod tests {
    use super::super::TablePrivilege;
    use super::*;

    fn lookup() -> Lookup {
        serde_json::from_value(serde_json::json!({
            "login": "app", "superuser": false, "createrole": true, "inherits": true,
            "database": "d", "temporary": true, "may_temporary": false, "sql": true, "events": false,
            "tables": [
                {"place": 0, "owner": "own", "may": true, "sequences": [
                    {"sql": "s.a_id_seq", "owner": "own", "may": true, "public": false}],
                    "columns": ["x", "Y"]},
                {"place": 1, "owner": "own", "may": true, "sequences": []}],
            "schemas": [
                {"place": 0, "sql": "s", "owner": "own", "may": true, "public": true},
                {"place": 1, "sql": "t", "owner": "own", "may": true, "public": false}],
        }))
        .unwrap()
    }

    fn on(name: &str, verb: Verb, columns: &[&str]) -> TablePrivilege {
        TablePrivilege {
            schema: "s".into(),
            name: name.into(),
            verb,
            columns: columns.iter().map(|column| (*column).into()).collect(),
        }
    }

    #[test]
    fn tables_with_the_same_verbs_share_a_grant() {
        let privileges = Privileges {
            tables: vec![on("b", Verb::Insert, &[]), on("a", Verb::Insert, &["x"])],
            ..Privileges::default()
        };
        assert_eq!(
            grants(&privileges, &lookup(), "r\"").unwrap(),
            "GRANT INSERT ON TABLE \"s\".\"b\" TO \"r\"\"\"; \
             GRANT INSERT (\"x\") ON TABLE \"s\".\"a\" TO \"r\"\"\"; \
             GRANT USAGE ON SEQUENCE s.a_id_seq TO \"r\"\"\"; \
             GRANT USAGE ON SCHEMA t TO \"r\"\"\"; "
        );
        let privileges = Privileges {
            tables: vec![on("b", Verb::Select, &[]), on("a", Verb::Select, &[])],
            ..Privileges::default()
        };
        let sql = grants(&privileges, &lookup(), "r").unwrap();
        assert!(
            sql.starts_with("GRANT SELECT ON TABLE \"s\".\"a\", \"s\".\"b\" TO"),
            "{sql}"
        );
        assert!(!sql.contains("SEQUENCE"), "{sql}");
    }

    #[test]
    fn all_columns_cover_some_in_any_order_and_deleting_knows_none() {
        let of = |tables| {
            let privileges = Privileges {
                tables,
                ..Privileges::default()
            };
            clause(&privileges, "s", "a", &["x".to_owned(), "Y".to_owned()])
        };
        let (some, all) = (on("a", Verb::Select, &["x"]), on("a", Verb::Select, &[]));
        assert_eq!(of(vec![some.clone(), all.clone()]), "SELECT");
        assert_eq!(of(vec![all, some.clone()]), "SELECT");
        let other = on("a", Verb::Select, &["Y"]);
        assert_eq!(of(vec![some, other]), "SELECT (\"Y\", \"x\")");
        let gone = || on("a", Verb::Update, &["gone"]);
        assert_eq!(
            of(vec![gone(), on("a", Verb::Select, &["x"])]),
            "SELECT (\"x\")"
        );
        assert_eq!(of(vec![gone()]), "");
        assert_eq!(of(vec![on("a", Verb::Delete, &["x"])]), "DELETE");
    }

    #[test]
    fn an_owner_of_whom_the_login_is_no_member_is_named() {
        let mut lookup = lookup();
        lookup.tables[1].may = false;
        let privileges = Privileges {
            tables: vec![on("a", Verb::Select, &[]), on("b", Verb::Select, &[])],
            ..Privileges::default()
        };
        let why = grants(&privileges, &lookup, "r").unwrap_err();
        assert!(why.contains("s.b") && why.contains("own"), "{why}");
    }
}
