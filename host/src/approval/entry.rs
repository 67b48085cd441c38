//! One entry of the lock file: who approved which component, with which grants, when and why.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::keys::Signature;
use crate::manifest::Manifest;
use crate::migration::{Digest, Name, Phase, Version};
use crate::text::is_hidden;

/// The most characters of an approver or a reason.
const MAX_CHARACTERS: usize = 1000;

/// What is approved, without its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The migration's version.
    pub version: Version,
    /// Its name.
    pub name: Name,
    /// The SHA-256 of the component.
    pub digest: Digest,
    /// The version of the interface it was built for; none where it imports nothing.
    pub interface: Option<String>,
    /// The version that was right before it in the folder; none for the first.
    pub follows: Option<Version>,
    /// What it may do.
    pub grants: Granted,
    /// Who approved it.
    pub approver: String,
    /// When, as RFC 3339 in UTC.
    pub date: String,
    /// Why; may be empty.
    pub reason: String,
}

/// The lines of `[grants]`, a list a phase, as the manifest's canonical form writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// Of `up`.
    pub up: Vec<String>,
    /// Of `down`.
    pub down: Vec<String>,
    /// Of `verify`.
    pub verify: Vec<String>,
}

/// An approval in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The migration's version.
    pub version: Version,
    /// Its name.
    pub name: Name,
    /// The SHA-256 of the component.
    pub digest: Digest,
    /// The version of the interface it was built for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The version that was right before it in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Version>,
    /// Who approved it.
    pub approver: String,
    /// When.
    pub date: String,
    /// Why.
    pub reason: String,
    /// The seal of the entry before; none in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The SHA-256 of the canonical text.
    pub seal: Digest,
    /// What it may do.
    pub grants: Granted,
    /// Who signed the canonical text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
}

impl Granted {
    /// What a manifest declares.
    pub fn by(manifest: &Manifest) -> Self {
        let lines = |phase| {
            let grants = manifest.grants.of(phase).iter();
            grants.map(ToString::to_string).collect()
        };
        Granted {
            up: lines(Phase::Up),
            down: lines(Phase::Down),
            verify: lines(Phase::Verify),
        }
    }

    /// All of them, each with its phase.
    pub fn lines(&self) -> Vec<String> {
        let of = |phase: &Phase| -> Vec<String> {
            let lines = self.of(*phase).iter();
            lines.map(|line| format!("{phase}: {line}")).collect()
        };
        Phase::ALL.iter().flat_map(of).collect()
    }

    /// The lines of a phase.
    pub fn of(&self, phase: Phase) -> &[String] {
        match phase {
            Phase::Up => &self.up,
            Phase::Down => &self.down,
            Phase::Verify => &self.verify,
        }
    }
}

impl Entry {
    /// The entry for an approval that comes after the one with this seal.
    pub fn new(approval: Approval, previous: Option<Digest>) -> Self {
        let mut entry = Entry {
            version: approval.version,
            name: approval.name,
            digest: approval.digest,
            interface: approval.interface,
            follows: approval.follows,
            approver: approval.approver,
            date: approval.date,
            reason: approval.reason,
            previous,
            seal: Digest::of(b""),
            grants: approval.grants,
            signatures: Vec::new(),
        };
        entry.seal = entry.sealed();
        entry
    }

    /// The seal that its content has.
    pub fn sealed(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }

    /// What is sealed and signed: a line a field, so that a person can read what they sign. No value holds a line
    /// break ([`Entry::unfit`]), so no two entries have one text.
    pub fn canonical(&self) -> String {
        let mut text = "wasmigrate approval 1\n".to_owned();
        let mut line = |key: &str, value: Option<&dyn std::fmt::Display>| {
            let _ = match value {
                Some(value) => writeln!(text, "{key}={value}"),
                None => writeln!(text, "{key}"),
            };
        };
        fn shown<T: std::fmt::Display>(value: &Option<T>) -> Option<&dyn std::fmt::Display> {
            value.as_ref().map(|value| value as &dyn std::fmt::Display)
        }
        line("version", Some(&self.version));
        line("name", Some(&self.name.as_str()));
        line("digest", Some(&self.digest));
        line("interface", shown(&self.interface));
        line("follows", shown(&self.follows));
        line("approver", Some(&self.approver));
        line("date", Some(&self.date));
        line("reason", Some(&self.reason));
        line("previous", shown(&self.previous));
        for phase in Phase::ALL {
            for grant in self.grants.of(*phase) {
                line(phase.as_str(), Some(grant));
            }
        }
        text
    }

    /// What it approves, a line a fact, in which two entries of a version can differ.
    pub fn facts(&self) -> Vec<String> {
        let follows = self.follows.as_ref();
        let mut facts = vec![
            format!("name: {}", self.name),
            format!("digest: {}", self.digest),
            format!("interface: {}", self.interface.as_deref().unwrap_or("none")),
            match follows {
                Some(version) => format!("follows: version {version}"),
                None => "follows: nothing".to_owned(),
            },
        ];
        facts.extend(self.grants.lines());
        facts
    }

    /// Who approved it, when and why.
    pub fn origin(&self) -> Vec<String> {
        [
            ("approver", &self.approver),
            ("date", &self.date),
            ("reason", &self.reason),
        ]
        .map(|(key, value)| format!("{key}: {value}"))
        .to_vec()
    }

    /// What no entry may hold: a text with line breaks or hidden characters, or a very long one.
    pub fn unfit(&self) -> Option<String> {
        let texts = [
            ("interface", self.interface.as_deref().unwrap_or_default()),
            ("approver", &self.approver),
            ("date", &self.date),
            ("reason", &self.reason),
        ];
        let grants = Phase::ALL
            .iter()
            .flat_map(|phase| self.grants.of(*phase))
            .map(|line| ("grants", line.as_str()));
        texts.into_iter().chain(grants).find_map(|(key, text)| {
            let long = key != "grants" && text.chars().count() > MAX_CHARACTERS;
            match (text.chars().any(is_hidden), long) {
                (true, _) => Some(format!("`{key}` holds a line break or a hidden character")),
                (_, true) => Some(format!("`{key}` has more than {MAX_CHARACTERS} characters")),
                _ => None,
            }
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An approval of a component of these bytes.
    pub fn approval(version: &str, component: &[u8]) -> Approval {
        Approval {
            version: version.parse().unwrap(),
            name: "a-b".parse().unwrap(),
            digest: Digest::of(component),
            interface: Some("0.1.0".to_owned()),
            follows: None,
            grants: Granted {
                up: vec!["insert public.a".to_owned(), "read public.a".to_owned()],
                down: Vec::new(),
                verify: vec!["catalog".to_owned()],
            },
            approver: "alice".to_owned(),
            date: "2026-11-23T00:00:00Z".to_owned(),
            reason: String::new(),
        }
    }

    #[test]
    fn a_person_can_read_what_is_sealed() {
        let entry = Entry::new(approval("7", b"x"), None);
        let digest = Digest::of(b"x");
        assert_eq!(
            entry.canonical(),
            format!(
                "wasmigrate approval 1\nversion=7\nname=a-b\ndigest={digest}\ninterface=0.1.0\nfollows\n\
                 approver=alice\ndate=2026-11-23T00:00:00Z\nreason=\nprevious\nup=insert public.a\n\
                 up=read public.a\nverify=catalog\n"
            )
        );
    }

    #[test]
    fn each_field_is_under_the_seal_and_signatures_are_not() {
        let entry = Entry::new(approval("7", b"x"), None);
        let changes: [fn(&mut Entry); 11] = [
            |entry| entry.version = "07".parse().unwrap(),
            |entry| entry.name = "a-c".parse().unwrap(),
            |entry| entry.digest = Digest::of(b"y"),
            |entry| entry.interface = None,
            |entry| entry.follows = Some("6".parse().unwrap()),
            |entry| entry.approver.push('x'),
            |entry| entry.date.push('x'),
            |entry| entry.reason.push('x'),
            |entry| entry.previous = Some(Digest::of(b"")),
            |entry| entry.grants.down.push("catalog".to_owned()),
            |entry| {
                let moved = entry.grants.up.pop();
                entry.grants.down.extend(moved);
            },
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut changed = entry.clone();
            change(&mut changed);
            assert_ne!(changed.sealed(), entry.seal, "{place}");
        }
        let mut signed = entry.clone();
        signed.signatures.push(Signature::default());
        assert_eq!(signed.sealed(), entry.seal);
    }

    #[test]
    fn a_text_that_could_pass_for_another_line_is_unfit() {
        let mut entry = Entry::new(approval("7", b"x"), None);
        assert_eq!(entry.unfit(), None);
        entry.reason = "fine\nup=delete public.a".to_owned();
        assert!(entry.unfit().unwrap().contains("`reason`"));
        entry.reason = "x".repeat(MAX_CHARACTERS + 1);
        assert!(entry.unfit().unwrap().contains("1000"));
        entry.reason.clear();
        entry
            .grants
            .up
            .push("read public.a\nread public.b".to_owned());
        assert!(entry.unfit().unwrap().contains("`grants`"));
    }
}
