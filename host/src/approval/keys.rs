//! Signatures: ed25519 keys as OpenSSH has them, so that a person signs with the key or the agent that they have.
//!
//! A signature is an OpenSSH signature (`ssh-keygen -Y sign -n wasmigrate`) of an entry's canonical text. Source:
//! OpenSSH, PROTOCOL.sshsig.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::entry::Entry;
use crate::error::{Code, Error, Result};

/// What the signatures are for: one that was made for something else does not count.
pub const SIGNATURE_NAMESPACE: &str = "wasmigrate";

/// A signature of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The fingerprint of the key, as `ssh-keygen -l` shows it.
    pub key: String,
    /// The signature in the armour of `ssh-keygen -Y sign`.
    pub signature: String,
}

/// What is wrong with the keys of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongKeys {
    /// This key, by its place, for that reason.
    Key(usize, String),
    /// How many must sign.
    Threshold(String),
}

/// The keys that may sign, and how many must.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    known: Vec<PublicKey>,
    threshold: usize,
}

impl Keys {
    /// Reads public keys as they stand in a `.pub` file.
    pub fn parse(lines: &[&str], threshold: Option<usize>) -> Result<Self, WrongKeys> {
        let mut known: Vec<PublicKey> = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            let key = PublicKey::from_openssh(line.trim()).map_err(|error| {
                let form = "a key is a line of a .pub file, as in \"ssh-ed25519 AAAA... alice\"";
                WrongKeys::Key(place, format!("{form}: {error}"))
            })?;
            if key.algorithm() != Algorithm::Ed25519 {
                let algorithm = key.algorithm();
                let why = format!("only ssh-ed25519 keys sign, not {algorithm}");
                return Err(WrongKeys::Key(place, why));
            }
            if known.iter().any(|other| other.key_data() == key.key_data()) {
                return Err(WrongKeys::Key(place, "the key is there twice".to_owned()));
            }
            known.push(key);
        }
        let count = known.len();
        match threshold {
            Some(threshold) if !(1..=count).contains(&threshold) => {
                let why = format!("a threshold of {threshold} does not fit {count} keys");
                Err(WrongKeys::Threshold(why))
            }
            // without keys nobody need sign
            threshold => Ok(Keys {
                threshold: threshold.unwrap_or(count.min(1)),
                known,
            }),
        }
    }

    /// Whether approvals must be signed.
    pub fn are_wanted(&self) -> bool {
        !self.known.is_empty()
    }

    /// How many must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Whether the key with that fingerprint may sign.
    pub fn has(&self, fingerprint: &str) -> bool {
        let mut known = self.known.iter();
        known.any(|key| shown(key) == fingerprint)
    }

    /// How many of the known keys have signed an entry.
    ///
    /// # Errors
    /// A signature that is not one of this entry, whoever made it; one by an unknown key, where keys are named.
    pub fn signed(&self, entry: &Entry) -> Result<usize> {
        let mut by = BTreeSet::new();
        let mut unknown = None;
        for signature in &entry.signatures {
            let key = self.checked(entry, signature).map_err(|why| {
                let what = format!(
                    "failed to verify the signature by {} under the approval of {}",
                    signature.key, entry.version
                );
                Error::new(Code::ApprovalSignature, what)
                    .cause(why)
                    .hint("restore the lock file from version control, or approve again")
            })?;
            match self.has(&key) {
                true => _ = by.insert(key),
                false => unknown = Some(key),
            }
        }
        match unknown {
            Some(key) if self.are_wanted() => Err(Error::new(
                Code::ApprovalKey,
                format!(
                    "the approval of {} is signed by an unknown key",
                    entry.version
                ),
            )
            .cause(format!(
                "{key} is not among the keys of [approval] in wasmigrate.toml"
            ))
            .hint("somebody whose key is there must sign, with `wasmigrate approve --key FILE`")),
            _ => Ok(by.len()),
        }
    }

    /// The fingerprint of whoever made this signature of the entry.
    fn checked(&self, entry: &Entry, signature: &Signature) -> Result<String, String> {
        let read = SshSig::from_pem(&signature.signature).map_err(|error| error.to_string())?;
        let key = PublicKey::from(read.public_key().clone());
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(format!(
                "it is by a key of {}, not ssh-ed25519",
                key.algorithm()
            ));
        }
        if shown(&key) != signature.key {
            return Err(format!("it is by {}", shown(&key)));
        }
        key.verify(SIGNATURE_NAMESPACE, entry.canonical().as_bytes(), &read)
            .map_err(|_| "it is of another text".to_owned())?;
        Ok(signature.key.clone())
    }
}

fn shown(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Signs an entry with a private key as OpenSSH writes it.
pub fn sign(private_key: &[u8], entry: &Entry) -> Result<Signature, String> {
    let key = PrivateKey::from_openssh(private_key)
        .map_err(|error| format!("it is no private key as ssh-keygen writes it: {error}"))?;
    if key.is_encrypted() {
        return Err(format!(
            "it has a passphrase; add it to the agent, and say \
             --sign-with 'ssh-keygen -Y sign -n {SIGNATURE_NAMESPACE} -f KEY.pub'"
        ));
    }
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(format!(
            "it is a key of {}, not ssh-ed25519",
            key.algorithm()
        ));
    }
    let text = entry.canonical();
    let signature = key
        .sign(SIGNATURE_NAMESPACE, HashAlg::Sha512, text.as_bytes())
        .and_then(|signature| signature.to_pem(LineEnding::LF))
        .map_err(|error| error.to_string())?;
    Ok(Signature {
        key: shown(key.public_key()),
        signature,
    })
}

/// The signature that a command printed, with the fingerprint of its key.
pub fn made(armoured: &str) -> Result<Signature, String> {
    let armoured = armoured.trim();
    let read = SshSig::from_pem(armoured).map_err(|error| error.to_string())?;
    Ok(Signature {
        key: shown(&PublicKey::from(read.public_key().clone())),
        signature: format!("{armoured}\n"),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::entry::tests::approval;
    use super::*;
    use ssh_key::private::{Ed25519Keypair, KeypairData};

    /// A key, private and public, made of one byte.
    pub fn key(seed: u8) -> (String, String) {
        let pair = KeypairData::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let key = PrivateKey::new(pair, "somebody").unwrap();
        let private = key.to_openssh(LineEnding::LF).unwrap().to_string();
        (private, key.public_key().to_openssh().unwrap())
    }

    fn entry(seeds: &[u8]) -> Entry {
        let mut entry = Entry::new(approval("7", b"x"), None);
        for seed in seeds {
            let signature = sign(key(*seed).0.as_bytes(), &entry).unwrap();
            entry.signatures.push(signature);
        }
        entry
    }

    fn keys(seeds: &[u8], threshold: usize) -> Keys {
        let lines: Vec<String> = seeds.iter().map(|seed| key(*seed).1).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Keys::parse(&lines, Some(threshold)).unwrap()
    }

    #[test]
    fn each_known_key_counts_once() {
        let keys = keys(&[1, 2], 2);
        assert_eq!(keys.signed(&entry(&[])).unwrap(), 0);
        assert_eq!(keys.signed(&entry(&[1, 1])).unwrap(), 1);
        assert_eq!(keys.signed(&entry(&[1, 2])).unwrap(), 2);
    }

    #[test]
    fn a_signature_by_an_unknown_key_is_refused_where_keys_are_named() {
        let code = |seeds: &[u8], threshold| {
            let signed = keys(&[1, 2], threshold).signed(&entry(seeds));
            signed.map_err(|error| error.code())
        };
        assert_eq!(code(&[3], 1), Err(Code::ApprovalKey));
        assert_eq!(code(&[1, 3], 2), Err(Code::ApprovalKey));
        assert_eq!(code(&[1, 3], 1), Err(Code::ApprovalKey));
        assert_eq!(Keys::default().signed(&entry(&[3])).unwrap(), 0);
    }

    #[test]
    fn a_signature_of_another_text_or_purpose_or_under_another_name_is_refused() {
        let keys = keys(&[1], 1);
        let refused = |entry: &Entry| keys.signed(entry).unwrap_err().code();
        let mut other = entry(&[1]);
        other.reason.push('x');
        assert_eq!(refused(&other), Code::ApprovalSignature);
        let mut renamed = entry(&[1]);
        renamed.signatures[0].key = shown(&PublicKey::from_openssh(&key(2).1).unwrap());
        assert_eq!(refused(&renamed), Code::ApprovalSignature);
        let mut cut = entry(&[1]);
        cut.signatures[0].signature.truncate(80);
        assert_eq!(refused(&cut), Code::ApprovalSignature);
        let mut purpose = entry(&[]);
        let private = PrivateKey::from_openssh(key(1).0).unwrap();
        let text = purpose.canonical();
        let signed = private
            .sign("git", HashAlg::Sha512, text.as_bytes())
            .unwrap();
        let made = made(&signed.to_pem(LineEnding::LF).unwrap());
        purpose.signatures.push(made.unwrap());
        assert_eq!(refused(&purpose), Code::ApprovalSignature);
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_place() {
        let good = key(1).1;
        for (lines, threshold, words) in [
            (vec!["ssh-ed25519 nonsense"], None, "a line of a .pub file"),
            (vec![good.as_str(), good.as_str()], None, "twice"),
            (vec![good.as_str()], Some(2), "does not fit 1 keys"),
            (vec![good.as_str()], Some(0), "does not fit"),
            (vec![], Some(1), "does not fit 0 keys"),
        ] {
            let (WrongKeys::Key(_, why) | WrongKeys::Threshold(why)) =
                Keys::parse(&lines, threshold).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        assert!(!Keys::parse(&[], None).unwrap().are_wanted());
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        let entry = entry(&[]);
        assert!(sign(b"-----BEGIN PRIVATE KEY-----", &entry).is_err());
        assert!(sign(b"", &entry).is_err());
    }
}
