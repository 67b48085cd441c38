//! Whether a component is what was approved.

use super::entry::{Entry, Granted};
use super::keys::Keys;
use super::lock::{FILE, Lock};
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Version};

/// How many differing grants an error names.
const MOST_SHOWN: usize = 20;

/// Refuses the first of the chosen migrations that is not approved as it lies there; `migrations` are all that
/// there are, ordered by version. Without a lock file nothing is approved.
pub fn pin(
    lock: Option<&Lock>,
    keys: &Keys,
    migrations: &[Migration],
    chosen: impl Fn(&Migration) -> bool,
) -> Result<()> {
    let lock = lock.ok_or_else(|| {
        Error::new(Code::LockMissing, format!("there is no `{FILE}`, so nothing is approved"))
            .hint("`wasmigrate approve` writes it, beside wasmigrate.toml; it belongs into version control")
    })?;
    let mut before = None;
    for migration in migrations {
        if chosen(migration) {
            judge(lock, keys, migration, before)?;
        }
        before = Some(migration.version());
    }
    Ok(())
}

/// The entry that approves a migration, which in its folder follows `before`.
pub fn judge<'a>(
    lock: &'a Lock,
    keys: &Keys,
    migration: &Migration,
    before: Option<&Version>,
) -> Result<&'a Entry> {
    let (file, version) = (&migration.file, migration.version());
    let refused = |code, what: &str| Error::new(code, format!("`{file}` {what}"));
    if let Some(named) = version_of(file).filter(|named| named != version) {
        let what = format!("is named as version {named}, and is version {version}");
        return Err(refused(Code::ApprovalVersion, &what)
            .hint("a component keeps the version that it was approved under: rename the file"));
    }
    let entry = lock.current(version).ok_or_else(|| {
        refused(Code::ApprovalMissing, "is not approved")
            .cause(format!("`{FILE}` has no entry for version {version}"))
            .hint(format!("after a review, `wasmigrate approve {version}`"))
    })?;
    let again = format!("after a review, `wasmigrate approve --again {version} --reason TEXT`");
    let older = lock
        .entries()
        .iter()
        .find(|entry| entry.version == *version && entry.digest == migration.digest);
    if let Some(older) = older.filter(|older| older.digest != entry.digest) {
        return Err(refused(
            Code::ApprovalSuperseded,
            "was approved once, and another component since",
        )
        .cause(format!("approved by {} at {}", older.approver, older.date))
        .cause(format!(
            "in force: {}, by {} at {}",
            entry.digest, entry.approver, entry.date
        ))
        .hint("put the component back that is in force, or approve this one again"));
    }
    let declared = Granted::by(&migration.manifest);
    let differing = difference(&entry.grants.lines(), &declared.lines());
    let more = differing.iter().any(|line| line.starts_with('+'));
    if more || (migration.digest == entry.digest && !differing.is_empty()) {
        let what = match more {
            true => "asks for more than is approved",
            false => "asks for less than its entry says",
        };
        let error = refused(Code::ApprovalGrants, what);
        return Err(named(error, &differing).hint(again));
    }
    if migration.digest != entry.digest {
        let error = refused(
            Code::ApprovalDigest,
            "is not the component that is approved",
        )
        .cause(format!("its digest is {}", migration.digest))
        .cause(format!(
            "approved is {}, by {} at {}",
            entry.digest, entry.approver, entry.date
        ));
        return Err(named(error, &differing).hint(format!("restore it; or, {again}")));
    }
    if entry.name != *migration.name() {
        let what = format!(
            "is named {}, and approved as {}",
            migration.name(),
            entry.name
        );
        return Err(refused(Code::ApprovalDigest, &what).hint(again));
    }
    if entry.follows.as_ref() != before {
        let shown = |version: Option<&Version>| {
            version.map_or("nothing".to_owned(), |version| format!("version {version}"))
        };
        let what = format!(
            "was approved to follow {}, and here follows {}",
            shown(entry.follows.as_ref()),
            shown(before)
        );
        return Err(
            refused(Code::ApprovalOrder, &what).hint(format!("restore the folder; or, {again}"))
        );
    }
    // a signature that is none is refused, wanted or not
    let signed = keys.signed(entry)?;
    if keys.are_wanted() && signed < keys.threshold() {
        let what = format!(
            "is approved with {signed} of {} signatures",
            keys.threshold()
        );
        return Err(refused(Code::ApprovalUnsigned, &what).hint(format!(
            "somebody whose key is in [approval] of wasmigrate.toml signs it: `wasmigrate approve {version} --key FILE`"
        )));
    }
    Ok(entry)
}

/// The lines that came, with a `+`, and those that went, with a `-`.
pub fn difference(old: &[String], new: &[String]) -> Vec<String> {
    let only = |sign, of: &[String], not: &[String]| -> Vec<String> {
        let lines = of.iter().filter(|line| !not.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect()
    };
    [only('+', new, old), only('-', old, new)].concat()
}

fn named(error: Error, differing: &[String]) -> Error {
    let error = differing
        .iter()
        .take(MOST_SHOWN)
        .fold(error, |error, line| error.cause(line));
    match differing.len().checked_sub(MOST_SHOWN) {
        None | Some(0) => error,
        Some(more) => error.cause(format!("and {more} more")),
    }
}

/// The version that a file's name begins with, if it has the form that `build` gives it.
fn version_of(file: &str) -> Option<Version> {
    file.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::entry::Approval;
    use super::*;
    use crate::manifest::Manifest;
    use crate::migration::Digest;
    use bytes::Bytes;

    const UP: &str = "up = [\"read public.a\"]";

    fn migration(version: &str, body: &'static [u8], grants: &str) -> Migration {
        let text = format!("version = \"{version}\"\nname = \"a\"\n[grants]\n{grants}\n");
        let manifest = Manifest::parse("m", &text).unwrap();
        Migration::new(
            format!("{version}-a.wasm"),
            Bytes::from_static(body),
            manifest,
        )
    }

    fn approve(lock: &mut Lock, migration: &Migration, follows: Option<&str>) {
        lock.add(Approval {
            version: migration.version().clone(),
            name: migration.name().clone(),
            digest: migration.digest,
            interface: None,
            follows: follows.map(|version| version.parse().unwrap()),
            grants: Granted::by(&migration.manifest),
            approver: "alice".to_owned(),
            date: "2026-11-23".to_owned(),
            reason: String::new(),
        });
    }

    fn folder() -> Vec<Migration> {
        vec![migration("1", b"a", UP), migration("2", b"b", UP)]
    }

    fn approved() -> Lock {
        let mut lock = Lock::default();
        let [one, two] = &folder()[..] else { panic!() };
        approve(&mut lock, one, None);
        approve(&mut lock, two, Some("1"));
        lock
    }

    fn code(lock: &Lock, migrations: &[Migration]) -> Result<(), Code> {
        let keys = Keys::default();
        pin(Some(lock), &keys, migrations, |_| true).map_err(|error| error.code())
    }

    #[test]
    fn what_is_approved_passes() {
        assert_eq!(code(&approved(), &folder()), Ok(()));
        let none = pin(None, &Keys::default(), &folder(), |_| true).unwrap_err();
        assert_eq!(none.code(), Code::LockMissing);
    }

    #[test]
    fn what_is_not_is_refused_by_what_differs() {
        let lock = approved();
        let one = || migration("1", b"a", UP);
        let unknown = [one(), migration("2", b"b", UP), migration("3", b"c", UP)];
        assert_eq!(code(&lock, &unknown), Err(Code::ApprovalMissing));
        let other = [one(), migration("2", b"x", UP)];
        assert_eq!(code(&lock, &other), Err(Code::ApprovalDigest));
        let more = "up = [\"read public.a\", \"delete public.a\"]";
        let more = [one(), migration("2", b"x", more)];
        assert_eq!(code(&lock, &more), Err(Code::ApprovalGrants));
        let renamed = [
            one(),
            Migration {
                file: "3-a.wasm".into(),
                ..migration("2", b"b", UP)
            },
        ];
        assert_eq!(code(&lock, &renamed), Err(Code::ApprovalVersion));
        let alone = [migration("2", b"b", UP)];
        assert_eq!(code(&lock, &alone), Err(Code::ApprovalOrder));
    }

    #[test]
    fn a_component_that_was_approved_before_the_one_in_force_is_named_so() {
        let mut lock = approved();
        let newer = migration("1", b"newer", UP);
        approve(&mut lock, &newer, None);
        assert_eq!(code(&lock, &folder()), Err(Code::ApprovalSuperseded));
        assert_eq!(code(&lock, &[newer, migration("2", b"b", UP)]), Ok(()));
    }

    #[test]
    fn an_entry_that_says_less_than_its_component_is_refused() {
        let mut lock = Lock::default();
        let one = migration("1", b"a", UP);
        let less = migration("1", b"a", "");
        approve(&mut lock, &less, None);
        assert_eq!(
            code(&lock, std::slice::from_ref(&one)),
            Err(Code::ApprovalGrants)
        );
        assert_eq!(less.digest, Digest::of(b"a"));
    }

    #[test]
    fn what_is_not_chosen_is_not_judged_and_still_is_in_the_order() {
        let lock = approved();
        let folder = [migration("1", b"x", UP), migration("2", b"b", UP)];
        let two = |migration: &Migration| migration.version().as_str() == "2";
        assert!(pin(Some(&lock), &Keys::default(), &folder, two).is_ok());
    }

    #[test]
    fn where_keys_are_set_an_unsigned_approval_is_none() {
        let (private, public) = super::super::keys::tests::key(1);
        let keys = Keys::parse(&[&public], None).unwrap();
        let mut lock = approved();
        let judged =
            |lock: &Lock| pin(Some(lock), &keys, &folder(), |_| true).map_err(|error| error.code());
        assert_eq!(judged(&lock), Err(Code::ApprovalUnsigned));
        for version in ["1", "2"] {
            let entry = lock.current_mut(&version.parse().unwrap()).unwrap();
            let signature = super::super::keys::sign(private.as_bytes(), entry).unwrap();
            entry.signatures.push(signature);
        }
        assert_eq!(judged(&lock), Ok(()));
    }

    #[test]
    fn differences_have_their_sign_and_phase() {
        let grants = |up: &[&str], down: &[&str]| Granted {
            up: up.iter().map(ToString::to_string).collect(),
            down: down.iter().map(ToString::to_string).collect(),
            verify: Vec::new(),
        };
        let (old, new) = (grants(&["a", "b"], &[]), grants(&["b"], &["a"]));
        let lines = difference(&old.lines(), &new.lines());
        assert_eq!(lines, ["+ down: a", "- up: a"]);
    }
}
