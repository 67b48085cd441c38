//! Indexes: their definition, and bringing the database to it.

use crate::bindings::wasmigrate::migration::checks::{IndexSpec, Standing};
use crate::bindings::wasmigrate::migration::types::Relation;
use crate::expr::Expr;
use crate::ident::{self, Ident};
use crate::key::{self, Key};
use crate::{
    Column, Error, Mode, Result, Step, Table, checks, execute, execute_all, info, mode, params,
    progress,
};

/// The definition of an index.
///
/// The index lies in the schema of its table. In stepwise mode it is built and dropped `CONCURRENTLY`.
///
/// ```
/// use wasmigrate_sdk::{Index, Table, expr::col};
///
/// const USERS: Table = Table::new("public", "users");
///
/// let lockouts = Index::on(USERS, "idx_users_active_lockouts")
///     .columns(["lockoutUntil", "email"])
///     .only_where(col("lockoutUntil").is_not_null());
/// assert_eq!(
///     lockouts.create_sql(false),
///     r#"CREATE INDEX "idx_users_active_lockouts" ON "public"."users" USING "btree" ("lockoutUntil", "email") WHERE "lockoutUntil" IS NOT NULL"#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an index is only a definition until `ensure`, `drop` or `require` is called"]
pub struct Index(IndexSpec);

/// What [`Index::ensure`] and [`ForeignKey::ensure`](crate::ForeignKey::ensure) found and did.
///
/// ```
/// use wasmigrate_sdk::Ensured;
/// assert_ne!(Ensured::Kept, Ensured::Created);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was there, valid and equal: nothing was done.
    Kept,
    /// It was not there and was made.
    Created,
    /// It was there but not valid, and was built again or validated.
    Mended,
}

impl Index {
    /// An index of a table, by its name without quotes. B-tree unless [`method`](Self::method) says
    /// otherwise.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "idx_users_email").columns(["email"]);
    /// ```
    pub fn on(table: Table, name: impl Into<String>) -> Self {
        Self(IndexSpec {
            table: table.into(),
            name: name.into(),
            unique: false,
            method: "btree".into(),
            keys: Vec::new(),
            include: Vec::new(),
            predicate: None,
        })
    }

    /// Adds plain columns to the keys, in this order.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "i").columns(["lastName", "firstName"]);
    /// ```
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        self.0.keys.extend(
            columns
                .into_iter()
                .map(|column| Key::column(column).into_raw()),
        );
        self
    }

    /// Adds one key: a [`Key`] with an operator class or an order, or an expression.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Key, Table, expr::{call, col}};
    /// let index = Index::on(Table::new("public", "users"), "i")
    ///     .key(call("lower", [col("email")]))
    ///     .key(Key::column("lastLogin").descending());
    /// ```
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.0.keys.push(key.into().into_raw());
        self
    }

    /// The access method: `gin`, `gist`, `brin`, `hash`, ...
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "i").method("hash").columns(["email"]);
    /// ```
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.0.method = method.into();
        self
    }

    /// Makes it UNIQUE.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "i").unique().columns(["email"]);
    /// ```
    pub fn unique(mut self) -> Self {
        self.0.unique = true;
        self
    }

    /// Columns that the index carries without being ordered by them.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "i").columns(["email"]).include(["role"]);
    /// ```
    pub fn include(mut self, columns: impl IntoIterator<Item = impl Into<Column>>) -> Self {
        self.0.include.extend(
            columns
                .into_iter()
                .map(|column| column.into().name().to_owned()),
        );
        self
    }

    /// Makes it a partial index. What the predicate calls must be IMMUTABLE: no `now()`.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table, expr::col};
    /// let index = Index::on(Table::new("public", "users"), "i").columns(["email"]).only_where(col("isActive").eq(true));
    /// ```
    pub fn only_where(mut self, predicate: impl Into<Expr>) -> Self {
        self.0.predicate = Some(predicate.into().to_string());
        self
    }

    /// The definition as the host takes it.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// assert_eq!(Index::on(Table::new("public", "users"), "i").spec().method, "btree");
    /// ```
    #[must_use]
    pub fn spec(&self) -> &IndexSpec {
        &self.0
    }

    /// The statement that creates it.
    ///
    /// ```
    /// # use wasmigrate_sdk::{Index, Table};
    /// let index = Index::on(Table::new("public", "users"), "i").columns(["email"]);
    /// assert!(index.create_sql(true).starts_with("CREATE INDEX CONCURRENTLY"));
    /// ```
    #[must_use]
    pub fn create_sql(&self, concurrently: bool) -> String {
        let spec = &self.0;
        let keys: Vec<String> = spec.keys.iter().map(key::sql).collect();
        let mut sql = format!(
            "CREATE {}INDEX {}{} ON {} USING {} ({})",
            if spec.unique { "UNIQUE " } else { "" },
            if concurrently { "CONCURRENTLY " } else { "" },
            Ident(&spec.name),
            ident::relation(&spec.table),
            Ident(&spec.method),
            keys.join(", "),
        );
        if !spec.include.is_empty() {
            sql.push_str(&format!(" INCLUDE ({})", ident::list(&spec.include)));
        }
        if let Some(predicate) = &spec.predicate {
            sql.push_str(&format!(" WHERE {predicate}"));
        }
        sql
    }

    fn drop_sql(&self, concurrently: bool) -> String {
        let concurrently = if concurrently { "CONCURRENTLY " } else { "" };
        format!(
            "DROP INDEX {concurrently}{}",
            ident::relation(&self.relation())
        )
    }

    /// The index's own name with its schema.
    fn relation(&self) -> Relation {
        Relation {
            schema: self.0.table.schema.clone(),
            name: self.0.name.clone(),
        }
    }

    /// Brings the database to this index: keeps it where it is valid and equal, builds it where it is
    /// missing, and drops and builds it again where an interrupted concurrent build left it invalid.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result, Table};
    /// # fn example() -> Result<()> {
    /// Index::on(Table::new("public", "users"), "idx_users_email").columns(["email"]).ensure()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When something else has its name, or the host or the server refuses.
    pub fn ensure(&self) -> Result<Ensured> {
        let [standing] = &checks::index_standings(std::slice::from_ref(self))?[..] else {
            return Err(Error::new("the host gave no standing for the index"));
        };
        let needed = self.needed(standing)?;
        let concurrently = mode() == Mode::Stepwise;
        if needed == Ensured::Mended {
            execute(self.drop_sql(concurrently), params![])?;
        }
        if needed != Ensured::Kept {
            execute(self.create_sql(concurrently), params![])?;
        }
        Ok(needed)
    }

    /// What must be done where the database stands so.
    fn needed(&self, standing: &Standing) -> Result<Ensured> {
        match standing {
            Standing::Equal => Ok(Ensured::Kept),
            Standing::Absent => Ok(Ensured::Created),
            Standing::Invalid => Ok(Ensured::Mended),
            Standing::Different(what) => Err(self.taken(what)),
        }
    }

    /// Drops the index by its name if it is there, however it is defined by now; tells whether it was.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result, Table};
    /// # fn example() -> Result<()> {
    /// Index::on(Table::new("public", "users"), "idx_users_email").drop()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the name belongs to an index of another table, or the host or the server refuses.
    pub fn drop(&self) -> Result<bool> {
        let Some(there) = checks::index(self.relation())? else {
            return Ok(false);
        };
        if there.table != self.0.table {
            return Err(self.taken(&format!(
                "it is an index of {}",
                ident::relation(&there.table)
            )));
        }
        execute(self.drop_sql(mode() == Mode::Stepwise), params![])?;
        Ok(true)
    }

    /// Requires that the index is there, valid and equal to this definition.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result};
    /// # fn example(index: &Index) -> Result<()> {
    /// index.require()
    /// # }
    /// ```
    ///
    /// # Errors
    /// When it is not, or the host refuses.
    pub fn require(&self) -> Result<()> {
        checks::require_indexes(std::slice::from_ref(self))
    }

    /// [`ensure`](Self::ensure) for each, with a line in the log and the progress.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result};
    /// # fn example(indexes: &[Index]) -> Result<()> {
    /// Index::ensure_all(indexes)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for `ensure`; the first one ends it.
    pub fn ensure_all(indexes: &[Self]) -> Result<()> {
        let mut standings = checks::index_standings(indexes)?.into_iter();
        let concurrently = mode() == Mode::Stepwise;
        let mut steps = Vec::new();
        for index in indexes {
            let name = &index.0.name;
            let built = match index.needed(&standings.next().unwrap_or(Standing::Absent))? {
                Ensured::Kept => {
                    info!("index {name} was there");
                    continue;
                }
                Ensured::Created => "is built",
                Ensured::Mended => {
                    let dropped = Step::new(index.drop_sql(concurrently));
                    steps.push(dropped.note(format!("index {name} was invalid")));
                    "is built again"
                }
            };
            let create = Step::new(index.create_sql(concurrently));
            steps.push(create.note(format!("index {name} {built}")));
        }
        execute_all(steps)?;
        Ok(())
    }

    /// [`drop`](Self::drop) for each, the last one first, with a line in the log and the progress.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result};
    /// # fn example(indexes: &[Index]) -> Result<()> {
    /// Index::drop_all(indexes)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for `drop`; the first one ends it.
    pub fn drop_all(indexes: &[Self]) -> Result<()> {
        each(indexes.iter().rev(), |index| {
            let what = if index.drop()? {
                "is dropped"
            } else {
                "was not there"
            };
            info!("index {} {what}", index.0.name);
            Ok(())
        })
    }

    /// [`require`](Self::require) for each.
    ///
    /// ```no_run
    /// # use wasmigrate_sdk::{Index, Result};
    /// # fn example(indexes: &[Index]) -> Result<()> {
    /// Index::require_all(indexes)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for `require`; the first one ends it.
    pub fn require_all(indexes: &[Self]) -> Result<()> {
        checks::require_indexes(indexes)
    }

    fn taken(&self, what: &str) -> Error {
        Error::new(format!(
            "the name {} is taken by something else: {what}; rename or drop that first",
            ident::relation(&self.relation())
        ))
    }
}

/// Does something to each index and says how far it is.
fn each<'a>(
    indexes: impl IntoIterator<Item = &'a Index, IntoIter: ExactSizeIterator>,
    mut act: impl FnMut(&Index) -> Result<()>,
) -> Result<()> {
    let indexes = indexes.into_iter();
    let total = indexes.len() as u64;
    for (done, index) in (1..).zip(indexes) {
        act(index)?;
        progress(done, total);
    }
    Ok(())
}

impl From<&Index> for Relation {
    fn from(index: &Index) -> Self {
        index.relation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OperatorClass;
    use crate::expr::{call, col};

    const USERS: Table = Table::new("public", "users");

    #[test]
    fn every_part_has_its_place_in_the_statement() {
        let index = Index::on(USERS, "odd \"name")
            .unique()
            .key(call("lower", [col("email")]))
            .key(Key::column("role").descending().nulls_last())
            .key(
                Key::column("id")
                    .nulls_first()
                    .operator_class(&OperatorClass::new("pg_catalog", "uuid_ops")),
            )
            .include(["firstName"])
            .only_where(col("isActive").eq(true));
        assert_eq!(
            index.create_sql(true),
            "CREATE UNIQUE INDEX CONCURRENTLY \"odd \"\"name\" ON \"public\".\"users\" USING \"btree\" \
             ((\"lower\"(\"email\")), \"role\" DESC NULLS LAST, \"id\" \"pg_catalog\".\"uuid_ops\" NULLS FIRST) \
             INCLUDE (\"firstName\") WHERE \"isActive\" = true"
        );
    }

    #[test]
    fn it_is_dropped_in_the_schema_of_its_table() {
        let index = Index::on(USERS, "i");
        assert_eq!(index.drop_sql(false), "DROP INDEX \"public\".\"i\"");
        assert_eq!(
            index.drop_sql(true),
            "DROP INDEX CONCURRENTLY \"public\".\"i\""
        );
    }
}
