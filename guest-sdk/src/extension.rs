//! Extensions: installing them where a migration needs them, and taking them out again only when it was this
//! migration that put them in.

use crate::checks::ExtensionInfo;
use crate::{Error, Ident, OperatorClass, Result, checks, execute, params, recall, remember};

/// An extension that a migration needs.
///
/// ```no_run
/// use wasmigrate_sdk::{Extension, Index, Key, Result, Table};
///
/// const TRIGRAMS: Extension = Extension::new("pg_trgm").schema("public");
///
/// fn up() -> Result<()> {
///     let trigrams = TRIGRAMS.ensure()?.operator_class("gin_trgm_ops");
///     Index::on(Table::new("public", "users"), "idx_users_email_trigram")
///         .method("gin")
///         .key(Key::column("email").operator_class(&trigrams))
///         .ensure()?;
///     Ok(())
/// }
///
/// fn down() -> Result<()> {
///     // the index first, then
///     TRIGRAMS.drop_if_created()?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    name: &'static str,
    schema: &'static str,
}

/// An extension as it is installed.
///
/// ```no_run
/// # use wasmigrate_sdk::{Extension, Result};
/// # fn example() -> Result<()> {
/// let installed = Extension::new("pg_trgm").ensure()?;
/// assert!(installed.created || !installed.version.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// The schema that holds its objects, which is another than asked for where it was there before.
    pub schema: String,
    /// The installed version.
    pub version: String,
    /// Whether this migration created it.
    pub created: bool,
}

impl Installed {
    /// An operator class of the extension, with the schema that the extension is really in.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Extension, Result};
    /// # fn example() -> Result<()> {
    /// let trigrams = Extension::new("pg_trgm").ensure()?.operator_class("gin_trgm_ops");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn operator_class(&self, name: &str) -> OperatorClass {
        OperatorClass::new(self.schema.as_str(), name)
    }
}

impl From<ExtensionInfo> for Installed {
    fn from(there: ExtensionInfo) -> Self {
        Self {
            schema: there.schema,
            version: there.version,
            created: false,
        }
    }
}

impl Extension {
    /// An extension by its name, to be created in the schema `public`.
    ///
    /// ```
    /// # use wasmigrate_sdk::Extension;
    /// const UNACCENT: Extension = Extension::new("unaccent");
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            schema: "public",
        }
    }

    /// The schema to create it in.
    ///
    /// ```
    /// # use wasmigrate_sdk::Extension;
    /// const UNACCENT: Extension = Extension::new("unaccent").schema("extensions");
    /// ```
    #[must_use]
    pub const fn schema(self, schema: &'static str) -> Self {
        Self {
            name: self.name,
            schema,
        }
    }

    /// Creates the extension where it is not installed, and tells how it is. Only in `up`: it keeps a note
    /// for [`drop_if_created`](Self::drop_if_created).
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Extension, Result};
    /// # fn example() -> Result<()> {
    /// Extension::new("unaccent").ensure()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the server lacks its files, or the host or the server refuses.
    pub fn ensure(&self) -> Result<Installed> {
        if let Some(installed) = self.installed()? {
            return Ok(installed);
        }
        if checks::available_extension(self.name)?.is_none() {
            return Err(Error::new(format!(
                "the server has no files for the extension \"{}\": install the package that brings them \
                 (for PostgreSQL's own extensions postgresql-contrib)",
                self.name
            )));
        }
        remember(&self.note(), "created")?;
        execute(self.create_sql(), params![])?;
        let installed = self.installed()?.ok_or_else(|| {
            Error::new(format!("the extension \"{}\" is not installed", self.name))
        })?;
        Ok(Installed {
            created: true,
            ..installed
        })
    }

    /// How it is installed, if it is. `created` is false.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Extension, Result};
    /// # fn example() -> Result<()> {
    /// let there = Extension::new("unaccent").installed()?.is_some();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the host refuses.
    pub fn installed(&self) -> Result<Option<Installed>> {
        Ok(checks::extension(self.name)?.map(Installed::from))
    }

    /// Requires that it is installed, and tells how. `created` is false.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Extension, Result};
    /// # fn example() -> Result<()> {
    /// let trigrams = Extension::new("pg_trgm").require()?.operator_class("gin_trgm_ops");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When it is not, or the host refuses.
    pub fn require(&self) -> Result<Installed> {
        checks::require_extension(self.name).map(Installed::from)
    }

    /// Drops the extension if it is there and [`ensure`](Self::ensure) created it in `up`; tells whether it
    /// did. Only in `down`. What came to depend on it meanwhile makes the server refuse.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Extension, Result};
    /// # fn example() -> Result<()> {
    /// Extension::new("unaccent").drop_if_created()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the host or the server refuses.
    pub fn drop_if_created(&self) -> Result<bool> {
        if recall(&self.note())?.is_none() || self.installed()?.is_none() {
            return Ok(false);
        }
        execute(format!("DROP EXTENSION {}", Ident(self.name)), params![])?;
        Ok(true)
    }

    /// An operator class of the extension in the schema asked for, for where only names matter, such as
    /// dropping indexes. Elsewhere take [`Installed::operator_class`].
    ///
    /// ```
    /// # use wasmigrate_sdk::{Extension, OperatorClass};
    /// let class = Extension::new("pg_trgm").operator_class("gin_trgm_ops");
    /// assert_eq!(class, OperatorClass::new("public", "gin_trgm_ops"));
    /// ```
    #[must_use]
    pub fn operator_class(&self, name: &str) -> OperatorClass {
        OperatorClass::new(self.schema, name)
    }

    fn create_sql(&self) -> String {
        format!(
            "CREATE EXTENSION {} SCHEMA {}",
            Ident(self.name),
            Ident(self.schema)
        )
    }

    fn note(&self) -> String {
        format!("extension {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_the_schema() {
        let extension = Extension::new("pg_trgm").schema("ext");
        assert_eq!(
            extension.create_sql(),
            "CREATE EXTENSION \"pg_trgm\" SCHEMA \"ext\""
        );
    }
}
