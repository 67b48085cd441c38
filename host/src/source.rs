//! The folder of built components: read once, in order, without compiling anything.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::component;
use crate::error::{Code, Error, Result};
use crate::migration::Migration;

/// Reads all migrations of a folder, ordered by version. Only the `*.wasm` files in the folder itself are
/// looked at, and nothing outside it: a symbolic link that leads out is an error.
pub fn read(folder: &Path) -> Result<Vec<Migration>> {
    let unreadable = |what: String| Error::new(Code::DirectoryUnreadable, what);
    let failed = |error: std::io::Error| {
        unreadable(format!(
            "failed to read the folder of migrations `{}`",
            folder.display()
        ))
        .cause(error)
        .hint(
            "`wasmigrate build` fills it; --migrations or `migrations` in wasmigrate.toml names it",
        )
    };
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(failed)?;
    let mut names = Vec::new();
    for entry in dir.entries().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            names.push(name);
        }
    }
    names.sort();
    let mut migrations = names
        .iter()
        .map(|name| {
            let shown = name.to_string_lossy();
            let bytes = read_file(&dir, Path::new(name)).map_err(|error| {
                unreadable(format!("failed to read `{}`", folder.join(name).display())).cause(error)
            })?;
            let component = component::read(&shown, &bytes)?;
            Ok(Migration::new(shown, bytes, component.manifest))
        })
        .collect::<Result<Vec<_>>>()?;
    migrations.sort_by(|a, b| a.version().cmp(b.version()));
    refuse_duplicates(&migrations)?;
    Ok(migrations)
}

/// Reads one component that the user named, wherever it lies.
pub fn read_one(path: &Path) -> Result<Bytes> {
    let read = || {
        refuse_special(std::fs::metadata(path)?.is_file())?;
        bounded(std::fs::File::open(path)?)
    };
    read().map_err(|error| {
        Error::new(
            Code::DirectoryUnreadable,
            format!("failed to read `{}`", path.display()),
        )
        .cause(error)
    })
}

fn read_file(dir: &Dir, name: &Path) -> std::io::Result<Bytes> {
    refuse_special(dir.metadata(name)?.is_file())?;
    bounded(dir.open(name)?)
}

/// Refuses folders, and named pipes, which would hold us up for ever.
fn refuse_special(is_file: bool) -> std::io::Result<()> {
    if is_file {
        Ok(())
    } else {
        Err(std::io::Error::other("it is no regular file"))
    }
}

/// The whole file, or one byte more than a component may have: the reader refuses that then.
fn bounded(file: impl Read) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(component::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Two components of one version have no order; the input is ordered by version.
fn refuse_duplicates(migrations: &[Migration]) -> Result<()> {
    match migrations
        .windows(2)
        .find(|pair| pair[0].version() == pair[1].version())
    {
        None => Ok(()),
        Some(pair) => Err(Error::new(
            Code::VersionDuplicate,
            format!(
                "`{}` and `{}` both have version {}",
                pair[0].file,
                pair[1].file,
                pair[0].version()
            ),
        )
        .hint("remove one of the two, or give it another version and build it again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{encode, samples};
    use crate::manifest::Manifest;

    fn store(folder: &Path, file: &str, version: &str) {
        let manifest =
            Manifest::parse("m", &format!("version = \"{version}\"\nname = \"a\"")).unwrap();
        std::fs::write(
            folder.join(file),
            encode("a", &samples::module(samples::WORLD), &manifest).unwrap(),
        )
        .unwrap();
    }

    #[test]
    fn components_come_in_the_order_of_their_versions() {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), "a.wasm", "10");
        store(folder.path(), "b.wasm", "9");
        std::fs::write(folder.path().join("notes.txt"), "not looked at").unwrap();
        let migrations = read(folder.path()).unwrap();
        let files: Vec<_> = migrations
            .iter()
            .map(|migration| migration.file.as_str())
            .collect();
        assert_eq!(files, ["b.wasm", "a.wasm"]);
        assert_eq!(
            migrations[0].digest,
            crate::migration::Digest::of(&migrations[0].component)
        );
    }

    #[test]
    fn two_of_one_version_are_refused_and_both_named() {
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), "a.wasm", "9");
        store(folder.path(), "b.wasm", "09");
        let error = read(folder.path()).unwrap_err();
        assert_eq!(error.code(), Code::VersionDuplicate);
        assert!(error.message().contains("`a.wasm` and `b.wasm`"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 0);
        let missing = folder.path().join("missing");
        assert_eq!(
            read(&missing).unwrap_err().code(),
            Code::DirectoryUnreadable
        );
        std::fs::create_dir(folder.path().join("folder.wasm")).unwrap();
        assert_eq!(
            read(folder.path()).unwrap_err().code(),
            Code::DirectoryUnreadable
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_out_is_refused_and_one_that_stays_is_not() {
        let outside = tempfile::tempdir().unwrap();
        store(outside.path(), "out.wasm", "1");
        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), "in.data", "2");
        std::os::unix::fs::symlink("in.data", folder.path().join("link.wasm")).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 1);
        std::os::unix::fs::symlink(
            outside.path().join("out.wasm"),
            folder.path().join("out.wasm"),
        )
        .unwrap();
        assert_eq!(
            read(folder.path()).unwrap_err().code(),
            Code::DirectoryUnreadable
        );
    }

    #[test]
    fn a_component_over_the_size_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("big.wasm")).unwrap();
        file.set_len(component::MAX_BYTES as u64 + 1).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert_eq!(error.code(), Code::ComponentInvalid);
        assert!(error.message().contains("larger than"), "{error}");
    }
}
