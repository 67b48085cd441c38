//! Types, operators, operator classes and collations: calls that do not look like calls.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeCast, TypeName};

use super::columns::Scope;
use super::walk::{Walker, shown, string, strings};
use crate::guard::grants::name::Name;
use crate::guard::grants::{Kind, Need, Object};

/// Built-in types of plain values by the names that the catalog gives them, sorted.
/// Not here: types that look objects up by name (`regclass` and its family), pseudo-types, types of
/// the server's insides, and the row types of the catalog's tables.
/// Source: PostgreSQL, "Data Types".
const TYPES: &[&str] = &[
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "text",
    "tid",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
    "xid",
    "xid8",
    "xml",
];

/// What a column may be declared as beside, which makes a sequence that the column owns.
/// Source: PostgreSQL, "Numeric Types", serial types.
const SERIAL: &[&str] = &[
    "bigserial",
    "serial",
    "serial2",
    "serial4",
    "serial8",
    "smallserial",
];

/// What functions may take and return beside. Source: PostgreSQL, "Pseudo-Types".
const IN_SIGNATURES: &[&str] = &[
    "anyarray",
    "anycompatible",
    "anycompatiblearray",
    "anyelement",
    "record",
    "regclass",
    "regconfig",
    "regdictionary",
    "trigger",
    "void",
];

/// Where a type stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In an expression.
    Value,
    /// In the definition of a column.
    Column,
    /// In the signature of a function.
    Signature,
}

/// Whether a name is that of a built-in type of plain values: a call of it may be a cast.
pub fn is_type(name: &str) -> bool {
    TYPES.binary_search(&name).is_ok()
}

impl Walker<'_> {
    /// Judges a type where it stands.
    pub fn type_name(&mut self, name: Option<&TypeName>, place: Place) {
        let Some(name) = name else { return };
        let at = name.location;
        if name.pct_type {
            self.deny("%TYPE", "write the type itself", at);
        }
        if name.setof && place != Place::Signature {
            self.deny("SETOF", "a value is no set", at);
        }
        let plain = |node: &Node| {
            matches!(
                &node.node,
                Some(NodeEnum::AConst(_) | NodeEnum::Integer(_) | NodeEnum::ColumnRef(_))
            )
        };
        if !name.typmods.iter().chain(&name.array_bounds).all(plain) {
            self.deny(
                "a type with a computed modifier",
                "a modifier is a constant",
                at,
            );
        }
        match strings(&name.names).as_deref() {
            Some([built_in] | ["pg_catalog", built_in]) => {
                self.names_type(built_in);
                let known = |names: &[&str]| names.contains(built_in);
                let fits = is_type(built_in)
                    || (place == Place::Column && known(SERIAL))
                    || (place == Place::Signature && known(IN_SIGNATURES));
                if !fits {
                    let what = format!("type {}", shown(built_in));
                    self.deny(what, "it is not among the built-in types of plain values; name the schema of another", at);
                }
            }
            _ => {
                if let Some(name) = self.listed("type", &name.names, at) {
                    self.need(Need::Type(name));
                }
            }
        }
    }

    /// Judges a cast: its type, and the constants that name objects.
    pub fn cast(&mut self, cast: &TypeCast, scope: Scope) {
        let names = cast
            .type_name
            .as_ref()
            .and_then(|name| strings(&name.names));
        let text_search = matches!(
            names.as_deref(),
            Some(["regconfig" | "regdictionary"] | ["pg_catalog", "regconfig" | "regdictionary"])
        );
        match (text_search, cast.arg.as_deref().and_then(constant)) {
            (true, Some(text)) => self.text_search(text, cast.location),
            _ => self.type_name(cast.type_name.as_ref(), Place::Value),
        }
        self.maybe(cast.arg.as_deref(), scope);
    }

    /// Judges a constant that names a text-search configuration or dictionary.
    pub fn text_search(&mut self, text: &str, at: i32) {
        match names_in(text).as_deref() {
            Some([_]) => {}
            Some([schema, _]) if schema == "pg_catalog" => {}
            Some([schema, name]) => {
                if let Some(name) = self.qualified("text search object", schema, name, at) {
                    let object = Object::TextSearch;
                    self.need(Need::ExtensionObject { object, name });
                }
            }
            _ => self.deny("a text search object by number", "name it", at),
        }
    }

    /// Judges an operator: bare or of pg_catalog, or of an extension.
    pub fn operator(&mut self, names: &[Node], at: i32) {
        self.of_extension(Object::Operator, names, at);
    }

    /// Judges an operator class: bare or of pg_catalog, or of an extension.
    pub fn operator_class(&mut self, names: &[Node]) {
        if !names.is_empty() {
            self.of_extension(Object::OperatorClass, names, -1);
        }
    }

    fn of_extension(&mut self, object: Object, names: &[Node], at: i32) {
        match strings(names).as_deref() {
            Some([_] | ["pg_catalog", _]) => {}
            _ => {
                if let Some(name) = self.listed(&object.to_string(), names, at) {
                    self.need(Need::ExtensionObject { object, name });
                }
            }
        }
    }

    /// Judges a collation, which may only be a built-in one.
    pub fn collation(&mut self, names: &[Node], at: i32) {
        match strings(names).as_deref() {
            None => self.deny("a collation", "its name cannot be read", at),
            Some([] | [_] | ["pg_catalog", _]) => {}
            Some(names) => {
                let what = format!("collation {}", shown(&names.join(".")));
                self.deny(what, "only the built-in collations can be used", at);
            }
        }
    }

    /// Notes the need of a sequence that a constant names.
    pub fn sequence(&mut self, node: Option<&Node>, at: i32) {
        let text = match node.and_then(|node| node.node.as_ref()) {
            Some(NodeEnum::TypeCast(cast)) => {
                let names = cast
                    .type_name
                    .as_ref()
                    .and_then(|name| strings(&name.names));
                match names.as_deref() {
                    Some(["regclass"] | ["pg_catalog", "regclass"]) => {
                        cast.arg.as_deref().and_then(constant)
                    }
                    _ => None,
                }
            }
            _ => node.and_then(constant),
        };
        let Some(names) = text.and_then(names_in) else {
            return self.deny(
                "a computed sequence",
                "name the sequence in a constant, as in 'public.s'",
                at,
            );
        };
        let name: Option<Name> = match names.as_slice() {
            [name] => self.qualified("sequence", "", name, at),
            [schema, name] => self.qualified("sequence", schema, name, at),
            _ => None,
        };
        match name {
            Some(name) => self.on(Kind::UseSequence, &name),
            None => self.deny(
                "a sequence",
                "name it with its schema, as in 'public.s'",
                at,
            ),
        }
    }
}

/// The text of a string constant.
pub fn constant(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::AConst(value)) => match &value.val {
            Some(pg_query::protobuf::a_const::Val::Sval(text)) => Some(&text.sval),
            _ => None,
        },
        _ => string(node),
    }
}

/// The names in a constant such as `public."S"`, read as the server reads a `regclass`; a number
/// would be an oid, and is none. Source: PostgreSQL, "Object Identifier Types".
fn names_in(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_matches(' ');
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            // a doubled quote inside a name is rare enough to be refused
            let end = quoted.find('"')?;
            name = quoted.get(..end)?.to_owned();
            rest = quoted.get(end + 1..)?;
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let bare = rest.get(..end)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                || !bare.chars().all(plain)
            {
                return None;
            }
            name = bare.to_ascii_lowercase();
            rest = rest.get(end..)?;
        }
        names.push(name);
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_sorted() {
        assert!(TYPES.is_sorted());
    }

    #[test]
    fn names_in_constants_are_read_as_the_server_reads_them() {
        let names = |text| names_in(text).map(|names| names.join("|"));
        assert_eq!(names("public.s"), Some("public|s".into()));
        assert_eq!(names(" Public.\"S a.b\" "), Some("public|S a.b".into()));
        for text in [
            "16384",
            "",
            "public.",
            "\"a",
            "a b",
            "public.é",
            "\"a\"\"b\"",
            "\"a\"b",
            "-",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
    }
}
