//! Attacks on a database from a migration with few grants: each is refused, and for the right reason.

use super::super::required;
use super::by_hand;
use crate::guard::grants::Grants;

/// What the attacker was granted, and the statements with words of the first reason.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    granted: Vec<String>,
    attacks: Vec<(String, String)>,
}

fn refusal(sql: &str, granted: &[String]) -> Option<String> {
    let grants = Grants::parse(granted.iter().map(String::as_str)).unwrap();
    let demand = required(sql);
    let denied = demand.denied.first().map(ToString::to_string);
    denied.or_else(|| {
        Some(format!(
            "not granted: {}",
            grants.missing(&demand.needs).first()?
        ))
    })
}

#[test]
fn attacks_are_refused() {
    let tried: Tried = toml::from_str(&by_hand("attacks.toml")).unwrap();
    let mut wrong = Vec::new();
    for (sql, words) in &tried.attacks {
        let said = refusal(sql, &tried.granted).unwrap_or_default();
        if !said.contains(words) || (words.is_empty() != said.is_empty()) {
            wrong.push(format!("{sql}\n    {said:?} has no {words:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
