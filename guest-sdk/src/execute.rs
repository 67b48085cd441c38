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

/// A statement of several, for [`execute_all`].
#[derive(Debug, Clone, PartialEq)]
pub struct Step(raw::Step);

impl Step {
    /// A statement without parameters and without a note.
    ///
    /// ```
    /// use wasmigrate_sdk::{Step, params};
    ///
    /// let step = Step::new("UPDATE public.users SET role = $1").params(params!["nurse"]).note("roles are set");
    /// ```
    pub fn new(sql: impl Into<String>) -> Self {
        Step(raw::Step {
            sql: sql.into(),
            params: Vec::new(),
            note: String::new(),
        })
    }

    /// With these parameters.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Step, params};
    /// let step = Step::new("DELETE FROM public.users WHERE id = $1").params(params![7]);
    /// ```
    #[must_use]
    pub fn params(mut self, params: &[Value]) -> Self {
        self.0.params = params.to_vec();
        self
    }

    /// With what the log says once it is done.
    ///
    /// ```
    /// # use wasmigrate_sdk::Step;
    /// let step = Step::new("ANALYZE public.users").note("statistics are fresh");
    /// ```
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.note = note.into();
        self
    }
}

/// Runs statements one after the other and tells how many rows each affected. The server does not wait for the
/// guest between two of them, which counts where they are many and short. As each is done, its note goes to the
/// log, and the progress says how many are.
///
/// ```no_run
/// use wasmigrate_sdk::{Result, Step, execute_all};
///
/// fn refresh() -> Result<()> {
///     let tables = ["public.users", "public.students"];
///     let steps = tables.map(|table| Step::new(format!("ANALYZE {table}")).note(format!("{table} is analysed")));
///     execute_all(steps)?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the host or the server refuses a statement; the first error ends it.
pub fn execute_all(steps: impl IntoIterator<Item = Step>) -> Result<Vec<u64>> {
    let steps: Vec<raw::Step> = steps.into_iter().map(|step| step.0).collect();
    Ok(raw::execute_all(&steps)?)
}
