//! Approving: what a reviewer has looked at is added to the lock file. And the check before a run that what is
//! to run is there.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde::Serialize;

use crate::approval::{self, Approval, Entry, Granted, Keys, Lock, Signature, difference, judge};
use crate::component;
use crate::error::{Code, Error, Result};
use crate::migration::{Digest, Migration, Name, Version};
use crate::project::Project;

/// What is to be approved, by whom and why.
#[derive(Debug, Clone)]
pub struct Request {
    /// These versions; none means all that are not approved yet.
    pub versions: Vec<Version>,
    /// This one, although another component is approved for it.
    pub again: Option<Version>,
    /// Who approves.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// What signs, if anything does.
    pub signer: Option<Signer>,
}

/// What makes signatures. The key itself is never an argument of a command.
#[derive(Debug, Clone)]
pub enum Signer {
    /// A file with a private key of OpenSSH.
    File(PathBuf),
    /// A command that reads the text on its standard input and writes an OpenSSH signature.
    Command(String),
}

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is approved for the first time.
    Approved,
    /// It is approved in place of what was approved before.
    Again,
    /// It was approved, and is signed by one more.
    Signed,
    /// It is approved as it was.
    Unchanged,
}

/// A migration and its approval.
#[derive(Debug, Clone, Serialize)]
pub struct Approved {
    /// The migration's version.
    pub version: Version,
    /// Its name.
    pub name: Name,
    /// The component's digest.
    pub digest: Digest,
    /// What was done.
    pub how: How,
    /// What is approved or signed, a line a fact; in place of what was approved before, what came with a `+` and what
    /// went with a `-`.
    pub facts: Vec<String>,
    /// The fingerprints of the keys that have signed it.
    pub signed_by: Vec<String>,
}

/// Whether a migration is approved, and by whom or why not.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// The entry in force, or what is wrong.
    pub approval: Result<Entry>,
}

/// Refuses what is not approved: where there is a lock file, where keys are set, and where `locked` insists. It
/// needs no database.
pub fn pin(
    project: &Project,
    locked: bool,
    migrations: &[Migration],
    chosen: impl Fn(&Migration) -> bool,
) -> Result<()> {
    let lock = read(&project.lock())?;
    if lock.is_none() && !locked && !project.keys.are_wanted() {
        return Ok(());
    }
    approval::pin(lock.as_ref(), &project.keys, migrations, chosen)
}

/// Judges each migration of a folder.
pub fn check<'a>(project: &Project, migrations: &'a [Migration]) -> Result<Vec<Judged<'a>>> {
    let lock = read(&project.lock())?;
    if lock.is_none() {
        approval::pin(None, &project.keys, migrations, |_| true)?;
    }
    let lock = lock.unwrap_or_default();
    let judged = with_predecessors(migrations).map(|(migration, before)| Judged {
        migration,
        approval: judge(&lock, &project.keys, migration, before).cloned(),
    });
    Ok(judged.collect())
}

/// Adds what is asked for to the lock file, which is written as a whole or not at all.
pub fn approve(
    project: &Project,
    migrations: &[Migration],
    request: &Request,
) -> Result<Vec<Approved>> {
    let path = project.lock();
    // where the file is a link, what it leads to is replaced
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let _alone = alone(folder_of(&path))?;
    let mut lock = read(&path)?.unwrap_or_default();
    let before = lock.clone();
    let named: Vec<&Version> = request.versions.iter().chain(&request.again).collect();
    for version in &named {
        if !migrations
            .iter()
            .any(|migration| migration.version() == *version)
        {
            return Err(Error::new(
                Code::MigrationUnknown,
                format!("the folder has no migration of version {version}"),
            ));
        }
    }
    let mut done = Vec::new();
    for (migration, follows) in with_predecessors(migrations) {
        if !named.is_empty() && !named.contains(&migration.version()) {
            continue;
        }
        let again = request.again.as_ref() == Some(migration.version());
        let mut one = add(&mut lock, migration, follows, request, again)?;
        if let Some(entry) = lock.current_mut(migration.version()) {
            if let Some(signer) = &request.signer
                && sign(entry, signer, &project.keys)?
                && one.how == How::Unchanged
            {
                one.how = How::Signed;
                one.facts = [entry.origin(), entry.facts()].concat();
            }
            let keys = entry.signatures.iter();
            one.signed_by = keys.map(|signature| signature.key.clone()).collect();
        }
        done.push(one);
    }
    if lock != before {
        write(&path, &lock.render()?)?;
    }
    Ok(done)
}

/// Each migration with the version right before it.
fn with_predecessors(
    migrations: &[Migration],
) -> impl Iterator<Item = (&Migration, Option<&Version>)> {
    let before = std::iter::once(None).chain(migrations.iter().map(|one| Some(one.version())));
    migrations.iter().zip(before)
}

fn add(
    lock: &mut Lock,
    migration: &Migration,
    follows: Option<&Version>,
    request: &Request,
    again: bool,
) -> Result<Approved> {
    let version = migration.version();
    let declared = Granted::by(&migration.manifest);
    let mut one = Approved {
        version: version.clone(),
        name: migration.name().clone(),
        digest: migration.digest,
        how: How::Unchanged,
        facts: Vec::new(),
        signed_by: Vec::new(),
    };
    let before = lock.current(version).map(Entry::facts);
    match judge(lock, &Keys::default(), migration, follows) {
        Ok(_) if again => {
            return Err(Error::new(
                Code::Usage,
                format!("version {version} is approved as it lies there: nothing differs"),
            ));
        }
        Ok(_) => return Ok(one),
        Err(error) if error.code() == Code::ApprovalMissing && again => {
            return Err(error);
        }
        Err(error) if error.code() == Code::ApprovalMissing => {
            one.how = How::Approved;
        }
        // a file's name is not a matter of approval
        Err(error) if !again || error.code() == Code::ApprovalVersion => return Err(error),
        Err(_) => one.how = How::Again,
    }
    let interface = component::read(&migration.file, &migration.component)?.interface;
    let entry = Approval {
        version: version.clone(),
        name: migration.name().clone(),
        digest: migration.digest,
        interface,
        follows: follows.cloned(),
        grants: declared,
        approver: request.approver.clone(),
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        reason: request.reason.clone(),
    };
    lock.add(entry);
    let Some(entry) = lock.current(version) else {
        return Ok(one);
    };
    if let Some(why) = entry.unfit() {
        let what = format!("failed to approve version {version}: {why}");
        return Err(Error::new(Code::Usage, what));
    }
    one.facts = match before {
        Some(before) => difference(&before, &entry.facts()),
        None => entry.facts(),
    };
    Ok(one)
}

/// Adds a signature to an entry, if it is not there yet; tells whether it did.
fn sign(entry: &mut Entry, signer: &Signer, keys: &Keys) -> Result<bool> {
    let failed = |cause: String| {
        let what = format!("failed to sign the approval of version {}", entry.version);
        Error::new(Code::SigningFailed, what).cause(cause)
    };
    let signature: Signature = match signer {
        Signer::File(path) => {
            let read = std::fs::read(path);
            let key = read.map_err(|error| failed(format!("`{}`: {error}", path.display())))?;
            approval::sign(&key, entry)
                .map_err(|why| failed(format!("`{}`: {why}", path.display())))?
        }
        Signer::Command(command) => {
            let said = run(command, &entry.canonical()).map_err(failed)?;
            approval::made(&said)
                .map_err(|why| failed(format!("`{command}` wrote no OpenSSH signature: {why}")))?
        }
    };
    if keys.are_wanted() && !keys.has(&signature.key) {
        return Err(failed(format!(
            "the key {} is not among the keys of [approval] in wasmigrate.toml",
            signature.key
        )));
    }
    if keys.are_wanted() {
        // of a key that was taken out of the list
        entry.signatures.retain(|other| keys.has(&other.key));
    }
    if entry
        .signatures
        .iter()
        .any(|other| other.key == signature.key)
    {
        return Ok(false);
    }
    entry.signatures.push(signature);
    // a command may have signed something else
    keys.signed(entry)
        .map_err(|error| failed(error.to_string()))?;
    Ok(true)
}

/// What a command writes that is given this text.
fn run(command: &str, text: &str) -> Result<String, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{command}` did not start: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // a command that does not want it has failed, and says why
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| format!("`{command}` was lost: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`{command}` failed: {}", output.status)),
    }
}

/// The lock file, if there is one.
fn read(path: &Path) -> Result<Option<Lock>> {
    let shown = path.display().to_string();
    let failed = |cause: String| {
        Error::new(Code::LockInvalid, format!("failed to read `{shown}`")).cause(cause)
    };
    match std::fs::metadata(path) {
        // a link to nothing is there, and says nothing
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound
                && std::fs::symlink_metadata(path).is_err() =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error.to_string())),
        Ok(found) if !found.is_file() => return Err(failed("it is no regular file".to_owned())),
        Ok(_) => {}
    }
    let read = || {
        let mut text = String::new();
        let file = File::open(path)?;
        file.take(approval::MAX_BYTES as u64 + 1)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error: std::io::Error| failed(error.to_string()))?;
    Lock::parse(&shown, &text).map(Some)
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Keeps other approvals in that folder waiting while the file lives: of two at once, the later would undo the other.
fn alone(folder: &Path) -> Result<File> {
    let hold = || {
        let folder = File::open(folder)?;
        folder.lock()?;
        Ok(folder)
    };
    hold().map_err(|error: std::io::Error| {
        let what = format!("failed to lock the folder `{}`", folder.display());
        Error::new(Code::DirectoryUnreadable, what).cause(error)
    })
}

/// Puts a new file in the place of the old one, so that nobody ever finds half of it.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = folder_of(path);
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(".wasmigrate.lock.")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error: std::io::Error| {
        Error::new(
            Code::DirectoryUnreadable,
            format!("failed to write `{}`", path.display()),
        )
        .cause(error)
    })
}
