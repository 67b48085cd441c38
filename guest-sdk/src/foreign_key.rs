//! Foreign keys: their definition, and bringing the database to it.

use crate::bindings::wasmigrate::migration::checks::{ForeignKeySpec, Standing};
use crate::ident::{self, Ident};
use crate::index::Ensured;
use crate::{Column, Error, Mode, Result, Table, checks, execute, mode, params};

#[doc(inline)]
pub use crate::bindings::wasmigrate::migration::checks::KeyAction;

/// The definition of a foreign key.
///
/// ```
/// use wasmigrate_sdk::{ForeignKey, KeyAction, Table};
///
/// const LOGS: Table = Table::new("public", "logs");
/// const USERS: Table = Table::new("public", "users");
///
/// let key = ForeignKey::on(LOGS, "fk_logs_user")
///     .columns(["userId"])
///     .references(USERS, ["id"])
///     .on_update(KeyAction::Cascade)
///     .on_delete(KeyAction::Restrict);
/// assert_eq!(
///     key.add_sql(true),
///     r#"ALTER TABLE "public"."logs" ADD CONSTRAINT "fk_logs_user" FOREIGN KEY ("userId") REFERENCES "public"."users" ("id") ON UPDATE CASCADE ON DELETE RESTRICT"#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a foreign key is only a definition until `ensure`, `drop` or `require` is called"]
pub struct ForeignKey(ForeignKeySpec);

impl ForeignKey {
    /// A foreign key of a table, by the constraint's name without quotes. Both rules are NO ACTION unless
    /// said otherwise.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, Table};
    /// let key = ForeignKey::on(Table::new("public", "logs"), "fk_logs_user");
    /// ```
    pub fn on(table: Table, name: impl Into<String>) -> Self {
        Self(ForeignKeySpec {
            table: table.into(),
            name: name.into(),
            columns: Vec::new(),
            referenced: table.into(),
            referenced_columns: Vec::new(),
            on_update: KeyAction::NoAction,
            on_delete: KeyAction::NoAction,
        })
    }

    /// The referencing columns.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, Table};
    /// let key = ForeignKey::on(Table::new("public", "logs"), "fk").columns(["userId"]);
    /// ```
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        self.0.columns = names(columns);
        self
    }

    /// The referenced table and its columns, as many as the referencing ones.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, Table};
    /// # const LOGS: Table = Table::new("public", "logs");
    /// let key = ForeignKey::on(LOGS, "fk").columns(["userId"]).references(Table::new("public", "users"), ["id"]);
    /// ```
    pub fn references(
        mut self,
        table: Table,
        columns: impl IntoIterator<Item = impl Into<Column>>,
    ) -> Self {
        self.0.referenced = table.into();
        self.0.referenced_columns = names(columns);
        self
    }

    /// What becomes of the rows when the referenced key changes.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, KeyAction, Table};
    /// # let key = ForeignKey::on(Table::new("public", "logs"), "fk");
    /// let key = key.on_update(KeyAction::Cascade);
    /// ```
    pub fn on_update(mut self, action: KeyAction) -> Self {
        self.0.on_update = action;
        self
    }

    /// What becomes of the rows when the referenced row goes.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, KeyAction, Table};
    /// # let key = ForeignKey::on(Table::new("public", "logs"), "fk");
    /// let key = key.on_delete(KeyAction::SetNull);
    /// ```
    pub fn on_delete(mut self, action: KeyAction) -> Self {
        self.0.on_delete = action;
        self
    }

    /// The definition as the host takes it.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, Table};
    /// assert_eq!(ForeignKey::on(Table::new("public", "logs"), "fk").spec().name, "fk");
    /// ```
    #[must_use]
    pub fn spec(&self) -> &ForeignKeySpec {
        &self.0
    }

    /// The statement that adds it, NOT VALID where the rows already there are not to be looked at.
    ///
    /// ```
    /// # use wasmigrate_sdk::{ForeignKey, Table};
    /// # const LOGS: Table = Table::new("public", "logs");
    /// let key = ForeignKey::on(LOGS, "fk").columns(["parent"]).references(LOGS, ["id"]);
    /// assert!(key.add_sql(false).ends_with("NOT VALID"));
    /// ```
    #[must_use]
    pub fn add_sql(&self, validated: bool) -> String {
        let spec = &self.0;
        format!(
            "{} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON UPDATE {} ON DELETE {}{}",
            self.alter(),
            Ident(&spec.name),
            ident::list(&spec.columns),
            ident::relation(&spec.referenced),
            ident::list(&spec.referenced_columns),
            action_sql(spec.on_update),
            action_sql(spec.on_delete),
            if validated { "" } else { " NOT VALID" },
        )
    }

    /// Brings the database to this foreign key: keeps it where it is validated and equal, adds it where it is
    /// missing, validates it where it is not yet.
    ///
    /// In stepwise mode a missing one is added NOT VALID and validated by a statement of its own, which lets
    /// writers go on.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{ForeignKey, Result};
    /// # fn example(key: &ForeignKey) -> Result<()> {
    /// key.ensure()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When something else has its name, when rows violate it, or when the host or the server refuses.
    pub fn ensure(&self) -> Result<Ensured> {
        let at_once = mode() == Mode::Transactional;
        let (ensured, validated) = match checks::foreign_key_standing(&self.0)? {
            Standing::Equal => (Ensured::Kept, true),
            Standing::Invalid => (Ensured::Mended, false),
            Standing::Absent => {
                execute(self.add_sql(at_once), params![])?;
                (Ensured::Created, at_once)
            }
            Standing::Different(what) => return Err(self.taken(&what)),
        };
        if !validated {
            let name = Ident(&self.0.name);
            execute(
                format!("{} VALIDATE CONSTRAINT {name}", self.alter()),
                params![],
            )?;
        }
        Ok(ensured)
    }

    /// Adds it NOT VALID where it is missing: from now on no new row can violate it, so what violates it can
    /// be repaired once and [`ensure`](Self::ensure) then validates it.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{ForeignKey, Result};
    /// # fn example(key: &ForeignKey) -> Result<()> {
    /// key.enforce()?;
    /// // repair the old rows here
    /// key.ensure()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When something else has its name, or the host or the server refuses.
    pub fn enforce(&self) -> Result<Ensured> {
        match checks::foreign_key_standing(&self.0)? {
            Standing::Equal | Standing::Invalid => Ok(Ensured::Kept),
            Standing::Absent => {
                execute(self.add_sql(false), params![])?;
                Ok(Ensured::Created)
            }
            Standing::Different(what) => Err(self.taken(&what)),
        }
    }

    /// Drops it by its name if it is there, however it is defined by now; tells whether it was.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{ForeignKey, Result};
    /// # fn example(key: &ForeignKey) -> Result<()> {
    /// key.drop()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the host or the server refuses.
    pub fn drop(&self) -> Result<bool> {
        if checks::constraint(self.0.table.clone(), &self.0.name)?.is_none() {
            return Ok(false);
        }
        let name = Ident(&self.0.name);
        execute(
            format!("{} DROP CONSTRAINT {name}", self.alter()),
            params![],
        )?;
        Ok(true)
    }

    /// Requires that it is there, validated and equal to this definition.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{ForeignKey, Result};
    /// # fn example(key: &ForeignKey) -> Result<()> {
    /// key.require()
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it is not, or the host refuses.
    pub fn require(&self) -> Result<()> {
        checks::require_foreign_key(&self.0)
    }

    fn alter(&self) -> String {
        format!("ALTER TABLE {}", ident::relation(&self.0.table))
    }

    fn taken(&self, what: &str) -> Error {
        Error::new(format!(
            "the name \"{}\" is taken by another constraint of {}: {what}; rename or drop that first",
            self.0.name,
            ident::relation(&self.0.table)
        ))
    }
}

fn names(columns: impl IntoIterator<Item = impl Into<Column>>) -> Vec<String> {
    columns
        .into_iter()
        .map(|column| column.into().name().to_owned())
        .collect()
}

fn action_sql(action: KeyAction) -> &'static str {
    match action {
        KeyAction::NoAction => "NO ACTION",
        KeyAction::Restrict => "RESTRICT",
        KeyAction::Cascade => "CASCADE",
        KeyAction::SetNull => "SET NULL",
        KeyAction::SetDefault => "SET DEFAULT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_columns_pair_up_in_order() {
        const A: Table = Table::new("s", "a");
        const B: Table = Table::new("t", "b");
        let key = ForeignKey::on(A, "fk")
            .columns(["x", "y"])
            .references(B, ["u", "v"]);
        assert_eq!(
            key.add_sql(false),
            "ALTER TABLE \"s\".\"a\" ADD CONSTRAINT \"fk\" FOREIGN KEY (\"x\", \"y\") \
             REFERENCES \"t\".\"b\" (\"u\", \"v\") ON UPDATE NO ACTION ON DELETE NO ACTION NOT VALID"
        );
    }
}
