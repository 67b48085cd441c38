//! What is tried: the attacks of `*.toml`, and what the guest does in each.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasmigrate::guard::Guard;
use wasmigrate::guard::grants::Grants;

use crate::probe::Script;
use crate::support::root;

/// The files of attacks; the first one holds the first list and all grants.
pub const FILES: &[&str] = &["document", "queries", "writes", "definitions", "calls"];

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The names that the attacks of the first list go by, each once here or in a list of tests.
    #[serde(default)]
    pub ids: Vec<String>,
    /// What the guest is granted, by a name that attacks refer to; `few` where they name none.
    #[serde(default)]
    pub grants: BTreeMap<String, Vec<String>>,
    /// The attacks.
    pub attacks: Vec<Attack>,
}

/// What a file of attacks holds.
pub fn attacks(file: &str) -> Group {
    let path = root().join(format!("tests/e2e/attacks/{file}.toml"));
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// One attack.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Its name.
    pub id: String,
    /// A statement that the guest executes; `{*3:x*}` stands for `xxx`.
    sql: Option<String>,
    /// Or the probe's steps, each a verb with its arguments; `NULL` is none.
    #[serde(default)]
    steps: Vec<Vec<String>>,
    /// Which grants the guest has.
    #[serde(default = "few")]
    pub grants: String,
    /// The phase that attacks; before `down` and `verify` the migration is applied.
    #[serde(default = "up")]
    pub phase: String,
    /// What an administrator has done before to the database `:database` and the host's login `:login`.
    pub prelude: Option<String>,
    /// The error's code.
    pub code: Option<String>,
    /// A word that the operator must see.
    #[serde(default)]
    pub reason: String,
    /// Instead of a code: what the guest learns where the attack runs and comes to nothing.
    pub harmless: Option<Vec<String>>,
}

fn few() -> String {
    "few".to_owned()
}

fn up() -> String {
    "up".to_owned()
}

impl Attack {
    /// Whether it cannot share a database.
    pub fn is_apart(&self) -> bool {
        self.prelude.is_some() || self.harmless.is_some() || self.phase != "up"
    }

    /// What the guest does: a verb with its arguments each.
    pub fn steps(&self) -> Vec<Vec<String>> {
        let sql = self
            .sql
            .iter()
            .map(|sql| vec!["execute".to_owned(), sql.clone()]);
        let all = sql.chain(self.steps.iter().cloned());
        all.map(|step| step.iter().map(|text| unfolded(text)).collect())
            .collect()
    }

    /// Whether the guard refuses a statement of it by its text.
    pub fn is_refused_by_text(&self) -> bool {
        let sets = attacks("document").grants;
        let grants = sets[&self.grants].iter().map(String::as_str);
        let mut guard = Guard::new(Grants::parse(grants).unwrap());
        let steps = self.steps();
        let mut texts = (steps.iter()).filter(|step| ["execute", "query"].contains(&&*step[0]));
        texts.any(|step| guard.judge(&step[1]).is_err())
    }

    /// What the probe does.
    pub fn script(&self) -> Script {
        let mut script = Script::default();
        for step in self.steps() {
            let args: Vec<_> = step[1..]
                .iter()
                .map(|arg| (arg != "NULL").then_some(arg.as_str()))
                .collect();
            // the guest swallows what it is told
            script = script.step(&self.phase, &format!("try {}", step[0]), &args);
        }
        if self.harmless.is_none() && self.phase != "verify" {
            let damage = Some("INSERT INTO public.probe_answer (name) VALUES ('went on')");
            script = script.step(&self.phase, "try execute", &[damage]);
        }
        script
    }
}

/// A text in which `{*N:part*}` is written out.
fn unfolded(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{*") {
        let (count, after) = after.split_once(':').unwrap();
        let (part, after) = after.split_once("*}").unwrap();
        whole += before;
        whole += &part.repeat(count.parse().unwrap());
        rest = after;
    }
    whole + rest
}
