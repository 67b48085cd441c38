//! What must hold of the answer to any text, for the tests here and for the fuzz target.

use super::{Class, Demand, Grant, Kind, required, split};

/// The answer to a text; fails where it is not sound.
pub fn answered(sql: &str) -> Demand {
    let demand = required(sql);
    for denial in &demand.denied {
        let inside = denial.at.is_none_or(|at| sql.get(at..).is_some());
        assert!(inside && !denial.what.is_empty(), "{denial:?} of {sql:?}");
    }
    // an operator would copy the line, and a reviewer find its name in the statement
    let plain = sql.replace("\"\"", "\"").to_ascii_lowercase();
    let is_escaped = plain.contains("u&");
    for need in &demand.needs {
        let Some(grant) = need.grant() else { continue };
        assert_eq!(
            Grant::parse(&grant.to_string()),
            Ok(grant.clone()),
            "{sql:?}"
        );
        // of a sequence it may be put together from pieces of a constant
        let is_written = |name: &str| plain.contains(&name.to_ascii_lowercase());
        if let Some(name) = grant.subject.name()
            && !is_escaped
            && grant.kind != Kind::UseSequence
        {
            let written = is_written(name.schema.as_str()) && is_written(name.name.as_str());
            assert!(written, "{grant} of {sql:?}");
        }
    }
    let is_free = demand.needs.is_empty();
    match &demand.class {
        _ if !demand.denied.is_empty() => return demand,
        Class::Refused => panic!("no reason for refusing {sql:?}"),
        Class::Change(_) => assert!(!is_free, "a command for nothing: {sql:?}"),
        // FOR UPDATE of no table
        Class::Write => assert!(!is_free || plain.contains("for"), "for nothing: {sql:?}"),
        Class::Query => {}
    }
    assert_eq!(split(sql).map(|parts| parts.len()), Ok(1), "{sql:?}");
    let followed = required(&format!("{sql}\n;COMMIT"));
    assert!(!followed.denied.is_empty(), "a second statement: {sql:?}");
    demand
}
