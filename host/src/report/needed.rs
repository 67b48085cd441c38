//! What a statement needs, for its author.

use serde_json::{Value, json};

use super::escape;
use crate::guard::statement::Demand;

/// A statement and what it needs.
pub struct Needed<'a> {
    /// The statement.
    pub sql: &'a str,
    /// What it needs, and why it may never run.
    pub demand: &'a Demand,
}

/// One object: `statement`, `required`, `denied`.
pub fn needed_json(needed: &Needed<'_>) -> Value {
    let texts = |list: Vec<String>| json!(list);
    json!({
        "statement": needed.sql,
        "required": texts(needed.demand.needs.iter().map(ToString::to_string).collect()),
        "denied": texts(needed.demand.denied.iter().map(ToString::to_string).collect()),
    })
}

/// The statement on a line, and below it a line for each grant and each reason.
pub fn needed_text(needed: &Needed<'_>) -> String {
    let mut text = escape(&needed.sql.split_whitespace().collect::<Vec<_>>().join(" "));
    for need in &needed.demand.needs {
        text += &format!("\n  needs  {need}");
    }
    for denial in &needed.demand.denied {
        text += &format!("\n  never  {denial}");
    }
    if needed.demand.needs.is_empty() && needed.demand.denied.is_empty() {
        text += "\n  needs no grant";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::statement::required;

    #[test]
    fn what_is_needed_and_what_never_runs_have_a_line_each() {
        let sql = "DELETE FROM\n public.a";
        let demand = required(sql);
        let needed = Needed {
            sql,
            demand: &demand,
        };
        assert_eq!(
            needed_text(&needed),
            "DELETE FROM public.a\n  needs  delete public.a"
        );
        assert_eq!(needed_json(&needed)["required"], json!(["delete public.a"]));
        let demand = required("COMMIT");
        let never = Needed {
            sql: "COMMIT",
            demand: &demand,
        };
        assert!(needed_text(&never).contains("\n  never  "));
    }
}
