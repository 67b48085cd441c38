//! The short look-ups. Most statements touch tables and built-in functions alone: then a hundredth of the full
//! look-up's work tells as much. What is not plain in every respect is left to the full one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::answer::{Answer, FoundRelation};
use super::tree::{self, Tree};
use crate::touched::{Function, Operator, Other, Type};

/// The first oid that is not the server's own. Source: PostgreSQL, `FirstNormalObjectId`.
const FIRST_OF_USERS: u32 = 16384;

/// The types that print the name of any object, each with the type of its arrays. Source: PostgreSQL,
/// `src/include/catalog/pg_type.dat`.
const NAMING: [(u32, u32); 11] = [
    (24, 1008),
    (2202, 2207),
    (2203, 2208),
    (2204, 2209),
    (2205, 2210),
    (2206, 2211),
    (3734, 3735),
    (3769, 3770),
    (4089, 4090),
    (4096, 4097),
    (4191, 4192),
];

/// What the procedure with the statement depends on.
#[derive(Deserialize)]
pub(super) struct Probe {
    body: String,
    /// Whether on types or functions, which may lead further.
    deep: bool,
    operators: Vec<u32>,
    /// Classes and oids.
    others: Vec<(u32, u32)>,
    relations: Option<Vec<FoundRelation>>,
}

/// A plain statement: it touches tables, operators and the like, and of the server's own functions and types these.
pub(super) struct Plain {
    probe: Probe,
    functions: BTreeSet<u32>,
    /// Those that print names, and whether only constants are of it.
    types: BTreeSet<(u32, bool)>,
}

impl Probe {
    /// The plain statement that this is, or nothing where only the full look-up can tell.
    pub(super) fn plain(self) -> Option<Plain> {
        let Tree {
            relations,
            functions,
            types,
            constants,
            json,
            ..
        } = tree::read(&self.body)?;
        let related = self.relations.as_deref().unwrap_or_default();
        let of_users: BTreeSet<u32> = related.iter().map(|relation| relation.oid).collect();
        let own = |oid: &u32| *oid < FIRST_OF_USERS;
        let plain = !self.deep
            && !json
            && relations == of_users
            && related
                .iter()
                .all(|relation| relation.alone && relation.kind == 'r')
            && functions.iter().chain(&types).chain(&constants).all(own);
        let naming = |of: &BTreeSet<u32>, constant: bool| {
            let named = NAMING.iter().flat_map(|(single, array)| {
                let single_is = of.contains(single).then_some((*single, constant));
                // the elements of an array are not told
                let array_is = of.contains(array).then_some((*single, false));
                single_is.into_iter().chain(array_is)
            });
            named.collect::<Vec<_>>()
        };
        let types = [naming(&types, false), naming(&constants, true)].concat();
        plain.then(|| Plain {
            functions,
            types: types.into_iter().collect(),
            probe: self,
        })
    }
}

impl Plain {
    /// The oids of its operators and the classes and oids of its other objects, as arrays in SQL; none where it
    /// has neither.
    pub(super) fn objects(&self) -> Option<[String; 3]> {
        let Probe {
            operators, others, ..
        } = &self.probe;
        let (classes, oids): (Vec<u32>, Vec<u32>) = others.iter().copied().unzip();
        let none = operators.is_empty() && others.is_empty();
        (!none).then(|| [array(operators), array(&classes), array(&oids)])
    }

    /// The answer, as the full look-up gives it, or nothing where what is known is not all or does not suffice.
    pub(super) fn answer(self, known: &Known, objects: Objects) -> Option<Answer> {
        let Objects { operators, others } = objects;
        if (operators.len(), others.len()) != (self.probe.operators.len(), self.probe.others.len())
        {
            return None;
        }
        let mut functions = Vec::new();
        for oid in self.functions {
            let function = known.functions.get(&oid)?;
            // which casts it runs depends on the types of what it is given
            if function.name.contains("json") {
                return None;
            }
            functions.push((0, Some(function.clone())));
        }
        let mut types = Vec::new();
        for (oid, constant) in self.types {
            let r#type = known.types.get(&oid)?.clone();
            types.push((0, Some(Type { constant, ..r#type })));
        }
        let relations = self.probe.relations.unwrap_or_default();
        Some(Answer {
            trees: Some(vec![(0, self.probe.body)]),
            named: Some(relations.iter().map(|relation| (0, relation.oid)).collect()),
            relations: Some(relations),
            functions: Some(functions),
            types: Some(types),
            operators: Some(
                operators
                    .into_iter()
                    .map(|found| (0, Some(found)))
                    .collect(),
            ),
            others: Some(others.into_iter().map(|found| (0, Some(found))).collect()),
        })
    }
}

/// What a plain statement touches that is neither table, function nor type.
#[derive(Default, Deserialize)]
pub(super) struct Objects {
    operators: Vec<Operator>,
    others: Vec<Other>,
}

/// The server's own functions and types that a session has met: their names don't change.
#[derive(Default, Deserialize)]
pub(super) struct Known {
    functions: BTreeMap<u32, Function>,
    types: BTreeMap<u32, Type>,
}

impl Known {
    /// The oids of the functions and of the types that are not met yet, as arrays in SQL; none where all are.
    pub(super) fn unknown(&self, plain: &Plain) -> Option<[String; 2]> {
        let functions: Vec<u32> = (plain.functions.iter().copied())
            .filter(|oid| !self.functions.contains_key(oid))
            .collect();
        let types: Vec<u32> = (plain.types.iter().map(|(oid, _)| *oid))
            .filter(|oid| !self.types.contains_key(oid))
            .collect();
        let all = functions.is_empty() && types.is_empty();
        (!all).then(|| [array(&functions), array(&types)])
    }

    /// Adds what was learned.
    pub(super) fn add(&mut self, more: Known) {
        self.functions.extend(more.functions);
        self.types.extend(more.types);
    }
}

fn array(oids: &[u32]) -> String {
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("{{{}}}", oids.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "({QUERY :rtable ({RTE :rtekind 0 :relid 20000}) :x {FUNCEXPR :funcid 870} \
        :y {CONST :consttype 2210}})";

    fn probe(body: &str) -> Probe {
        let table = FoundRelation {
            oid: 20000,
            schema: "s".into(),
            name: "t".into(),
            kind: 'r',
            row_security: false,
            extension: None,
            columns: None,
            children: None,
            alone: true,
        };
        Probe {
            body: body.into(),
            deep: false,
            operators: Vec::new(),
            others: Vec::new(),
            relations: Some(vec![table]),
        }
    }

    fn related(change: impl FnOnce(&mut FoundRelation)) -> Probe {
        let mut probe = probe(BODY);
        change(&mut probe.relations.as_mut().unwrap()[0]);
        probe
    }

    #[test]
    fn tables_and_the_servers_own_are_plain() {
        let plain = probe(BODY).plain().unwrap();
        assert_eq!(plain.functions, BTreeSet::from([870]));
        // an array of regclass
        assert_eq!(plain.types, BTreeSet::from([(2205, false)]));
        let constant = probe("({QUERY :r {RTE :relid 20000} :x {CONST :consttype 3734}})");
        assert_eq!(
            constant.plain().unwrap().types,
            BTreeSet::from([(3734, true)])
        );
    }

    #[test]
    fn all_else_is_left_to_the_full_look_up() {
        let with = |more: &str| probe(&BODY.replace(":x", &format!(":w {more} :x")));
        for (why, probe) in [
            (
                "a type or a function",
                Probe {
                    deep: true,
                    ..probe(BODY)
                },
            ),
            ("a view", related(|r| r.kind = 'v')),
            ("a sequence that is named", related(|r| r.oid = 20001)),
            (
                "a child or an extension's table",
                related(|r| r.alone = false),
            ),
            ("a catalog", with("{RTE :relid 1259}")),
            ("a user's function", with("{FUNCEXPR :funcid 16384}")),
            ("a user's type", with("{RELABELTYPE :resulttype 16384}")),
            ("a user's constant", with("{CONST :consttype 16384}")),
            ("json", with("{JSONEXPR :a 1}")),
            ("no tree", probe("{")),
        ] {
            assert!(probe.plain().is_none(), "{why}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_answer() {
        let plain = || probe(BODY).plain().unwrap();
        let mut known = Known::default();
        assert_eq!(known.unknown(&plain()).unwrap(), ["{870}", "{2205}"]);
        assert!(plain().answer(&known, Objects::default()).is_none());
        let learned = |name: &str| -> Known {
            let text = format!(
                r#"{{"functions": {{"870": {{"schema": "pg_catalog", "name": "{name}", "builtin": true,
                "arguments": [], "kind": "f", "security_definer": false}}}},
                "types": {{"2205": {{"schema": "pg_catalog", "name": "regclass", "kind": "b", "constant": false}}}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        known.add(learned("lower"));
        assert_eq!(known.unknown(&plain()), None);
        assert!(plain().answer(&known, Objects::default()).is_some());
        let with_objects = Probe {
            operators: vec![20002],
            others: vec![(3602, 13000)],
            ..probe(BODY)
        };
        let with_objects = with_objects.plain().unwrap();
        assert_eq!(
            with_objects.objects().unwrap(),
            ["{20002}", "{3602}", "{13000}"]
        );
        assert!(with_objects.answer(&known, Objects::default()).is_none());
        known.add(learned("to_json"));
        assert!(plain().answer(&known, Objects::default()).is_none());
    }
}
