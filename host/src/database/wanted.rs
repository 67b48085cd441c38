//! What a migration wants to stand in the database: an index, a foreign key.

use serde::Serialize;

use super::{label, qualified, quoted};

/// What an index key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Target {
    /// A column by name.
    Column(String),
    /// An SQL expression.
    Expression(String),
}

/// A key of a wanted index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexKey {
    /// What it is.
    pub target: Target,
    /// The operator class as (schema, name); none means the type's default.
    pub operator_class: Option<(String, String)>,
    /// Descending order.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// A wanted index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexSpec {
    /// The schema of table and index.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The index.
    pub name: String,
    /// UNIQUE.
    pub unique: bool,
    /// The access method.
    pub method: String,
    /// The keys.
    pub keys: Vec<IndexKey>,
    /// The columns of INCLUDE.
    pub include: Vec<String>,
    /// The predicate, as SQL.
    pub predicate: Option<String>,
}

/// A wanted foreign key. Actions are written as in SQL: `CASCADE`, `NO ACTION`, ...
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignKeySpec {
    /// The referencing table as (schema, name).
    pub table: (String, String),
    /// The constraint.
    pub name: String,
    /// The referencing columns.
    pub columns: Vec<String>,
    /// The referenced table as (schema, name).
    pub referenced: (String, String),
    /// The referenced columns.
    pub referenced_columns: Vec<String>,
    /// ON UPDATE.
    pub on_update: &'static str,
    /// ON DELETE.
    pub on_delete: &'static str,
}

impl IndexSpec {
    /// A query whose select list is the SQL of its expressions and of its predicate, if it has any.
    pub fn probe(&self) -> Option<String> {
        let keys = self.keys.iter().filter_map(|key| match &key.target {
            Target::Expression(sql) => Some(sql),
            Target::Column(_) => None,
        });
        // the line's end ends a comment in the text
        let list: Vec<_> = keys
            .chain(&self.predicate)
            .map(|sql| format!("({sql}\n)"))
            .collect();
        let table = qualified(&self.schema, &self.table);
        (!list.is_empty()).then(|| format!("SELECT {} FROM ONLY {table}", list.join(", ")))
    }
}

/// As SQL writes it.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Column(name) => f.write_str(&quoted(name)),
            Target::Expression(sql) => f.write_str(sql),
        }
    }
}

/// The words for a wanted index, for findings.
impl std::fmt::Display for IndexSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unique = if self.unique { "unique " } else { "" };
        write!(
            f,
            "{unique}{} index on {} (",
            self.method,
            label(&self.schema, &self.table)
        )?;
        for (place, key) in self.keys.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{}", key.target)?;
            if let Some((schema, name)) = &key.operator_class {
                write!(f, " {}", label(schema, name))?;
            }
            // the order that goes without saying: ascending and NULLs last, or both turned round
            let descending = if key.descending { " desc" } else { "" };
            let nulls = match (key.descending, key.nulls_first) {
                (false, true) => " nulls first",
                (true, false) => " nulls last",
                _ => "",
            };
            write!(f, "{descending}{nulls}")?;
        }
        f.write_str(")")?;
        if !self.include.is_empty() {
            write!(f, " include ({})", list(&self.include))?;
        }
        match &self.predicate {
            Some(predicate) => write!(f, " WHERE {predicate}"),
            None => Ok(()),
        }
    }
}

/// The words for a wanted foreign key, for findings.
impl std::fmt::Display for ForeignKeySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "foreign key {} ({}) references {} ({}) on update {} on delete {}",
            label(&self.table.0, &self.table.1),
            list(&self.columns),
            label(&self.referenced.0, &self.referenced.1),
            list(&self.referenced_columns),
            self.on_update.to_lowercase(),
            self.on_delete.to_lowercase(),
        )
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_index_is_said_in_full() {
        let key = |name: &str| IndexKey {
            target: Target::Column(name.into()),
            operator_class: None,
            descending: false,
            nulls_first: false,
        };
        let spec = IndexSpec {
            schema: "s".into(),
            table: "t".into(),
            name: "i".into(),
            unique: true,
            method: "gin".into(),
            keys: vec![
                IndexKey {
                    operator_class: Some(("o".into(), "ops".into())),
                    nulls_first: true,
                    ..key("a")
                },
                IndexKey {
                    descending: true,
                    nulls_first: true,
                    ..key("b")
                },
            ],
            include: vec!["c".into()],
            predicate: Some("d".into()),
        };
        assert_eq!(
            spec.to_string(),
            "unique gin index on s.t (\"a\" o.ops nulls first, \"b\" desc) include (\"c\") WHERE d"
        );
    }
}
