//! Expressions for indexes: predicates and computed keys, without a line of SQL.

use std::fmt;

use crate::{Column, Ident, Literal};

/// An SQL expression over a table's columns. It displays as SQL, so the same value serves the index and the
/// query that is to use it.
///
/// ```
/// use wasmigrate_sdk::expr::{call, coalesce, col, concat, text};
///
/// let live = col("isActive").eq(true).and(col("deletedAt").is_null());
/// assert_eq!(live.to_string(), r#""isActive" = true AND "deletedAt" IS NULL"#);
///
/// let document = call("to_tsvector", [text("english"), concat([coalesce([col("name"), text("")]), text(" ")])]);
/// assert_eq!(document.to_string(), r#""to_tsvector"('english', COALESCE("name", '') || ' ')"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    sql: String,
    kind: Kind,
}

/// What an expression is made of at its top, which decides where it needs parentheses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Needs no parentheses anywhere.
    Atom,
    /// An operator that binds tighter than AND and OR: parentheses under another operator only.
    Tight,
    /// A chain of AND.
    And,
    /// A chain of OR.
    Or,
    /// The author's own SQL: parentheses under everything.
    Raw,
}

/// A column.
///
/// ```
/// # use wasmigrate_sdk::expr::col;
/// assert_eq!(col("userId").to_string(), r#""userId""#);
/// ```
#[must_use]
pub fn col(column: impl Into<Column>) -> Expr {
    Expr::atom(column.into().to_string())
}

/// A text literal, escaped.
///
/// ```
/// # use wasmigrate_sdk::expr::text;
/// assert_eq!(text("it's").to_string(), "'it''s'");
/// ```
#[must_use]
pub fn text(text: &str) -> Expr {
    Expr::atom(Literal(text).to_string())
}

/// `COALESCE`: the first of its arguments that is not NULL.
///
/// ```
/// # use wasmigrate_sdk::expr::{coalesce, col, text};
/// assert_eq!(coalesce([col("name"), text("")]).to_string(), r#"COALESCE("name", '')"#);
/// ```
#[must_use]
pub fn coalesce(arguments: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
    Expr::atom(format!("COALESCE({})", comma_list(arguments)))
}

/// Its operands joined by `||`.
///
/// ```
/// # use wasmigrate_sdk::expr::{col, concat, text};
/// assert_eq!(concat([col("a"), text(" "), col("b")]).to_string(), r#""a" || ' ' || "b""#);
/// ```
#[must_use]
pub fn concat(operands: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
    let operands: Vec<String> = operands
        .into_iter()
        .map(|operand| operand.into().operand())
        .collect();
    Expr::tight(operands.join(" || "))
}

/// A call of one of PostgreSQL's own functions. For what is no function but syntax (`CAST`, `EXTRACT` ..)
/// use [`sql`].
///
/// ```
/// # use wasmigrate_sdk::expr::{call, col};
/// assert_eq!(call("lower", [col("email")]).to_string(), r#""lower"("email")"#);
/// ```
#[must_use]
pub fn call(function: &str, arguments: impl IntoIterator<Item = impl Into<Expr>>) -> Expr {
    Expr::atom(format!("{}({})", Ident(function), comma_list(arguments)))
}

/// A call of a function of a schema, as every function needs that is not PostgreSQL's own.
///
/// ```
/// # use wasmigrate_sdk::expr::{call_in, col};
/// assert_eq!(call_in("public", "f_unaccent", [col("name")]).to_string(), r#""public"."f_unaccent"("name")"#);
/// ```
#[must_use]
pub fn call_in(
    schema: &str,
    function: &str,
    arguments: impl IntoIterator<Item = impl Into<Expr>>,
) -> Expr {
    Expr::atom(format!(
        "{}.{}({})",
        Ident(schema),
        Ident(function),
        comma_list(arguments)
    ))
}

/// Any other SQL, taken as it is and put into parentheses where it is an operand.
///
/// ```
/// # use wasmigrate_sdk::expr::{col, sql};
/// assert_eq!(col("a").eq(sql("1 + 1")).to_string(), r#""a" = (1 + 1)"#);
/// ```
#[must_use]
pub fn sql(sql: impl Into<String>) -> Expr {
    Expr {
        sql: sql.into(),
        kind: Kind::Raw,
    }
}

/// `NOT`.
///
/// ```
/// # use wasmigrate_sdk::expr::{col, not};
/// assert_eq!(not(col("a").is_null()).to_string(), r#"NOT ("a" IS NULL)"#);
/// ```
#[must_use]
pub fn not(expr: impl Into<Expr>) -> Expr {
    Expr::tight(format!("NOT {}", expr.into().operand()))
}

macro_rules! comparisons {
    ($($name:ident $operator:literal $example:literal),+ $(,)?) => {$(
        #[doc = concat!("`", $operator, "`.")]
        ///
        /// ```
        /// # use wasmigrate_sdk::expr::col;
        #[doc = $example]
        /// ```
        #[must_use]
        pub fn $name(self, other: impl Into<Self>) -> Self {
            Self::tight(format!(concat!("{} ", $operator, " {}"), self.operand(), other.into().operand()))
        }
    )+};
}

// Named as SQL builders name them: these make an expression, they compare nothing here.
#[allow(clippy::should_implement_trait)]
impl Expr {
    comparisons! {
        eq "=" r#"assert_eq!(col("a").eq(true).to_string(), "\"a\" = true");"#,
        ne "<>" r#"assert_eq!(col("a").ne("x").to_string(), "\"a\" <> 'x'");"#,
        lt "<" r#"assert_eq!(col("a").lt(2).to_string(), "\"a\" < 2");"#,
        le "<=" r#"assert_eq!(col("a").le(2).to_string(), "\"a\" <= 2");"#,
        gt ">" r#"assert_eq!(col("a").gt(-2).to_string(), "\"a\" > (-2)");"#,
        ge ">=" r#"assert_eq!(col("a").ge(3).to_string(), "\"a\" >= 3");"#,
    }

    /// `AND`; a chain of it needs no parentheses.
    ///
    /// ```
    /// # use wasmigrate_sdk::expr::col;
    /// assert_eq!(col("a").and(col("b")).and(col("c").or(col("d"))).to_string(), r#""a" AND "b" AND ("c" OR "d")"#);
    /// ```
    #[must_use]
    pub fn and(self, other: impl Into<Self>) -> Self {
        self.chain(Kind::And, "AND", other.into())
    }

    /// `OR`; a chain of it needs no parentheses.
    ///
    /// ```
    /// # use wasmigrate_sdk::expr::col;
    /// assert_eq!(col("a").or(col("b").and(col("c"))).to_string(), r#""a" OR ("b" AND "c")"#);
    /// ```
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        self.chain(Kind::Or, "OR", other.into())
    }

    /// `IS NULL`.
    ///
    /// ```
    /// # use wasmigrate_sdk::expr::col;
    /// assert_eq!(col("a").is_null().to_string(), r#""a" IS NULL"#);
    /// ```
    #[must_use]
    pub fn is_null(self) -> Self {
        Self::tight(format!("{} IS NULL", self.operand()))
    }

    /// `IS NOT NULL`.
    ///
    /// ```
    /// # use wasmigrate_sdk::expr::col;
    /// assert_eq!(col("a").is_not_null().to_string(), r#""a" IS NOT NULL"#);
    /// ```
    #[must_use]
    pub fn is_not_null(self) -> Self {
        Self::tight(format!("{} IS NOT NULL", self.operand()))
    }

    fn atom(sql: String) -> Self {
        Self {
            sql,
            kind: Kind::Atom,
        }
    }

    fn tight(sql: String) -> Self {
        Self {
            sql,
            kind: Kind::Tight,
        }
    }

    fn chain(self, kind: Kind, word: &str, other: Self) -> Self {
        let sql = format!("{} {word} {}", self.link(kind), other.link(kind));
        Self { sql, kind }
    }

    /// As a link in a chain of AND or OR.
    fn link(self, chain: Kind) -> String {
        match self.kind {
            Kind::Atom | Kind::Tight => self.sql,
            kind if kind == chain => self.sql,
            _ => format!("({})", self.sql),
        }
    }

    /// As an operand of an operator.
    fn operand(self) -> String {
        if self.kind == Kind::Atom {
            self.sql
        } else {
            format!("({})", self.sql)
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

fn comma_list(arguments: impl IntoIterator<Item = impl Into<Expr>>) -> String {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| argument.into().sql)
        .collect();
    arguments.join(", ")
}

impl From<Column> for Expr {
    fn from(column: Column) -> Self {
        col(column)
    }
}

impl From<&str> for Expr {
    /// A text literal.
    fn from(literal: &str) -> Self {
        text(literal)
    }
}

impl From<bool> for Expr {
    fn from(value: bool) -> Self {
        Self::atom(value.to_string())
    }
}

macro_rules! from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Expr {
            fn from(value: $integer) -> Self {
                // a leading minus is an operator to PostgreSQL
                Self::atom(if i64::from(value) < 0 { format!("({value})") } else { value.to_string() })
            }
        }
    )+};
}
from_integers!(i16, i32, i64, u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_flat_and_mixed_ones_are_not() {
        let mixed = col("a")
            .eq(1)
            .and(col("b").is_null())
            .and(col("c").eq(2).or(col("d").eq(3)));
        assert_eq!(
            mixed.to_string(),
            r#""a" = 1 AND "b" IS NULL AND ("c" = 2 OR "d" = 3)"#
        );
        let right = col("a").and(col("b").and(col("c")));
        assert_eq!(right.to_string(), r#""a" AND "b" AND "c""#);
    }

    #[test]
    fn operators_under_operators_get_parentheses() {
        let nested = concat([col("a"), text("x")]).eq("yx");
        assert_eq!(nested.to_string(), r#"("a" || 'x') = 'yx'"#);
        assert_eq!(col("a").eq(1).is_null().to_string(), r#"("a" = 1) IS NULL"#);
    }

    #[test]
    fn the_authors_own_sql_cannot_leak_into_its_surroundings() {
        let mixed = sql("a OR b").and(col("c"));
        assert_eq!(mixed.to_string(), r#"(a OR b) AND "c""#);
    }

    #[test]
    fn a_literal_cannot_end_itself() {
        assert_eq!(
            col("a").eq("'; DROP TABLE t; --").to_string(),
            r#""a" = '''; DROP TABLE t; --'"#
        );
    }
}
