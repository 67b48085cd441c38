//! What a statement outside of transactions leaves, which commits by itself: what gives rights or holds code is
//! looked at before it and behind it. Nothing can be taken back then, so it only tells.
//!
//! Another session may have made a change meanwhile; whose it was, no catalog says. So only that is looked at which is
//! seldom changed beside a migration: not new tables and types, not roles and what else belongs to the whole cluster,
//! not what comes with a foreign key, a partition or a view, and not what lies in a temporary schema.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::catalogs::CATALOGS;
use super::{Change, How, Key, questions};
use crate::database::failure::Failure;
use crate::database::session::Session;

/// The catalogs that hold code, and who may do what.
const LOOKED_AT: &[&str] = &[
    "pg_class",
    "pg_attribute",
    "pg_trigger",
    "pg_rewrite",
    "pg_policy",
    "pg_proc",
    "pg_namespace",
    "pg_language",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_cast",
    "pg_operator",
    "pg_opclass",
    "pg_transform",
    "pg_foreign_server",
    "pg_publication",
];

/// The objects that users have made, and of the server's own those that were changed since it was first taken.
#[derive(Debug)]
pub struct Picture {
    since: String,
    objects: BTreeMap<Key, Object>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Object {
    what: String,
    /// A digest of what is compared.
    digest: String,
    /// Whether it comes and goes with something else.
    follows: bool,
}

#[derive(Deserialize)]
struct Taken {
    place: usize,
    key: String,
    #[serde(flatten)]
    object: Object,
}

/// Takes the picture, on a session without an open transaction that searches pg_catalog alone.
pub async fn picture(session: &Session) -> Result<Picture, Failure> {
    let now = "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text";
    let since = session.text(now, &[]).await?.unwrap_or_default();
    let objects = objects(session, &since).await?;
    Ok(Picture { since, objects })
}

/// What has changed since then, by whomever.
pub async fn changes_since(session: &Session, before: &Picture) -> Result<Vec<Change>, Failure> {
    let after = objects(session, &before.since).await?;
    Ok(changed(&before.objects, &after))
}

async fn objects(session: &Session, since: &str) -> Result<BTreeMap<Key, Object>, Failure> {
    let places = questions::places(session.server(), false);
    let watched = |place: &usize| {
        let catalog = CATALOGS.get(*place);
        catalog.is_some_and(|catalog| LOOKED_AT.contains(&catalog.table))
    };
    let sql = questions::picture(&places.into_iter().filter(watched).collect());
    let taken: Option<Vec<Taken>> = session.json(&sql, &[since]).await?;
    let taken = taken.unwrap_or_default().into_iter();
    Ok(taken
        .map(|taken| ((taken.place, taken.key), taken.object))
        .collect())
}

fn changed(before: &BTreeMap<Key, Object>, after: &BTreeMap<Key, Object>) -> Vec<Change> {
    let gone = before
        .iter()
        .filter(|(key, _)| !after.contains_key(*key))
        .map(|(key, object)| (key, object, How::Removed));
    let there = after.iter().filter_map(|(key, object)| {
        let how = match before.get(key) {
            Some(known) if known.digest == object.digest => return None,
            // what is the server's own was only not looked at
            None if !is_the_servers_own(key) => How::Added,
            _ => How::Changed(vec!["definition, owner or privileges".to_owned()]),
        };
        Some((key, object, how))
    });
    let all = gone.chain(there);
    all.filter(|(key, object, how)| {
        let appears = matches!(how, How::Added | How::Removed);
        !object.what.starts_with("pg_temp") && !(appears && (object.follows || is_relation(key)))
    })
    .map(|((place, _), object, how)| Change {
        class: CATALOGS
            .get(*place)
            .map_or("object", |catalog| catalog.class),
        what: object.what.clone(),
        how,
        explained_by: None,
        kind: None,
    })
    .collect()
}

/// Oids from 16384 on are given to what users make. Source: PostgreSQL, "System Catalog Initial Data".
fn is_the_servers_own((_, key): &Key) -> bool {
    key.parse::<u32>().is_ok_and(|oid| oid < 16384)
}

fn is_relation((place, _): &Key) -> bool {
    CATALOGS
        .get(*place)
        .is_some_and(|catalog| catalog.table == "pg_class")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(table: &str) -> usize {
        let found = CATALOGS.iter().position(|catalog| catalog.table == table);
        found.unwrap()
    }

    fn objects(list: &[(&str, &str, &str, bool)]) -> BTreeMap<Key, Object> {
        let object = |(table, key, digest, follows): &(&str, &str, &str, bool)| {
            let object = Object {
                what: format!("public.o{key}"),
                digest: (*digest).to_owned(),
                follows: *follows,
            };
            ((place(table), (*key).to_owned()), object)
        };
        list.iter().map(object).collect()
    }

    #[test]
    fn what_comes_goes_and_changes_is_told_but_for_what_others_make_all_the_time() {
        let before = objects(&[
            ("pg_class", "20000", "a", false),
            ("pg_class", "20001", "a", false),
            ("pg_policy", "20002", "a", false),
            ("pg_proc", "20003", "a", false),
        ]);
        let after = objects(&[
            ("pg_class", "20000", "b", false),
            ("pg_class", "20009", "a", false),
            ("pg_proc", "20003", "a", false),
            ("pg_proc", "1000", "a", false),
            ("pg_trigger", "20010", "a", true),
            ("pg_trigger", "20011", "a", false),
        ]);
        let changes = changed(&before, &after);
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "policy public.o20002 is gone",
                "relation public.o20000 has another definition, owner or privileges",
                "trigger public.o20011 is new",
                "function public.o1000 has another definition, owner or privileges",
            ]
        );
    }

    #[test]
    fn each_catalog_that_is_looked_at_is_compared() {
        for table in LOOKED_AT {
            assert!(
                CATALOGS.iter().any(|catalog| catalog.table == *table),
                "{table}"
            );
        }
    }
}
