//! The catalog comparison: what a transaction has changed besides tables and rows, seen before COMMIT.
//!
//! No picture is taken before. What the transaction changed is not committed, so another session still sees
//! the catalog without it: both are asked at the same time, and what differs is this transaction's. What a
//! third session commits meanwhile, both see. First each side names candidates: rows that are no older than
//! this transaction on its own side (it wrote them, or somebody after it began), rows with an `xmax` on the
//! other (somebody deletes or replaces them). That reads the catalogs once, without output. Only the
//! candidates are then read in full on both sides.
//!
//! Both questions read rows of catalogs and names alone, nothing that takes a lock on a table: the other
//! session would wait for ever for a table that this one has locked.
//!
//! Call it after all DDL and after the run role is dropped, as the login, on both sessions with
//! `search_path = pg_catalog, pg_temp`. It tells what changed, not whether that is granted.
//!
//! Not seen: tables' columns, constraints, indexes, defaults and statistics (the statement wall judges these);
//! the bytes of large objects; for a login that is no superuser, the options of user mappings and roles'
//! passwords, which it may not read. After a statement that commits by itself, such as CREATE INDEX
//! CONCURRENTLY, nothing is left to compare: see [`picture`].
//!
//! Source: PostgreSQL, "System Catalogs", "System Columns", `pg_identify_object`.

mod catalogs;
mod explained;
mod members;
mod picture;
mod questions;
mod remedy;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Statement;

use super::failure::Failure;
use super::session::Session;
pub use explained::unexplained;
pub use picture::{Picture, changes_since, picture};
use questions::Side;
pub use remedy::remedies;
pub use written::{Written, written};

/// A difference between the catalog with and without this transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is about, for example `trigger`; one of [`classes`].
    pub class: &'static str,
    /// The object as `pg_identify_object` prints it, or in like words where it has no such identity.
    pub what: String,
    /// What happened to it.
    pub how: How,
    /// What it came with, where it did not come by itself.
    pub explained_by: Option<Explained>,
    /// What kind of object it is, where the class has several: a `relation` is an `r`, `p`, `v`, `m`, `f` or `S`,
    /// a `type` a `b`, `c`, `d`, `e`, `r` or `m` (`relkind`, `typtype`).
    pub kind: Option<String>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Another owner, another ACL, another definition: these fields of its row differ.
    Changed(Vec<String>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { class, what, .. } = self;
        match &self.how {
            How::Added => write!(f, "{class} {what} is new"),
            How::Removed => write!(f, "{class} {what} is gone"),
            How::Changed(fields) => write!(f, "{class} {what} has another {}", fields.join(", ")),
        }
    }
}

/// What an object belongs to, so that the grant for that explains it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Explained {
    /// It is a member of this extension, or belongs to one.
    Extension(String),
    /// It is an internal trigger of this constraint.
    Constraint {
        /// The constraint.
        name: String,
        /// Its table, the referring one of a foreign key, and those of which that is a partition.
        tables: Vec<String>,
        /// The same of the table that a foreign key refers to.
        #[serde(default)]
        referenced: Vec<String>,
    },
    /// It came with this relation: a view's rule, a table's row type, a sequence of a column.
    Relation(String),
    /// It came with this type: the array of it, a range's multirange.
    Type(String),
}

/// The classes of objects that are compared.
pub fn classes() -> impl Iterator<Item = &'static str> {
    catalogs::CATALOGS.iter().map(|catalog| catalog.class)
}

/// A candidate: the place of its catalog in [`catalogs::CATALOGS`] and its key there.
type Key = (usize, String);

/// What is known of a candidate on one side.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Entry {
    place: usize,
    key: String,
    what: Option<String>,
    content: Map<String, Value>,
    explained: Option<Explained>,
}

type Entries = BTreeMap<Key, Entry>;

/// What the open transaction of `work` has changed that `other`, a session of the same login in the same
/// database without an open transaction, does not see.
///
/// A third session's commit that falls between the answers of the two shows here as well. So where a change is
/// unexpected, ask again, and believe what is [`lasting`].
pub async fn changes(work: &Session, other: &Session) -> Result<Vec<Change>, Failure> {
    let scope = Scope {
        written: Some(written(work).await?),
        ..Scope::default()
    };
    changes_in(work, other, &scope).await
}

/// What is looked at.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    /// Not the objects that came or went with one of these extensions, which are many: they are not read in full.
    pub beside: Vec<&'a str>,
    /// Only the catalogs that the server counted as written. Not to be said where code ran that may have stopped
    /// the counting, as a superuser's can.
    pub written: Option<Written>,
}

/// The same within a scope.
pub async fn changes_in(
    work: &Session,
    other: &Session,
    scope: &Scope<'_>,
) -> Result<Vec<Change>, Failure> {
    let reader = Reader { work, other };
    let keys = reader.candidates(scope).await?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let changes = reader.differences(&keys).await?;
    Ok(changes.into_values().collect())
}

/// What is asked after a foreign key was added, to have it asked ahead: for the candidates of the session that has
/// changed nothing; and of both for the rows with the keys in a JSON array of texts.
pub(super) fn first_questions(server: u32) -> [String; 2] {
    let usual = |place: &usize| {
        let catalog = catalogs::CATALOGS.get(*place);
        catalog.is_some_and(|catalog| ["pg_class", "pg_trigger"].contains(&catalog.table))
    };
    let places: BTreeSet<usize> = questions::places(server, false)
        .into_iter()
        .filter(usual)
        .collect();
    let keys = places.iter().map(|place| (*place, String::new())).collect();
    [
        questions::candidates(&places, Side::Theirs),
        questions::details(&keys),
    ]
}

/// The changes that two looks agree on.
pub fn lasting(first: Vec<Change>, second: &[Change]) -> Vec<Change> {
    let agreed = first.into_iter().filter(|change| second.contains(change));
    agreed.collect()
}

struct Reader<'a> {
    work: &'a Session,
    other: &'a Session,
}

impl Reader<'_> {
    async fn candidates(&self, scope: &Scope<'_>) -> Result<BTreeSet<Key>, Failure> {
        // both must ask the same, so what one of them may not read is not asked for
        let (ours, theirs) =
            tokio::try_join!(Asked::superuser(self.work), Asked::superuser(self.other))?;
        let mut places = questions::places(self.work.server(), ours && theirs);
        if let Some(Written(written)) = &scope.written {
            places.retain(|place| written.contains(place));
        }
        if places.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (ours, theirs) = tokio::try_join!(
            Asked::candidates(self.work, Side::Ours, &places),
            Asked::candidates(self.other, Side::Theirs, &places),
        )?;
        let extensions = &scope.beside;
        if extensions.is_empty() || ours.is_empty() && theirs.is_empty() {
            return Ok(united(ours, theirs));
        }
        let (new, old) = tokio::try_join!(
            members::of(self.work, extensions),
            members::of(self.other, extensions)
        )?;
        Ok(united(
            members::beside(&ours, &theirs, &new),
            members::beside(&theirs, &ours, &old),
        ))
    }

    async fn differences(&self, keys: &BTreeSet<Key>) -> Result<BTreeMap<Key, Change>, Failure> {
        let (ours, theirs) = tokio::try_join!(
            Reader::details(self.work, keys),
            Reader::details(self.other, keys)
        )?;
        Ok(compared(ours, theirs))
    }

    async fn details(session: &Session, keys: &BTreeSet<Key>) -> Result<Entries, Failure> {
        let sql = questions::details(keys);
        let entries: Option<Vec<Entry>> = session.json(&sql, &[&wanted(keys)]).await?;
        let entries = entries.unwrap_or_default().into_iter();
        Ok(entries
            .map(|entry| ((entry.place, entry.key.clone()), entry))
            .collect())
    }
}

/// The keys, as the questions for rows take them.
fn wanted(keys: &BTreeSet<Key>) -> String {
    let keys: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
    Value::from(keys).to_string()
}

/// What a session has been asked: a question is parsed and planned once, then it costs its scans.
#[derive(Default)]
pub(super) struct Asked {
    superuser: OnceCell<bool>,
    candidates: Mutex<BTreeMap<(Side, BTreeSet<usize>), Statement>>,
}

impl Asked {
    async fn superuser(session: &Session) -> Result<bool, Failure> {
        if let Some(known) = session.connection().is_superuser() {
            return Ok(known);
        }
        let ask = async || {
            let is = "SELECT current_setting('is_superuser')";
            Ok(session.text(is, &[]).await?.as_deref() == Some("on"))
        };
        session.asked.superuser.get_or_try_init(ask).await.copied()
    }

    async fn candidates(
        session: &Session,
        side: Side,
        places: &BTreeSet<usize>,
    ) -> Result<Vec<Key>, Failure> {
        let client = &session.connection().client;
        let mut known = session.asked.candidates.lock().await;
        let key = (side, places.clone());
        let statement = match known.get(&key) {
            Some(statement) => statement.clone(),
            None => {
                let sql = questions::candidates(places, side);
                let statement = client.prepare_typed(&sql, &[]).await?;
                known.insert(key, statement.clone());
                statement
            }
        };
        drop(known);
        let row = client.query_one(&statement, &[]).await?;
        match row.try_get::<_, Option<String>>(0)? {
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                Failure::Unusable(format!("the catalog's answer is not understood: {error}"))
            }),
            None => Ok(Vec::new()),
        }
    }
}

/// What either side named. Of a catalog that is compared as a whole each side names a digest, and where
/// they are equal there is no candidate.
fn united(ours: Vec<Key>, theirs: Vec<Key>) -> BTreeSet<Key> {
    let theirs: BTreeSet<Key> = theirs.into_iter().collect();
    let mut all: BTreeSet<Key> = ours.into_iter().collect();
    for key in theirs {
        let whole = catalogs::CATALOGS
            .get(key.0)
            .is_some_and(|catalog| catalog.whole);
        if whole && all.contains(&key) {
            all.remove(&key);
        } else {
            all.insert(key);
        }
    }
    all
}

fn compared(ours: Entries, mut theirs: Entries) -> BTreeMap<Key, Change> {
    let mut changes = BTreeMap::new();
    for (key, entry) in ours {
        let how = match theirs.remove(&key) {
            None => How::Added,
            Some(before) => {
                let fields = differing(&before.content, &entry.content);
                if fields.is_empty() {
                    continue;
                }
                How::Changed(fields)
            }
        };
        changes.insert(key, change(entry, how));
    }
    let removed = theirs
        .into_iter()
        .map(|(key, entry)| (key, change(entry, How::Removed)));
    changes.extend(removed);
    changes
}

fn change(entry: Entry, how: How) -> Change {
    let class = catalogs::CATALOGS
        .get(entry.place)
        .map_or("object", |catalog| catalog.class);
    let kind = entry.content.get("kind").and_then(Value::as_str);
    Change {
        class,
        kind: kind.map(str::to_owned),
        what: entry.what.unwrap_or(entry.key),
        how,
        explained_by: entry.explained,
    }
}

fn differing(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(list: &[(&str, Value)]) -> Entries {
        let entry = |(key, content): &(&str, Value)| {
            let entry = Entry {
                place: 0,
                key: (*key).to_owned(),
                what: None,
                content: content.as_object().cloned().unwrap_or_default(),
                explained: None,
            };
            ((0, (*key).to_owned()), entry)
        };
        list.iter().map(entry).collect()
    }

    #[test]
    fn what_differs_is_added_removed_or_changed_in_named_fields() {
        let before = entries(&[
            ("1", json!({"acl": null, "owner": "a"})),
            ("2", json!({"acl": null})),
            ("3", json!({"acl": ["x"]})),
        ]);
        let after = entries(&[
            ("1", json!({"acl": ["x"], "owner": "b", "kind": "r"})),
            ("3", json!({"acl": ["x"]})),
            ("4", json!({})),
        ]);
        let changes = compared(after, before);
        let hows: Vec<(&str, &How)> = changes
            .iter()
            .map(|((_, key), change)| (key.as_str(), &change.how))
            .collect();
        let fields = ["acl", "kind", "owner"].map(str::to_owned).to_vec();
        assert_eq!(
            hows,
            [
                ("1", &How::Changed(fields)),
                ("2", &How::Removed),
                ("4", &How::Added)
            ]
        );
        assert_eq!(changes[&(0, "1".to_owned())].kind.as_deref(), Some("r"));
    }

    #[test]
    fn what_one_of_two_looks_saw_is_not_believed() {
        let before = Entries::new();
        let look = |keys: &[&str]| -> Vec<Change> {
            let list: Vec<_> = keys.iter().map(|key| (*key, json!({}))).collect();
            let changes = compared(entries(&list), before.clone());
            changes.into_values().collect()
        };
        assert_eq!(lasting(look(&["1", "2"]), &look(&["2", "3"])), look(&["2"]));
    }

    #[test]
    fn a_catalog_compared_as_a_whole_is_a_candidate_where_the_digests_differ() {
        let whole = catalogs::CATALOGS
            .iter()
            .position(|catalog| catalog.whole)
            .unwrap();
        let key = |place, key: &str| (place, key.to_owned());
        let same = united(vec![key(whole, "d")], vec![key(whole, "d")]);
        assert!(same.is_empty());
        assert_eq!(
            united(vec![key(whole, "d")], vec![key(whole, "e")]).len(),
            2
        );
        let row = united(vec![key(0, "1")], vec![key(0, "1"), key(0, "2")]);
        assert_eq!(row.len(), 2);
    }
}
