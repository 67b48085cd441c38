//! Questions and requirements about the database. All are read-only.
//!
//! *Asking* functions return what is there; finding nothing is an answer. *Requiring* functions
//! (`require_...`) record a finding that the operator sees, and one that is not met fails the run.
//!
//! [`Index`], [`ForeignKey`](crate::ForeignKey) and [`Extension`](crate::Extension) have a
//! `require()` of their own.
//!
//! ```no_run
//! use wasmigrate_sdk::{Result, Table, checks, params};
//!
//! const USERS: Table = Table::new("public", "users");
//!
//! fn verify() -> Result<()> {
//!     checks::require_no_rows("every user has a role", format!("SELECT id FROM {USERS} WHERE role IS NULL"), params![])
//! }
//! ```

use crate::bindings::wasmigrate::migration::checks as raw;
use crate::{Index, Result, Value};

#[doc(inline)]
pub use crate::bindings::wasmigrate::migration::types::Relation;
#[doc(inline)]
pub use raw::{
    ColumnInfo, ConstraintInfo, ExtensionInfo, ForeignKeySpec, IndexInfo, IndexSpec, Standing,
};

/// Whether a table, view or materialized view exists.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks};
/// # fn example() -> Result<()> {
/// let there = checks::table_exists(Table::new("public", "users"))?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn table_exists(table: impl Into<Relation>) -> Result<bool> {
    Ok(raw::table_exists(&table.into())?)
}

/// A column of a table, if it exists.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks};
/// # fn example() -> Result<()> {
/// let nullable = checks::column(Table::new("public", "users"), "email")?.is_some_and(|c| c.nullable);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn column(table: impl Into<Relation>, name: &str) -> Result<Option<ColumnInfo>> {
    Ok(raw::column(&table.into(), name)?)
}

/// An index by schema and name, if it exists.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks};
/// # fn example() -> Result<()> {
/// let valid = checks::index(Table::new("public", "idx_users_email"))?.is_some_and(|i| i.valid);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn index(name: impl Into<Relation>) -> Result<Option<IndexInfo>> {
    Ok(raw::index(&name.into())?)
}

/// A constraint of a table, if it exists.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks};
/// # fn example() -> Result<()> {
/// let there = checks::constraint(Table::new("public", "users"), "users_pkey")?.is_some();
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn constraint(table: impl Into<Relation>, name: &str) -> Result<Option<ConstraintInfo>> {
    Ok(raw::constraint(&table.into(), name)?)
}

/// An extension, if it is installed.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, checks};
/// # fn example() -> Result<()> {
/// let schema = checks::extension("pg_trgm")?.map(|e| e.schema);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn extension(name: &str) -> Result<Option<ExtensionInfo>> {
    Ok(raw::extension(name)?)
}

/// The version that would be installed, if the server has the extension's files.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, checks};
/// # fn example() -> Result<()> {
/// let installable = checks::available_extension("pg_trgm")?.is_some();
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn available_extension(name: &str) -> Result<Option<String>> {
    Ok(raw::available_extension(name)?)
}

/// How the database stands to some indexes, in their order. The server compares expressions and predicates,
/// so spelling makes no difference.
///
/// ```no_run
/// # use wasmigrate_sdk::{Index, Result, Table, checks};
/// # fn example() -> Result<()> {
/// let index = Index::on(Table::new("public", "users"), "idx_users_email").columns(["email"]);
/// let there = checks::index_standings(&[index])? == [checks::Standing::Equal];
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn index_standings(indexes: &[Index]) -> Result<Vec<Standing>> {
    Ok(raw::index_standings(&specs(indexes))?)
}

fn specs(indexes: &[Index]) -> Vec<IndexSpec> {
    indexes.iter().map(|index| index.spec().clone()).collect()
}

/// How the database stands to a foreign key.
///
/// ```no_run
/// # use wasmigrate_sdk::{ForeignKey, Result, checks};
/// # fn example(key: &ForeignKey) -> Result<()> {
/// let missing = checks::foreign_key_standing(key.spec())? == checks::Standing::Absent;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the host refuses.
pub fn foreign_key_standing(spec: &ForeignKeySpec) -> Result<Standing> {
    Ok(raw::foreign_key_standing(spec)?)
}

/// Requires that a query returns no row; `what` says in words what is required.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks, params};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// checks::require_no_rows("no user lacks a mail", format!("SELECT id FROM {USERS} WHERE email IS NULL"), params![])
/// # }
/// ```
///
/// # Errors
/// When it returns a row, or the host refuses.
pub fn require_no_rows(what: &str, sql: impl AsRef<str>, params: &[Value]) -> Result<()> {
    Ok(raw::require_no_rows(what, sql.as_ref(), params)?)
}

/// Requires that each index is there, valid and equal to its definition.
///
/// ```no_run
/// # use wasmigrate_sdk::{Index, Result, checks};
/// # fn example(indexes: &[Index]) -> Result<()> {
/// checks::require_indexes(indexes)
/// # }
/// ```
///
/// # Errors
/// When one is not, or the host refuses.
pub fn require_indexes(indexes: &[Index]) -> Result<()> {
    Ok(raw::require_indexes(&specs(indexes))?)
}

/// Requires that a foreign key is there, validated and equal to its definition.
///
/// ```no_run
/// # use wasmigrate_sdk::{ForeignKey, Result, checks};
/// # fn example(key: &ForeignKey) -> Result<()> {
/// checks::require_foreign_key(key.spec())
/// # }
/// ```
///
/// # Errors
/// When it is not, or the host refuses.
pub fn require_foreign_key(spec: &ForeignKeySpec) -> Result<()> {
    Ok(raw::require_foreign_key(spec)?)
}

/// Requires that an extension is installed, and tells how.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, checks};
/// # fn example() -> Result<()> {
/// let version = checks::require_extension("pg_trgm")?.version;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When it is not, or the host refuses.
pub fn require_extension(name: &str) -> Result<ExtensionInfo> {
    Ok(raw::require_extension(name)?)
}

/// Requires that the planner can answer a query by an index: an [`Index`], or its name with
/// its schema as a [`Table`](crate::Table).
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks, params};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// checks::require_plan_uses(
///     format!("SELECT id FROM {USERS} WHERE email = $1"), params!["a@example.test"],
///     Table::new("public", "idx_users_email"),
/// )
/// # }
/// ```
///
/// # Errors
/// When it can't, or the host refuses.
pub fn require_plan_uses(
    sql: impl AsRef<str>,
    params: &[Value],
    index: impl Into<Relation>,
) -> Result<()> {
    Ok(raw::require_plan_uses(sql.as_ref(), params, &index.into())?)
}

/// Requires that a query takes at most that many milliseconds, all rows read; `what` says which query it is.
///
/// ```no_run
/// # use wasmigrate_sdk::{Result, Table, checks, params};
/// # const USERS: Table = Table::new("public", "users");
/// # fn example() -> Result<()> {
/// checks::require_latency("users by mail", format!("SELECT id FROM {USERS} WHERE email = $1"), params!["a"], 100)
/// # }
/// ```
///
/// # Errors
/// When it takes longer, or the host refuses.
pub fn require_latency(
    what: &str,
    sql: impl AsRef<str>,
    params: &[Value],
    limit_ms: u32,
) -> Result<()> {
    Ok(raw::require_latency(what, sql.as_ref(), params, limit_ms)?)
}
