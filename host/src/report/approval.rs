//! What was approved, and what is not.

use serde::Serialize;

use super::run::table;
use super::{ErrorJson, error_json, escape, escape_whole};
use crate::approval::Entry;
use crate::migration::{Digest, Name, Version};
use crate::operate::approve::{Approved, How, Judged};

/// What `approve` did, for a person: each migration with its digest and its grants, or what of them differs.
/// `wanted` is how many must sign.
pub fn approved_text(done: &[Approved], wanted: usize) -> String {
    let mut lines = Vec::new();
    for one in done {
        let how = match one.how {
            How::Approved => "approved",
            How::Again => "approved again",
            How::Signed => "signed",
            How::Unchanged => "approved already",
        };
        lines.push(format!("{} {}: {how}", one.version, one.name));
        lines.extend(
            one.facts
                .iter()
                .map(|line| format!("  {}", escape_whole(line))),
        );
        let signed_by = one.signed_by.iter();
        lines.extend(signed_by.map(|key| format!("  signed by {}", escape(key))));
        if one.signed_by.len() < wanted {
            lines.push(format!("  {wanted} must sign"));
        }
    }
    match lines.is_empty() {
        true => "nothing to approve: the folder holds no migration".to_owned(),
        false => lines.join("\n"),
    }
}

/// Whether a migration is approved.
#[derive(Debug, Serialize)]
pub struct CheckedLine {
    version: Version,
    name: Name,
    digest: Digest,
    approved: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    signed_by: Vec<String>,
    #[serde(flatten)]
    error: Option<ErrorJson>,
    #[serde(skip)]
    text: String,
}

impl CheckedLine {
    /// The line of a migration.
    pub fn new(judged: &Judged<'_>) -> Self {
        let entry = judged.approval.as_ref().ok();
        let text = match &judged.approval {
            Ok(entry) => format!(
                "approved by {} at {}{}",
                escape(&entry.approver),
                escape(&entry.date),
                signed_by(entry)
            ),
            Err(error) => format!("{}: {}", error.code().name(), escape(&error.to_string())),
        };
        CheckedLine {
            version: judged.migration.version().clone(),
            name: judged.migration.name().clone(),
            digest: judged.migration.digest,
            approved: entry.is_some(),
            approver: entry.map(|entry| entry.approver.clone()),
            date: entry.map(|entry| entry.date.clone()),
            signed_by: entry
                .map(|entry| entry.signatures.iter().map(|one| one.key.clone()).collect())
                .unwrap_or_default(),
            error: judged.approval.as_ref().err().map(error_json),
            text,
        }
    }
}

fn signed_by(entry: &Entry) -> String {
    let keys: Vec<String> = (entry.signatures.iter())
        .map(|signature| escape(&signature.key))
        .collect();
    match keys.is_empty() {
        true => String::new(),
        false => format!(", signed by {}", keys.join(" and ")),
    }
}

/// The lines for a person.
pub fn checked_text(lines: &[CheckedLine]) -> String {
    if lines.is_empty() {
        return "nothing to check: the folder holds no migration".to_owned();
    }
    let mut table = table(&["version", "name", "approval"], &[]);
    for line in lines {
        table.add_row([line.version.as_str(), line.name.as_str(), &line.text]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_shown_and_who_has_signed() {
        let one = Approved {
            version: "7".parse().unwrap(),
            name: "a".parse().unwrap(),
            digest: Digest::of(b"b"),
            how: How::Again,
            facts: vec!["+ up: read public.\"\u{202e}x\"".to_owned()],
            signed_by: vec!["SHA256:x".to_owned()],
        };
        let text = approved_text(&[one], 2);
        assert_eq!(
            text,
            "7 a: approved again\n  + up: read public.\"\\u{202e}x\"\n  signed by SHA256:x\n  2 must sign"
        );
    }
}
