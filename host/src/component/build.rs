//! Guest crates -> the folder of components.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::component::{cargo, encode::encode};
use crate::error::{Code, Error, Result};
use crate::manifest::Manifest;
use crate::migration::{Digest, Name, Version};

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Built {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: Name,
    /// Where it was written.
    pub file: PathBuf,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: usize,
    /// Whether the very same bytes lay there before.
    pub unchanged: bool,
    /// Other components in the folder that have the same version or the same name: leftovers of a rename.
    pub leftovers: Vec<String>,
}

struct Guest {
    folder: PathBuf,
    manifest: Manifest,
}

/// Compiles guest crates and writes their components as `VERSION-NAME.wasm`. Nothing is written unless
/// all of them compile. A crate is its folder, with Cargo.toml and migration.toml.
pub fn build(crates: &[PathBuf], into: &Path, quiet: bool) -> Result<Vec<Built>> {
    let guests = crates
        .iter()
        .map(|folder| guest(folder))
        .collect::<Result<Vec<_>>>()?;
    refuse_duplicates(&guests)?;
    let modules = compile(&guests, quiet)?;
    let mut encoded = Vec::new();
    for (guest, module) in guests.iter().zip(&modules) {
        let module = std::fs::read(module).map_err(|error| {
            failed(format!("failed to read `{}`", module.display())).cause(error)
        })?;
        encoded.push(encode(
            &guest.folder.display().to_string(),
            &module,
            &guest.manifest,
        )?);
    }
    std::fs::create_dir_all(into).map_err(|error| unwritable(into, error))?;
    guests
        .iter()
        .zip(encoded)
        .map(|(guest, bytes)| store(into, &guest.manifest, &bytes))
        .collect()
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(Code::BuildFailed, message)
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    failed(format!("failed to write `{}`", path.display())).cause(error)
}

fn guest(folder: &Path) -> Result<Guest> {
    let failed = |what: &Path, error| {
        failed(format!("failed to read `{}`", what.display()))
            .cause(error)
            .hint("a guest crate is a folder with a Cargo.toml and a migration.toml")
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| failed(folder, error))?;
    let path = folder.join("migration.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
    let manifest = Manifest::parse(&path.display().to_string(), &text)?;
    Ok(Guest { folder, manifest })
}

fn refuse_duplicates(guests: &[Guest]) -> Result<()> {
    let mut seen: BTreeMap<&Version, &Guest> = BTreeMap::new();
    for guest in guests {
        if let Some(other) = seen.insert(&guest.manifest.version, guest) {
            let (a, b) = (other.folder.display(), guest.folder.display());
            let message = format!(
                "`{a}` and `{b}` both have version {}",
                guest.manifest.version
            );
            return Err(Error::new(Code::VersionDuplicate, message)
                .hint("give one of them another version"));
        }
    }
    Ok(())
}

/// The path of each guest's module, in the same order: one cargo a workspace.
fn compile(guests: &[Guest], quiet: bool) -> Result<Vec<PathBuf>> {
    let mut workspaces: Vec<cargo::Workspace> = Vec::new();
    let mut wanted: BTreeMap<PathBuf, Vec<cargo::Package>> = BTreeMap::new();
    let mut packages = Vec::new();
    for guest in guests {
        let path = guest.folder.join("Cargo.toml");
        if !workspaces.iter().any(|workspace| {
            workspace
                .packages
                .iter()
                .any(|package| package.manifest_path == path)
        }) {
            workspaces.push(cargo::workspace(&guest.folder)?);
        }
        let (root, package) = workspaces
            .iter()
            .flat_map(|workspace| {
                workspace
                    .packages
                    .iter()
                    .map(|package| (&workspace.workspace_root, package))
            })
            .find(|(_, package)| package.manifest_path == path)
            .ok_or_else(|| failed(format!("`{}` is no package", path.display())))?;
        wanted
            .entry(root.clone())
            .or_default()
            .push(package.clone());
        packages.push(package.clone());
    }
    let mut modules = std::collections::HashMap::new();
    for (root, packages) in &wanted {
        modules.extend(cargo::build(root, packages, quiet)?);
    }
    packages
        .iter()
        .map(|package| {
            modules.remove(&package.id).ok_or_else(|| {
                failed(format!("`{}` builds no WebAssembly module", package.name))
                    .hint("its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
            })
        })
        .collect()
}

/// Writes a component so that a reader sees the old one or the new one, and never a part.
fn store(into: &Path, manifest: &Manifest, bytes: &[u8]) -> Result<Built> {
    let file = format!("{}-{}.wasm", manifest.version, manifest.name);
    let path = into.join(&file);
    let unchanged = std::fs::read(&path).is_ok_and(|old| old == bytes);
    if !unchanged {
        replace(into, &path, bytes).map_err(|error| unwritable(&path, error))?;
    }
    Ok(Built {
        version: manifest.version.clone(),
        name: manifest.name.clone(),
        digest: Digest::of(bytes),
        size: bytes.len(),
        unchanged,
        leftovers: leftovers(into, &file, manifest).map_err(|error| unwritable(into, error))?,
        file: path,
    })
}

fn replace(into: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".wasmigrate-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // the umask narrows it
    let mut file = builder.tempfile_in(into)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn leftovers(into: &Path, own: &str, manifest: &Manifest) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(into)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        let Some((version, name)) = file
            .strip_suffix(".wasm")
            .and_then(|stem| stem.split_once('-'))
        else {
            continue;
        };
        let same = version
            .parse()
            .is_ok_and(|version: Version| version == manifest.version)
            || name == manifest.name.as_str();
        if same && file != own {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(version: &str, name: &str) -> Manifest {
        Manifest::parse("m", &format!("version = \"{version}\"\nname = \"{name}\"")).unwrap()
    }

    #[test]
    fn a_component_is_replaced_whole_and_leftovers_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path();
        for file in ["007-b.wasm", "8-a.wasm", "9-c.wasm", "notes.txt", "7.wasm"] {
            std::fs::write(into.join(file), "").unwrap();
        }
        let built = store(into, &manifest("7", "a"), b"one").unwrap();
        assert_eq!(built.file, into.join("7-a.wasm"));
        assert_eq!(built.leftovers, ["007-b.wasm", "8-a.wasm"]);
        assert!(!built.unchanged);
        assert!(store(into, &manifest("7", "a"), b"one").unwrap().unchanged);
        assert!(!store(into, &manifest("7", "a"), b"two").unwrap().unchanged);
        assert_eq!(std::fs::read(built.file).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(into).unwrap().count(), 6);
    }

    #[test]
    fn two_guests_of_one_version_are_refused_before_compiling() {
        let folder = tempfile::tempdir().unwrap();
        let crates = ["a", "b"].map(|name| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(
                path.join("migration.toml"),
                format!("version = \"1\"\nname = \"{name}\""),
            )
            .unwrap();
            path
        });
        let error = build(&crates, folder.path(), true).unwrap_err();
        assert_eq!(error.code(), Code::VersionDuplicate);
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_guest() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(&[folder.path().to_owned()], folder.path(), true).unwrap_err();
        assert_eq!(error.code(), Code::BuildFailed);
        assert!(error.message().contains("migration.toml"), "{error}");
    }
}
