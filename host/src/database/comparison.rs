//! The catalog comparison: what a transaction has changed besides tables and rows, seen before COMMIT.
//!
//! No picture is taken before. What the transaction changed is not committed, so another session still sees
//! the catalog without it: both are asked at the same time, and what differs is this transaction's. What a
//! third session commits meanwhile, both see. First each side names candidates: rows that are no older than
//! this transaction on its own side (it wrote them, or somebody after it began), rows with an `xmax` on the
//! other (somebody deletes or replaces them). That reads the catalogs once, without output. Only the
//! candidates are then read in full on both sides, and where they differ, once more: a commit that fell
//! between the two answers is gone by then.
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
//! CONCURRENTLY, nothing is left to compare.
//!
//! Source: PostgreSQL, "System Catalogs", "System Columns", `pg_identify_object`.

mod catalogs;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::failure::Failure;
use super::session::Session;
use catalogs::Side;

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
        /// Its table, the referring one of a foreign key.
        table: String,
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
pub async fn changes(work: &Session, other: &Session) -> Result<Vec<Change>, Failure> {
    let reader = Reader::of(work, other);
    let keys = reader.candidates().await?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let first = reader.differences(&keys).await?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let keys = first.keys().cloned().collect();
    let second = reader.differences(&keys).await?;
    Ok(first
        .into_iter()
        .filter(|(key, change)| second.get(key) == Some(change))
        .map(|(_, change)| change)
        .collect())
}

struct Reader<'a> {
    work: &'a Session,
    other: &'a Session,
    server: u32,
}

impl<'a> Reader<'a> {
    fn of(work: &'a Session, other: &'a Session) -> Self {
        Reader {
            work,
            other,
            server: work.server(),
        }
    }

    async fn candidates(&self) -> Result<BTreeSet<Key>, Failure> {
        // both must ask the same, so what one of them may not read is not asked for
        let superuser = async |session: &Session| {
            let is = "SELECT current_setting('is_superuser')";
            Ok::<_, Failure>(session.text(is, &[]).await?.as_deref() == Some("on"))
        };
        let (ours, theirs) = tokio::try_join!(superuser(self.work), superuser(self.other))?;
        let reads_all = ours && theirs;
        let ask = async |session: &Session, side| {
            let sql = catalogs::candidates(self.server, reads_all, side);
            session.json::<Vec<Key>>(&sql, &[]).await
        };
        let (ours, theirs) =
            tokio::try_join!(ask(self.work, Side::Ours), ask(self.other, Side::Theirs))?;
        Ok(united(ours.unwrap_or_default(), theirs.unwrap_or_default()))
    }

    async fn differences(&self, keys: &BTreeSet<Key>) -> Result<BTreeMap<Key, Change>, Failure> {
        let sql = catalogs::details(keys);
        let wanted: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
        let wanted = Value::from(wanted).to_string();
        let ask = async |session: &Session| session.json::<Vec<Entry>>(&sql, &[&wanted]).await;
        let (ours, theirs) = tokio::try_join!(ask(self.work), ask(self.other))?;
        let indexed = |entries: Option<Vec<Entry>>| {
            let entries = entries.unwrap_or_default().into_iter();
            entries
                .map(|entry| ((entry.place, entry.key.clone()), entry))
                .collect()
        };
        Ok(compared(indexed(ours), indexed(theirs)))
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
