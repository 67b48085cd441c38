//! What a run role gets for the grants of a phase. Pure.

use super::{Privileges, Routine, TablePrivilege, Verb};
use crate::guard::grants::name::Name;
use crate::guard::grants::{Grants, Kind, Subject};

impl Privileges {
    /// The privileges for the grants that concern rows, functions, sequences and types. What a grant allows to
    /// be done to definitions, an owner does. A trigger's function needs none: the server asks for EXECUTE when
    /// the trigger is made.
    pub fn granted(grants: &Grants) -> Self {
        let mut privileges = Privileges::default();
        for grant in grants.iter() {
            let verb = match grant.kind {
                Kind::Read => Some(Verb::Select),
                Kind::Insert => Some(Verb::Insert),
                Kind::Update => Some(Verb::Update),
                Kind::Delete => Some(Verb::Delete),
                Kind::Truncate => Some(Verb::Truncate),
                _ => None,
            };
            match (&grant.subject, grant.kind) {
                (Subject::Name(table), _) if verb.is_some() => {
                    privileges.on_table(table, verb, Vec::new());
                }
                (Subject::Columns(table, columns), _) => {
                    let columns = columns.iter().map(|column| column.as_str().to_owned());
                    privileges.on_table(table, verb, columns.collect());
                }
                (Subject::Function(signature), Kind::Call) => {
                    let (schema, name) = pair(&signature.function);
                    let arguments = signature.arguments.iter().map(ToString::to_string);
                    privileges.routines.push(Routine {
                        schema,
                        name,
                        arguments: arguments.collect(),
                    });
                }
                (Subject::Name(sequence), Kind::UseSequence) => {
                    privileges.sequences.push(pair(sequence));
                }
                (Subject::Name(name), Kind::UseType) => privileges.types.push(pair(name)),
                // its operators are found in its schema
                (Subject::Extension(_, schema), _) => {
                    privileges.schemas.push(schema.as_str().to_owned());
                }
                _ => {}
            }
        }
        privileges
    }

    fn on_table(&mut self, table: &Name, verb: Option<Verb>, columns: Vec<String>) {
        let (schema, name) = pair(table);
        self.tables.extend(verb.map(|verb| TablePrivilege {
            schema,
            name,
            verb,
            columns,
        }));
    }
}

fn pair(name: &Name) -> (String, String) {
    (
        name.schema.as_str().to_owned(),
        name.name.as_str().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(lines: &[&str]) -> Privileges {
        Privileges::granted(&Grants::parse(lines.iter().copied()).unwrap())
    }

    #[test]
    fn each_verb_is_a_privilege_with_its_columns() {
        let privileges = granted(&[
            "read public.a(x, \"Y\")",
            "insert public.a",
            "update public.a(x)",
            "delete public.b",
            "truncate public.b",
        ]);
        let mut seen: Vec<_> = privileges
            .tables
            .iter()
            .map(|table| (table.verb, &*table.name, table.columns.join(" ")))
            .collect();
        seen.sort();
        let expected = [
            (Verb::Select, "a", "Y x"),
            (Verb::Insert, "a", ""),
            (Verb::Update, "a", "x"),
            (Verb::Delete, "b", ""),
            (Verb::Truncate, "b", ""),
        ];
        assert_eq!(
            seen,
            expected.map(|(verb, name, columns)| (verb, name, columns.to_owned()))
        );
    }

    #[test]
    fn functions_sequences_types_and_an_extensions_schema_are_for_use() {
        let privileges = granted(&[
            "call public.f(int, app.\"Mood\"[])",
            "use-sequence public.s",
            "use-type app.mood",
            "extension pg_trgm in ext",
        ]);
        assert_eq!(
            privileges.routines,
            [Routine {
                schema: "public".into(),
                name: "f".into(),
                arguments: vec!["integer".into(), "app.\"Mood\"[]".into()],
            }]
        );
        assert_eq!(privileges.sequences, [("public".into(), "s".into())]);
        assert_eq!(privileges.types, [("app".into(), "mood".into())]);
        assert_eq!(privileges.schemas, ["ext"]);
    }

    /// The owner does these: a role that could not do them either has no need of a privilege.
    #[test]
    fn what_concerns_definitions_is_no_privilege() {
        let lines = [
            "index public.a",
            "alter public.a: add-column",
            "drop table public.a",
            "lock public.a",
            "reference public.a",
            "create table public.b",
            "comment public.a",
            "fires public.f()",
            "catalog",
        ];
        assert_eq!(granted(&lines), Privileges::default());
    }
}
