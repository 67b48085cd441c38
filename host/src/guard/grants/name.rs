//! Names of database objects as grants write them: ASCII, quoted just where PostgreSQL quotes them.

use std::fmt;

/// The longest name in bytes; the server cuts what is longer.
/// Source: PostgreSQL, "Identifiers and Key Words".
pub const MAX_BYTES: usize = 63;

/// One name: of a schema, a table, a column, a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// A name as the catalog holds it; the error says why no grant can name it.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        match name {
            "" => Err("a name is empty"),
            _ if name.len() > MAX_BYTES => Err("a name is longer than 63 bytes"),
            _ if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) => Ok(Ident(name.to_owned())),
            _ => {
                Err("a name holds characters that are not printable ASCII, which no grant can name")
            }
        }
    }

    /// The name as the catalog holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name as `quote_ident` writes it.
/// Source: PostgreSQL, "String Functions and Operators", `quote_ident`.
impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(&self.0) && KEYWORDS.binary_search(&self.0.as_str()).is_err() {
            return f.write_str(&self.0);
        }
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// Whether a name has the form of one that is written without quotes.
pub fn is_plain(name: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.bytes().next().is_some_and(first)
        && name
            .bytes()
            .all(|byte| first(byte) || byte.is_ascii_digit())
}

/// A schema and a name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The schema.
    pub schema: Ident,
    /// The name in it.
    pub name: Ident,
}

impl Name {
    /// A name as the catalog holds it; the error says why nothing there can be granted.
    pub fn new(schema: &str, name: &str) -> Result<Self, &'static str> {
        if let Some(why) = forbidden_schema(schema) {
            return Err(why);
        }
        Ok(Name {
            schema: Ident::new(schema)?,
            name: Ident::new(name)?,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// Why nothing of a schema can be granted by name, where that is so.
pub fn forbidden_schema(schema: &str) -> Option<&'static str> {
    match schema {
        "wasmigrate" => Some("the schema wasmigrate is the host's own"),
        "pg_catalog" | "information_schema" => {
            Some("the catalog is read by the host's checks alone")
        }
        _ if schema.starts_with("pg_temp") => Some("temporary objects are the host's own"),
        _ if schema.starts_with("pg_") => Some("schemas that begin with pg_ are the server's own"),
        _ => None,
    }
}

/// Key words that `quote_ident` quotes: all but the unreserved ones, of PostgreSQL 18, sorted.
/// Source: PostgreSQL, "SQL Key Words"; `parser/kwlist.h`.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_postgresql_quotes_them() {
        for (name, shown) in [
            ("logs", "logs"),
            ("_a1", "_a1"),
            ("genericName", "\"genericName\""),
            ("user", "\"user\""),
            ("left", "\"left\""),
            ("between", "\"between\""),
            ("name", "name"),
            ("a$b", "\"a$b\""),
            ("1a", "\"1a\""),
            ("a\"b", "\"a\"\"b\""),
            ("a b", "\"a b\""),
        ] {
            assert_eq!(Ident::new(name).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn names_that_a_reader_could_mistake_are_refused() {
        let long = "a".repeat(64);
        for name in ["", "p\u{430}tients", "a\u{202e}b", "a\nb", "a\u{7f}", &long] {
            assert!(Ident::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn nothing_in_the_hosts_and_the_servers_schemas_can_be_named() {
        for schema in [
            "wasmigrate",
            "pg_catalog",
            "information_schema",
            "pg_temp_3",
            "pg_toast",
        ] {
            assert!(Name::new(schema, "a").is_err(), "{schema}");
        }
        assert_eq!(
            Name::new("Public", "t").unwrap().to_string(),
            "\"Public\".t"
        );
    }

    #[test]
    fn key_words_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(KEYWORDS.len() > 150);
    }
}
