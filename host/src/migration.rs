//! What a migration is: plain data, without anything that runs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::manifest::Manifest;

/// A text that is not what it should be; says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl Malformed {
    fn new(message: impl Into<String>) -> Self {
        Malformed(message.into())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// A migration's version: 1 to 20 digits, ordered as a number, shown as it was written.
/// `001` and `1` are the same version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version {
    text: String,
    number: u128,
}

impl Version {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits && text.len() <= 20 => Ok(Version {
                text: text.to_owned(),
                number,
            }),
            _ => Err(Malformed::new(
                "a version is 1 to 20 digits, for example 20251106000000",
            )),
        }
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// A migration's or a setting's name: lower-case words of ASCII letters and digits joined by `-`,
/// at most 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if text.len() <= 100 && text.split('-').all(word) {
            Ok(Name(text.to_owned()))
        } else {
            Err(Malformed::new(
                "a name is at most 100 lower-case ASCII letters and digits in words joined by `-`, for example add-user-index",
            ))
        }
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The SHA-256 of a component's bytes; shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Malformed::new("a digest is 64 hexadecimal digits"))?;
        Ok(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

macro_rules! as_text {
    ($($type:ident)*) => {$(
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }
    )*};
}

as_text!(Version Name Digest Mode Phase);

macro_rules! words {
    ($(#[$meta:meta])* $type:ident $expected:literal { $($(#[$doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum $type {
            $($(#[$doc])* $variant,)*
        }

        impl $type {
            /// All of them, in order.
            pub const ALL: &'static [$type] = &[$($type::$variant,)*];

            /// The word for it, in manifests, on the command line and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word,)* }
            }
        }

        impl FromStr for $type {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                match text {
                    $($word => Ok($type::$variant),)*
                    _ => Err(Malformed::new($expected)),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// How a migration runs.
    #[derive(Default)]
    Mode "a mode is `transactional` or `stepwise`" {
        /// Everything happens in one transaction, together with the history row.
        #[default]
        Transactional "transactional",
        /// Each statement commits by itself, and a journal makes the migration resumable.
        Stepwise "stepwise",
    }
}

words! {
    /// Which of its three functions a migration is in.
    Phase "a phase is `up`, `down` or `verify`" {
        /// Applying.
        Up "up",
        /// Undoing.
        Down "down",
        /// Checking what `up` brought about.
        Verify "verify",
    }
}

/// The operator's choices for a migration, every declared setting by its name.
pub type Settings = BTreeMap<String, String>;

/// What a migration's `up` remembers for its `down`, as keys and texts.
pub type Remembered = BTreeMap<String, String>;

/// A migration as it lies in the folder: the component's bytes, and what they say about themselves.
/// The digest is of exactly the bytes that are compiled.
#[derive(Debug, Clone)]
pub struct Migration {
    /// The name of the file in the folder.
    pub file: String,
    /// The SHA-256 of `component`.
    pub digest: Digest,
    /// What the author declared.
    pub manifest: Manifest,
    /// The component itself; cheap to clone.
    pub component: Bytes,
}

impl Migration {
    /// A migration of these bytes, whose manifest was read from them.
    pub fn new(file: impl Into<String>, component: Bytes, manifest: Manifest) -> Self {
        Migration {
            file: file.into(),
            digest: Digest::of(&component),
            manifest,
            component,
        }
    }

    /// The version, from the manifest.
    pub fn version(&self) -> &Version {
        &self.manifest.version
    }

    /// The name, from the manifest.
    pub fn name(&self) -> &Name {
        &self.manifest.name
    }

    /// Whether that is its name or its version.
    pub fn is_called(&self, word: &str) -> bool {
        self.name().as_str() == word || word.parse().as_ref() == Ok(self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_order_as_numbers_and_show_as_written() {
        assert!(version("9") < version("10"));
        assert_eq!(version("001"), version("1"));
        assert_eq!(version("001").to_string(), "001");
        assert!(version("99999999999999999999") > version("18446744073709551615"));
    }

    #[test]
    fn a_version_is_1_to_20_ascii_digits() {
        for wrong in [
            "",
            "+1",
            "-1",
            " 1",
            "1a",
            "1.2",
            "٣",
            "100000000000000000000",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_are_kebab_case() {
        for right in ["a", "2fa", "add-user-index", &"a".repeat(100)] {
            assert!(right.parse::<Name>().is_ok(), "{right:?}");
        }
        for wrong in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "a/b",
            "..",
            "é",
            &"a".repeat(101),
        ] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn digests_read_back_what_they_show() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("ba78".parse::<Digest>().is_err());
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }

    #[test]
    fn words_read_back_what_they_show() {
        for mode in Mode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(*mode));
        }
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(*phase));
        }
        assert!("Up".parse::<Phase>().is_err());
    }

    #[test]
    fn serde_uses_the_text() {
        let json = serde_json::to_string(&(version("007"), Mode::Stepwise)).unwrap();
        assert_eq!(json, r#"["007","stepwise"]"#);
        assert!(serde_json::from_str::<Version>("\"x\"").is_err());
    }
}
