//! The keys of an index: what it is built on, and how each is compared and ordered.

use crate::Column;
use crate::bindings::wasmigrate::migration::checks::{IndexKey, IndexTarget};
use crate::bindings::wasmigrate::migration::types::Relation;
use crate::expr::Expr;
use crate::ident::{self, Ident};

/// One key of an index.
///
/// ```
/// # use wasmigrate_sdk::{Index, Key, OperatorClass, Table};
/// let index = Index::on(Table::new("public", "users"), "i")
///     .method("gin")
///     .key(Key::column("email").operator_class(&OperatorClass::new("public", "gin_trgm_ops")));
/// assert!(index.create_sql(false).ends_with(r#"USING "gin" ("email" "public"."gin_trgm_ops")"#));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Key(IndexKey);

impl Key {
    pub(crate) fn into_raw(self) -> IndexKey {
        self.0
    }

    fn new(target: IndexTarget) -> Self {
        Self(IndexKey {
            target,
            operator_class: None,
            descending: false,
            nulls_first: false,
        })
    }

    /// A column.
    ///
    /// ```
    /// # use wasmigrate_sdk::Key;
    /// let key = Key::column("email");
    /// ```
    pub fn column(column: impl Into<Column>) -> Self {
        Self::new(IndexTarget::Column(column.into().name().to_owned()))
    }

    /// An expression.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Key, expr::{call, col}};
    /// let key = Key::expression(call("lower", [col("email")]));
    /// ```
    pub fn expression(expression: impl Into<Expr>) -> Self {
        Self::new(IndexTarget::Expression(expression.into().to_string()))
    }

    /// Uses an operator class in place of the type's default.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Key, OperatorClass};
    /// let key = Key::column("name").operator_class(&OperatorClass::new("pg_catalog", "text_pattern_ops"));
    /// ```
    pub fn operator_class(mut self, class: &OperatorClass) -> Self {
        self.0.operator_class = Some(class.0.clone());
        self
    }

    /// Descending order, NULLs first as PostgreSQL has it then; [`nulls_last`](Self::nulls_last) may follow.
    ///
    /// ```
    /// # use wasmigrate_sdk::Key;
    /// let key = Key::column("createdAt").descending();
    /// ```
    pub fn descending(mut self) -> Self {
        self.0.descending = true;
        self.0.nulls_first = true;
        self
    }

    /// NULLs before the other values.
    ///
    /// ```
    /// # use wasmigrate_sdk::Key;
    /// let key = Key::column("createdAt").nulls_first();
    /// ```
    pub fn nulls_first(mut self) -> Self {
        self.0.nulls_first = true;
        self
    }

    /// NULLs after the other values.
    ///
    /// ```
    /// # use wasmigrate_sdk::Key;
    /// let key = Key::column("createdAt").descending().nulls_last();
    /// ```
    pub fn nulls_last(mut self) -> Self {
        self.0.nulls_first = false;
        self
    }
}

impl From<Column> for Key {
    fn from(column: Column) -> Self {
        Self::column(column)
    }
}

impl From<Expr> for Key {
    fn from(expression: Expr) -> Self {
        Self::expression(expression)
    }
}

/// An operator class with its schema; [`Installed::operator_class`](crate::Installed::operator_class) makes
/// one of an extension's.
///
/// ```
/// # use wasmigrate_sdk::OperatorClass;
/// let trigrams = OperatorClass::new("public", "gin_trgm_ops");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorClass(Relation);

impl OperatorClass {
    /// An operator class by schema and name, unquoted.
    ///
    /// ```
    /// # use wasmigrate_sdk::OperatorClass;
    /// let patterns = OperatorClass::new("pg_catalog", "text_pattern_ops");
    /// ```
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self(Relation {
            schema: schema.into(),
            name: name.into(),
        })
    }
}

/// The key as it stands in CREATE INDEX.
pub(crate) fn sql(key: &IndexKey) -> String {
    let mut sql = match &key.target {
        IndexTarget::Column(name) => Ident(name).to_string(),
        IndexTarget::Expression(expression) => format!("({expression})"),
    };
    if let Some(class) = &key.operator_class {
        sql.push_str(&format!(" {}", ident::relation(class)));
    }
    // only what is not the default: access methods without an order refuse the words
    if key.descending {
        sql.push_str(" DESC");
    }
    match (key.descending, key.nulls_first) {
        (true, false) => sql.push_str(" NULLS LAST"),
        (false, true) => sql.push_str(" NULLS FIRST"),
        _ => {}
    }
    sql
}
