//! Under whom the server runs, and where it may keep its folder.
//!
//! PostgreSQL refuses to run as root, so root hands it to another account, which then must be able to reach the programs
//! and to remove its own folder.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Code, Error, Result};

/// The longest path of a Unix socket. Source: sun_path in Linux's sys/un.h, less the closing zero.
const SOCKET_PATH_MAX: usize = 107;

/// What comes after the base folder: `/wasmigrate-pg-XXXXXX` and `/.s.PGSQL.65535`.
const SOCKET_TAIL: usize = 21 + 15;

/// An account other than the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The account to change to: none unless the caller is root.
pub(super) fn choose() -> Result<Option<Account>> {
    if !is_root()? {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").map_err(|error| {
        Error::new(Code::PostgresFailed, "failed to read /etc/passwd").cause(error)
    })?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| look_up(&passwd, name))
        .map(Some)
        .ok_or_else(|| {
            Error::new(
                Code::PostgresFailed,
                "failed to find an account for PostgreSQL, which refuses to run as root",
            )
            .hint(
                "make an account `postgres` (`useradd --system postgres`), or run as a plain user",
            )
        })
}

/// std does not tell the effective user without unsafe code.
fn is_root() -> Result<bool> {
    let failed = || Error::new(Code::PostgresFailed, "failed to run `id -u`");
    let output = Command::new("id")
        .arg("-u")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed().cause(error))?;
    if !output.status.success() {
        return Err(failed().cause(String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(output.stdout.trim_ascii() == b"0")
}

fn look_up(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then(|| Account {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

/// The folder under which a server's own folder is made: the first of TMPDIR, /tmp and /var/tmp that fits.
pub(super) fn base_folder(account: Option<&Account>) -> Result<PathBuf> {
    [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")]
        .into_iter()
        .find(|folder| folder.is_absolute() && fits(folder, account.is_some()))
        .ok_or_else(|| {
            Error::new(Code::PostgresFailed, "failed to find a folder for the embedded PostgreSQL")
                .hint("set TMPDIR to a folder with a short path; for root it must be writable by everybody, as /tmp is")
        })
}

fn fits(folder: &Path, for_another: bool) -> bool {
    let short = folder.as_os_str().as_bytes().len() + SOCKET_TAIL <= SOCKET_PATH_MAX;
    // the other account must also be able to remove its folder from there
    short && folder.is_dir() && (!for_another || (open_to_all(folder, 0o003) && reachable(folder)))
}

/// Whether every account can enter the folder.
pub(super) fn reachable(folder: &Path) -> bool {
    folder.ancestors().all(|part| open_to_all(part, 0o001))
}

fn open_to_all(folder: &Path, bits: u32) -> bool {
    folder
        .metadata()
        .is_ok_and(|found| found.permissions().mode() & bits == bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\nfake:x:0:0::/:\n";

    #[test]
    fn accounts_are_found_by_name() {
        let nobody = Account {
            name: "nobody".into(),
            uid: 65534,
            gid: 65533,
        };
        assert_eq!(look_up(PASSWD, "nobody"), Some(nobody));
        assert_eq!(look_up(PASSWD, "postgres"), None);
        assert_eq!(
            look_up(PASSWD, "fake"),
            None,
            "an account with uid 0 is root"
        );
    }

    #[test]
    fn a_closed_or_long_folder_does_not_fit_another_account() {
        let folder = tempfile::tempdir().unwrap();
        assert!(fits(folder.path(), false));
        assert!(!fits(folder.path(), true), "0700");
        let long = folder.path().join("x".repeat(80));
        std::fs::create_dir(&long).unwrap();
        assert!(!fits(&long, false));
        assert!(fits(Path::new("/tmp"), true));
    }
}
