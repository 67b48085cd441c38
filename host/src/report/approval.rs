//! What was approved, and what is not.

use serde::Serialize;

use super::run::table;
use super::{ErrorJson, error_json, escape};
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
        if let Some(before) = one.before.filter(|before| *before != one.digest) {
            lines.push(format!("  - digest: {before}"));
        }
        if matches!(one.how, How::Approved | How::Again) {
            lines.push(format!("  + digest: {}", one.digest));
        }
        lines.extend(one.grants.iter().map(|line| format!("  {}", escape(line))));
        if one.how == How::Again && one.grants.is_empty() {
            lines.push("  the grants are as they were".to_owned());
        }
        if wanted > 0 {
            lines.push(format!("  {} of {wanted} signatures", one.signatures));
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
                "approved by {} at {}",
                escape(&entry.approver),
                escape(&entry.date)
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
            error: judged.approval.as_ref().err().map(error_json),
            text,
        }
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
    fn what_differs_is_shown_with_both_digests() {
        let one = Approved {
            version: "7".parse().unwrap(),
            name: "a".parse().unwrap(),
            digest: Digest::of(b"b"),
            how: How::Again,
            before: Some(Digest::of(b"a")),
            grants: vec!["+ up: read public.\"\u{202e}x\"".to_owned()],
            signatures: 1,
        };
        let text = approved_text(&[one], 2);
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(
            text,
            format!(
                "7 a: approved again\n  - digest: {a}\n  + digest: {b}\n  + up: read public.\"\\u{{202e}}x\"\n  \
                 1 of 2 signatures"
            )
        );
    }
}
