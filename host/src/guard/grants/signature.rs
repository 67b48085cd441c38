//! The types of a function's arguments as grants write them: as `format_type` does.

use std::fmt;

use super::line::{Line, Result};
use super::name::Name;

/// A type of an argument, without modifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArgType {
    base: Base,
    array: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Base {
    /// A built-in type by the name that `format_type` gives it.
    BuiltIn(String),
    User(Name),
}

/// Other names of built-in types and the one that `format_type` uses, sorted.
/// Source: PostgreSQL, "Data Types", table of names and aliases.
const ALIASES: &[(&str, &str)] = &[
    ("bool", "boolean"),
    ("bpchar", "character"),
    ("char", "character"),
    ("decimal", "numeric"),
    ("float", "double precision"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("time", "time without time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("timetz", "time with time zone"),
    ("varbit", "bit varying"),
    ("varchar", "character varying"),
];

/// Built-in types whose names are more than one word; what begins like one of them is read first.
const PHRASES: &[&str] = &[
    "bit varying",
    "character varying",
    "double precision",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
];

/// The type of one byte, which the quotes tell from `character`.
const ONE_BYTE: &str = "\"char\"";

impl ArgType {
    /// Reads a type.
    pub fn read(line: &mut Line<'_>) -> Result<Self> {
        let base = match PHRASES.iter().find(|phrase| line.take(phrase)) {
            Some(phrase) => Base::BuiltIn((*phrase).to_owned()),
            None => base(line)?,
        };
        let array = line.take("[]");
        Ok(ArgType { base, array })
    }
}

fn base(line: &mut Line<'_>) -> Result<Base> {
    let start = line.at();
    if line.take(ONE_BYTE) {
        return Ok(Base::BuiltIn(ONE_BYTE.to_owned()));
    }
    let first = line.ident()?;
    if !line.take(".") {
        let name = first.as_str();
        let found = ALIASES.binary_search_by_key(&name, |(alias, _)| alias);
        let name = found
            .ok()
            .and_then(|at| ALIASES.get(at))
            .map_or(name, |(_, name)| name);
        return Ok(Base::BuiltIn(name.to_owned()));
    }
    let second = line.ident()?;
    match Name::new(first.as_str(), second.as_str()) {
        Ok(name) => Ok(Base::User(name)),
        Err(_) if first.as_str() == "pg_catalog" => Ok(Base::BuiltIn(second.as_str().to_owned())),
        Err(why) => line.error(start, why),
    }
}

impl fmt::Display for ArgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::User(name) => write!(f, "{name}")?,
            Base::BuiltIn(name) => f.write_str(name)?,
        }
        f.write_str(if self.array { "[]" } else { "" })
    }
}

/// A function with the types of its arguments, which tell it from others of its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The function.
    pub function: Name,
    /// The types of its input arguments.
    pub arguments: Vec<ArgType>,
}

impl Signature {
    /// The signature of a function whose arguments are of these types, as `format_type` prints them.
    pub fn of(function: Name, arguments: &[String]) -> Result<Self> {
        let read = |text: &String| {
            let mut line = Line::new(text)?;
            let argument = ArgType::read(&mut line)?;
            line.end().map(|()| argument)
        };
        Ok(Signature {
            function,
            arguments: arguments.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Reads a function and its arguments.
    pub fn read(line: &mut Line<'_>) -> Result<Self> {
        let function = line.name()?;
        line.expect("(", "the function's name; write () if it takes no argument")?;
        let arguments = match line.take(")") {
            true => Vec::new(),
            false => line.list("an argument's type", ArgType::read)?,
        };
        Ok(Signature {
            function,
            arguments,
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<_> = self.arguments.iter().map(ArgType::to_string).collect();
        write!(f, "{}({})", self.function, arguments.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_shown_as_format_type_shows_types() {
        for (text, shown) in [
            ("public.f()", "public.f()"),
            ("public.f(int, text)", "public.f(integer, text)"),
            (
                "public.f(int4[],varchar)",
                "public.f(integer[], character varying)",
            ),
            (
                "public.f(timestamp with time zone, timestamptz, double precision)",
                "public.f(timestamp with time zone, timestamp with time zone, double precision)",
            ),
            ("app.\"F\"(public.mood[])", "app.\"F\"(public.mood[])"),
            ("public.f(pg_catalog.regclass)", "public.f(regclass)"),
            (
                "public.f(\"char\"[], char)",
                "public.f(\"char\"[], character)",
            ),
        ] {
            let mut line = Line::new(text).unwrap();
            assert_eq!(Signature::read(&mut line).unwrap().to_string(), shown);
            line.end().unwrap();
        }
    }

    /// What `format_type` prints of `pg_proc.proargtypes` is what a line of a manifest comes to.
    #[test]
    fn the_servers_types_are_those_of_a_line() {
        for (printed, written) in [
            ("integer[]", "int4[]"),
            ("character varying", "varchar"),
            ("character varying[]", "varchar[]"),
            ("character", "char"),
            ("\"char\"", "\"char\""),
            ("timestamp with time zone", "timestamptz"),
            ("time without time zone[]", "time[]"),
            ("bit varying", "varbit"),
            ("double precision", "float8"),
            ("s.\"Mood\"[]", "s.\"Mood\"[]"),
            ("\"S\".\"a b\"", "\"S\".\"a b\""),
            ("anyelement", "anyelement"),
        ] {
            let function = Name::new("public", "f").unwrap();
            let signature = Signature::of(function, &[printed.to_owned()]).unwrap();
            let text = format!("public.f({written})");
            let mut line = Line::new(&text).unwrap();
            assert_eq!(Signature::read(&mut line), Ok(signature.clone()), "{text}");
            assert_eq!(signature.to_string(), format!("public.f({printed})"));
        }
        for printed in [
            "s.m\u{f6}od",
            "integer, text",
            "information_schema.sql_identifier",
        ] {
            let function = Name::new("public", "f").unwrap();
            assert!(Signature::of(function, &[printed.to_owned()]).is_err());
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for text in [
            "public.f",
            "f()",
            "public.f(",
            "public.f(int",
            "public.f(,)",
            "public.f(*)",
            "public.f(wasmigrate.t)",
        ] {
            let mut line = Line::new(text).unwrap();
            assert!(Signature::read(&mut line).is_err(), "{text}");
        }
    }

    #[test]
    fn aliases_are_sorted() {
        assert!(ALIASES.is_sorted_by_key(|(alias, _)| alias));
    }
}
