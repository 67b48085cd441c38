//! Changing the database by statement.

use crate::bindings::wasmigrate::migration::execute as raw;
use crate::{Result, Value};

/// Runs one statement and tells how many rows it affected, 0 for DDL.
///
/// ```no_run
/// use wasmigrate_sdk::{Column, Result, Table, execute, params};
///
/// const USERS: Table = Table::new("public", "users");
/// const ACTIVE: Column = Column::new("isActive");
///
/// fn retire() -> Result<u64> {
///     execute(format!("UPDATE {USERS} SET {ACTIVE} = false WHERE email LIKE $1"), params!["%@old.test"])
/// }
/// ```
///
/// # Errors
/// When the host or the server refuses the statement.
pub fn execute(sql: impl AsRef<str>, params: &[Value]) -> Result<u64> {
    Ok(raw::execute(sql.as_ref(), params)?)
}
