//! What a reviewer reads of a component: plain data made of its bytes, and of what a database says where one was
//! asked. Nothing is run, and the words are chosen by `report`.

mod answers;
mod difference;
mod powers;
mod protected;
mod reached;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::component::{Component, Texts};
use crate::guard::grants::name::Name;
use crate::guard::grants::{Grant, Kind, Subject};
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::migration::{Digest, Phase};

pub use answers::{Answer, Line};
pub use difference::{Change, Difference, Side};
pub use powers::Power;
pub use protected::Protected;
pub use reached::{Also, Found, Question, Reached};

/// Everything on the page about a component.
#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// The file, as the user named it.
    pub file: String,
    /// The SHA-256 of the file.
    pub digest: Digest,
    /// The file's size in bytes.
    pub size: usize,
    /// The interface's version; none where it imports nothing.
    pub interface: Option<String>,
    /// The interfaces it imports.
    pub imports: Vec<String>,
    /// The names it exports.
    pub exports: Vec<String>,
    /// What the author declared.
    pub manifest: Manifest,
    /// What its imports let it do, and what they don't.
    pub powers: Vec<Power>,
    /// The questions that every reviewer has.
    pub answers: Vec<Answer>,
    /// What is granted, by phase and then the most dangerous first.
    pub grants: Vec<Granted>,
    /// What may be done with each object that a grant names.
    pub objects: Vec<Named>,
    /// The columns of protected data.
    pub protected: Vec<Protected>,
    /// What it may use up.
    pub limits: Vec<Limit>,
    /// The SQL in its data, a hint.
    pub texts: Texts,
    /// What the grants reach in a database; none where none was asked.
    pub reached: Option<Vec<Reached>>,
}

/// A grant in a phase.
#[derive(Debug, Clone, Serialize)]
pub struct Granted {
    /// The phase.
    pub phase: Phase,
    /// What is granted.
    #[serde(serialize_with = "as_text")]
    pub grant: Grant,
    /// How much harm it can do.
    pub danger: u8,
    /// What it allows.
    pub help: &'static str,
    /// Why it has no effect, where it has none.
    pub idle: Option<&'static str>,
}

/// An object in a schema, and what each phase may do with it.
#[derive(Debug, Clone, Serialize)]
pub struct Named {
    /// The object.
    pub name: String,
    /// The grants on it by phase, without its name: `read (id)`.
    pub phases: BTreeMap<Phase, Vec<String>>,
}

/// A limit, and what it is where the author says nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    /// The manifest's key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// The default.
    pub default: String,
}

impl Review {
    /// The page about a component in a file of that name, digest and size.
    pub fn of(
        file: String,
        digest: Digest,
        size: usize,
        component: Component,
        texts: Texts,
    ) -> Self {
        let Component {
            imports,
            exports,
            interface,
            manifest,
        } = component;
        let interfaces = powers::interfaces(&imports);
        let grants = granted(&manifest, &interfaces);
        let protected = protected::protected(&manifest.phi, &grants);
        Review {
            file,
            digest,
            size,
            interface,
            powers: powers::powers(&interfaces),
            answers: answers::answers(&manifest, &interfaces, &grants, &protected),
            objects: objects(&grants),
            grants,
            protected,
            limits: limits(&manifest.limits),
            imports,
            exports,
            manifest,
            texts,
            reached: None,
        }
    }

    /// The interfaces it imports, without package and version.
    pub fn interfaces(&self) -> Vec<&str> {
        powers::interfaces(&self.imports)
    }
}

fn as_text<S: Serializer>(grant: &Grant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(grant)
}

fn granted(manifest: &Manifest, interfaces: &[&str]) -> Vec<Granted> {
    let of = |phase: Phase| {
        (manifest.grants.of(phase).iter()).map(move |grant| Granted {
            phase,
            grant: grant.clone(),
            danger: grant.kind.danger(),
            help: grant.kind.help(),
            idle: powers::idle(grant.kind, phase, interfaces),
        })
    };
    Phase::ALL.iter().copied().flat_map(of).collect()
}

/// Tables, views, sequences and types alike: an object's name is all that a grant says of it.
fn objects(grants: &[Granted]) -> Vec<Named> {
    let mut named: BTreeMap<&Name, BTreeMap<Phase, Vec<String>>> = BTreeMap::new();
    for granted in grants.iter().filter(|granted| granted.idle.is_none()) {
        let Grant { kind, subject } = &granted.grant;
        if let Some(name) = subject.name().filter(|_| !is_of_code(*kind)) {
            let phases = named.entry(name).or_default();
            phases
                .entry(granted.phase)
                .or_default()
                .push(without_name(*kind, subject));
        }
    }
    let named = named.into_iter().map(|(name, phases)| Named {
        name: name.to_string(),
        phases,
    });
    named.collect()
}

/// Whether the name in a grant of this kind is that of a function, a trigger or a policy.
fn is_of_code(kind: Kind) -> bool {
    use Kind::{Call, CodeFunction, CodePolicy, CodeTrigger, Fires};
    matches!(kind, Call | Fires | CodeFunction | CodeTrigger | CodePolicy)
}

/// A grant beside the object's name.
fn without_name(kind: Kind, subject: &Subject) -> String {
    let words = kind.words();
    match subject {
        Subject::Columns(_, columns) if columns.is_empty() => format!("{words} (all columns)"),
        Subject::Columns(_, columns) => {
            let columns: Vec<_> = columns.iter().map(ToString::to_string).collect();
            format!("{words} ({})", columns.join(", "))
        }
        Subject::Actions(_, actions) => {
            let actions: Vec<_> = actions.iter().map(|action| action.word()).collect();
            format!("{words} ({})", actions.join(", "))
        }
        _ => words.to_owned(),
    }
}

fn limits(limits: &Limits) -> Vec<Limit> {
    let defaults = Limits::default().shown();
    let all = limits.shown().into_iter().zip(defaults);
    all.map(|((key, value), (_, default))| Limit {
        key,
        value,
        default,
    })
    .collect()
}

/// A page for the tests: a component of these imports, with these lines in its manifest.
#[cfg(test)]
pub(crate) fn sample(imports: &[&str], lines: &str) -> Review {
    let manifest = format!("version = \"7\"\nname = \"a-b\"\n{lines}");
    let component = Component {
        imports: imports
            .iter()
            .map(|name| format!("wasmigrate:migration/{name}@0.1.0"))
            .collect(),
        exports: ["up", "down", "verify"].map(str::to_owned).to_vec(),
        interface: Some("0.1.0".to_owned()),
        manifest: Manifest::parse("m", &manifest).unwrap(),
    };
    Review::of(
        "a.wasm".to_owned(),
        Digest::of(b""),
        12,
        component,
        Texts::default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_line_with_what_each_phase_may_do() {
        let review = sample(
            &["execute", "checks"],
            "[grants]\nup = ['read public.a(id, \"B\")', 'read public.a', 'alter public.a: rename', 'call public.f()']\n\
             down = ['delete public.a', 'read public.b']\nverify = ['delete public.c']\n",
        );
        let json = serde_json::to_value(&review.objects).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {"name": "public.a", "phases": {
                    "up": ["read (all columns)", "read (\"B\", id)", "alter (rename)"],
                    "down": ["delete"],
                }},
                {"name": "public.b", "phases": {"down": ["read (all columns)"]}},
            ])
        );
    }

    #[test]
    fn grants_are_sorted_by_danger_and_limits_have_their_defaults() {
        let review = sample(
            &["execute"],
            "[grants]\nup = ['catalog', 'read public.a', 'drop table public.a']\n[limits]\nrows = 5\n",
        );
        let lines: Vec<_> = review.grants.iter().map(|g| g.grant.to_string()).collect();
        assert_eq!(lines, ["drop table public.a", "read public.a", "catalog"]);
        assert_eq!(review.grants[0].help, "drop the table with its rows");
        let json = serde_json::to_value(&review).unwrap();
        assert_eq!(json["grants"][0]["grant"], "drop table public.a");
        assert_eq!(
            json["limits"][5],
            serde_json::json!({"key": "rows", "value": "5", "default": "100000000"})
        );
    }
}
