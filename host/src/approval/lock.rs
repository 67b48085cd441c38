//! The lock file as a whole: reading it, which checks the chain, adding to it, writing it.

use serde::{Deserialize, Serialize};

use super::entry::{Approval, Entry};
use crate::error::{Code, Error, Result};
use crate::migration::{Digest, Version};
use crate::toml_text::Document;

/// The name of the file, beside wasmigrate.toml.
pub const FILE: &str = "wasmigrate.lock";

/// The largest lock file, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The one layout that there is.
const FORMAT: u32 = 1;

const HEAD: &str = "# Written by `wasmigrate approve`. Each entry is sealed and names the seal of the one before:\n\
    # what is edited, moved or taken out is refused.\n\n";

/// The approvals of a project, the oldest first. The newest of a version is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    format: u32,
    #[serde(default)]
    entry: Vec<Entry>,
}

impl Lock {
    /// Reads a lock file, and refuses one in which an entry was edited, moved or taken out.
    pub fn parse(origin: &str, text: &str) -> Result<Self> {
        let document = Document {
            code: Code::LockInvalid,
            origin,
            text,
        };
        if text.len() > MAX_BYTES {
            let message = format!("the file is larger than {MAX_BYTES} bytes");
            return Err(document.error(0..0, message));
        }
        let raw: RawLock = document.parse()?;
        if raw.format != FORMAT {
            let message = format!("the format is {}, and {FORMAT} is known here", raw.format);
            return Err(document
                .error(0..0, message)
                .hint("use the release of wasmigrate that wrote it, or a newer one"));
        }
        let mut before: Option<Digest> = None;
        for (place, entry) in raw.entry.iter().enumerate() {
            let what = format!("entry {} of `{origin}`, for {}", place + 1, entry.version);
            if let Some(why) = entry.unfit() {
                return Err(Error::new(Code::LockInvalid, format!("{what}: {why}")));
            }
            if entry.sealed() != entry.seal {
                return Err(Error::new(
                    Code::LockEdited,
                    format!("{what}, is not as it was approved: it was edited"),
                )
                .hint(restore()));
            }
            if entry.previous != before {
                let is_there = |seal: &Digest| raw.entry.iter().any(|other| other.seal == *seal);
                let (code, why) = match entry.previous.as_ref().is_none_or(is_there) {
                    true => (
                        Code::LockReordered,
                        "is not in its place: an entry was moved",
                    ),
                    false => (
                        Code::LockIncomplete,
                        "follows an entry that is not there: one was taken out",
                    ),
                };
                return Err(Error::new(code, format!("{what}, {why}")).hint(restore()));
            }
            before = Some(entry.seal);
        }
        Ok(Lock { entries: raw.entry })
    }

    /// The file's text.
    pub fn render(&self) -> Result<String> {
        let raw = RawLock {
            format: FORMAT,
            entry: self.entries.clone(),
        };
        let text = toml::to_string_pretty(&raw).map_err(|error| {
            Error::new(Code::Internal, format!("failed to write `{FILE}`")).cause(error)
        })?;
        Ok(format!("{HEAD}{text}"))
    }

    /// Adds an approval at the end.
    pub fn add(&mut self, approval: Approval) {
        let previous = self.entries.last().map(|entry| entry.seal);
        self.entries.push(Entry::new(approval, previous));
    }

    /// All entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry in force for a version.
    pub fn current(&self, version: &Version) -> Option<&Entry> {
        let mut newest_first = self.entries.iter().rev();
        newest_first.find(|entry| entry.version == *version)
    }

    /// The same, to add signatures to it.
    pub fn current_mut(&mut self, version: &Version) -> Option<&mut Entry> {
        let mut newest_first = self.entries.iter_mut().rev();
        newest_first.find(|entry| entry.version == *version)
    }
}

fn restore() -> String {
    format!(
        "restore `{FILE}` from version control; `wasmigrate approve` adds to it, and nothing else may change it"
    )
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::approval;
    use super::*;

    fn lock() -> Lock {
        let mut lock = Lock::default();
        for (version, component) in [("1", b"a"), ("2", b"b"), ("1", b"c")] {
            lock.add(approval(version, component));
        }
        lock
    }

    fn code(text: &str) -> Code {
        Lock::parse(FILE, text).unwrap_err().code()
    }

    #[test]
    fn what_is_written_is_read_again_and_the_newest_is_in_force() {
        let lock = lock();
        let text = lock.render().unwrap();
        assert_eq!(Lock::parse(FILE, &text).unwrap(), lock);
        let one = lock.current(&"1".parse().unwrap()).unwrap();
        assert_eq!(one.digest, Digest::of(b"c"));
        assert_eq!(lock.current(&"3".parse().unwrap()), None);
    }

    #[test]
    fn it_is_text_of_a_line_a_fact() {
        let text = lock().render().unwrap();
        for line in [
            "version = \"2\"",
            "approver = \"alice\"",
            "    \"insert public.a\",",
            "down = []",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn each_line_that_is_changed_or_taken_out_is_noticed() {
        let text = lock().render().unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let mut fewer = lines.clone();
            fewer.remove(place);
            let fewer = Lock::parse(FILE, &fewer.join("\n"));
            assert!(fewer.is_err(), "without {line}");
        }
        for (from, to) in [
            ("insert public.a", "insert public.b"),
            ("alice", "mallory"),
            ("down = []", "down = [\"catalog\"]"),
            ("0.1.0", "0.2.0"),
        ] {
            assert_eq!(
                code(&text.replacen(from, to, 1)),
                Code::LockEdited,
                "{from}"
            );
        }
    }

    #[test]
    fn an_entry_that_is_moved_or_taken_out_is_noticed() {
        let text = |places: &[usize]| {
            let entries = places.iter().map(|place| lock().entries[*place].clone());
            let lock = Lock {
                entries: entries.collect(),
            };
            lock.render().unwrap()
        };
        assert!(Lock::parse(FILE, &text(&[0, 1, 2])).is_ok());
        for (places, expected) in [
            (&[1, 0, 2][..], Code::LockReordered),
            (&[0, 2, 1], Code::LockReordered),
            (&[0, 1, 1, 2], Code::LockReordered),
            (&[0, 2], Code::LockIncomplete),
            (&[1, 2], Code::LockIncomplete),
        ] {
            assert_eq!(code(&text(places)), expected, "{places:?}");
        }
    }

    #[test]
    fn what_is_no_lock_file_is_refused_with_its_place() {
        for text in [
            "",
            "format = 2",
            "format = 1\nentries = []",
            "format = 1\n[[entry]]\nversion = \"x\"",
        ] {
            assert_eq!(code(text), Code::LockInvalid, "{text}");
        }
        assert!(Lock::parse(FILE, "format = 1").is_ok());
    }
}
