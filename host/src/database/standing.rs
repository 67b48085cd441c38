//! How the database stands to a wanted index or foreign key: absent, equal, invalid or different.
//!
//! Names, methods, operator classes and actions are compared in the catalog. Expressions and predicates
//! are compared as the server understands them: the wanted text and the existing one go through one
//! `EXPLAIN (VERBOSE)` without execution, and their printed forms must be the same. So casts,
//! parentheses and spelling make no difference, and no text of ours has to be parsed.

use super::failure::Failure;
use super::found::{FIND_FOREIGN_KEY, FIND_INDEX, FoundForeignKey, FoundIndex, FoundKey};
use super::session::Session;
use super::{label, qualified, quoted};

/// How the database stands to what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is none of that name.
    Absent,
    /// It is there, valid, and the same.
    Equal,
    /// It is there and the same, but not valid.
    Invalid,
    /// Something else has the name; the text says what differs.
    Different(String),
}

/// What an index key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A column by name.
    Column(String),
    /// An SQL expression.
    Expression(String),
}

/// A key of a wanted index.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The actions as `pg_constraint.confupdtype` abbreviates them. Source: PostgreSQL, pg_constraint.
const ACTIONS: [(&str, &str); 5] = [
    ("a", "NO ACTION"),
    ("r", "RESTRICT"),
    ("c", "CASCADE"),
    ("n", "SET NULL"),
    ("d", "SET DEFAULT"),
];

/// What the catalog tells of a wanted index.
#[derive(Debug)]
pub enum Lookup {
    /// Everything.
    Told(Standing),
    /// All but whether these texts mean the same; if they do, the standing is as given.
    Texts(Pairs, Standing),
}

/// Pairs of (wanted, existing) SQL texts that must mean the same, with the words for a difference.
pub type Pairs = Vec<(String, String, String)>;

/// What differs in the catalog, or the texts that the server still has to compare.
fn compare_index(spec: &IndexSpec, found: &FoundIndex) -> Result<Pairs, String> {
    let differs =
        |what: &str, wanted: &str, seen: &str| Err(format!("{what} is {seen}, not {wanted}"));
    let (table, schema) = (found.table.as_deref(), found.schema.as_deref());
    if table != Some(&spec.table) || schema != Some(&spec.schema) {
        let seen = label(schema.unwrap_or("?"), table.unwrap_or("?"));
        return differs("its table", &label(&spec.schema, &spec.table), &seen);
    }
    let method = found.method.as_deref().unwrap_or("?");
    if method != spec.method {
        return differs("its method", &spec.method, method);
    }
    if found.unique != Some(spec.unique) {
        let word = |unique| if unique { "unique" } else { "not unique" };
        return differs("it", word(spec.unique), word(!spec.unique));
    }
    if found.nulls_not_distinct == Some(true) {
        return Err("it has NULLS NOT DISTINCT".into());
    }
    if found.exclusion == Some(true) || found.immediate == Some(false) {
        return Err("it belongs to an exclusion or deferrable constraint".into());
    }
    if let Some(options) = &found.options {
        return Err(format!("it has storage options ({})", options.join(", ")));
    }
    let found_keys = found.keys.as_deref().unwrap_or_default();
    let (keys, included) = found_keys.split_at(found_keys.partition_point(|key| key.is_key));
    if keys.len() != spec.keys.len() {
        let (wanted, seen) = (spec.keys.len().to_string(), keys.len().to_string());
        return differs("its number of keys", &wanted, &seen);
    }
    let include: Vec<&str> = included
        .iter()
        .filter_map(|key| key.column.as_deref())
        .collect();
    if include != spec.include {
        return differs("its INCLUDE", &spec.include.join(", "), &include.join(", "));
    }
    let names: Vec<&str> = keys.iter().map(|key| key.expression.as_str()).collect();
    if let Some(number) = collated(
        found.definition.as_deref().unwrap_or_default(),
        method,
        &names,
    ) {
        return Err(format!("its key {number} has a collation of its own"));
    }
    let mut pairs = Pairs::new();
    for (number, (wanted, key)) in std::iter::zip(&spec.keys, keys).enumerate() {
        pairs.extend(compare_key(number + 1, wanted, key)?);
    }
    match (&spec.predicate, &found.predicate) {
        (None, None) => {}
        (Some(wanted), Some(seen)) => {
            pairs.push((wanted.clone(), seen.clone(), "its predicate".into()));
        }
        (None, Some(seen)) => return Err(format!("it is partial (WHERE {seen})")),
        (Some(wanted), None) => return Err(format!("it is not partial (wanted WHERE {wanted})")),
    }
    Ok(pairs)
}

/// The first key that has another collation than its column or expression has by itself: only then does the
/// definition say COLLATE after it.
fn collated(definition: &str, method: &str, keys: &[&str]) -> Option<usize> {
    let (_, mut rest) = definition.split_once(&format!(" USING {method} ("))?;
    for (place, key) in keys.iter().enumerate() {
        rest = rest.strip_prefix(key)?;
        if rest.starts_with(" COLLATE ") {
            return Some(place + 1);
        }
        if let Some(next) = keys.get(place + 1) {
            rest = &rest[rest.find(&format!(", {next}"))? + 2..];
        }
    }
    None
}

fn compare_key(
    number: usize,
    wanted: &IndexKey,
    key: &FoundKey,
) -> Result<Option<(String, String, String)>, String> {
    let seen = &key.expression;
    let pair = match (&wanted.target, &key.column) {
        (Target::Column(wanted), Some(column)) if wanted == column => None,
        // an expression that is nothing but a column is kept as that column
        (Target::Expression(wanted), _) => {
            Some((wanted.clone(), seen.clone(), format!("its key {number}")))
        }
        (Target::Column(wanted), _) => {
            return Err(format!("its key {number} is {seen}, not {wanted}"));
        }
    };
    let class = key.opclass.as_deref().unwrap_or("?");
    let class_fits = match &wanted.operator_class {
        None => key.opclass_default == Some(true),
        Some((schema, name)) => {
            class == name && key.opclass_schema.as_deref() == Some(schema.as_str())
        }
    };
    if !class_fits {
        return Err(format!("its key {number} has the operator class {class}"));
    }
    // bit 0 of indoption is DESC, bit 1 NULLS FIRST; source: PostgreSQL, pg_index and pg_index.h
    let option = key.option.unwrap_or(0);
    if (option & 1 != 0) != wanted.descending || (option & 2 != 0) != wanted.nulls_first {
        return Err(format!("its key {number} is sorted differently"));
    }
    if let Some(parameters) = &key.parameters {
        let seen = parameters.join(", ");
        return Err(format!(
            "its key {number} has operator class parameters ({seen})"
        ));
    }
    Ok(pair)
}

fn compare_foreign_key(spec: &ForeignKeySpec, found: &FoundForeignKey) -> Result<(), String> {
    let differs =
        |what: &str, wanted: &str, seen: &str| Err(format!("{what} is {seen}, not {wanted}"));
    if found.kind != "f" {
        return Err("it is a constraint of another kind".into());
    }
    let seen = (
        found.schema.clone().unwrap_or_default(),
        found.table.clone().unwrap_or_default(),
    );
    if seen != spec.referenced {
        let wanted = label(&spec.referenced.0, &spec.referenced.1);
        return differs("the referenced table", &wanted, &label(&seen.0, &seen.1));
    }
    let columns = found.columns.as_deref().unwrap_or_default();
    if columns != spec.columns {
        return differs("the column", &spec.columns.join(", "), &columns.join(", "));
    }
    let columns = found.referenced_columns.as_deref().unwrap_or_default();
    if columns != spec.referenced_columns {
        let wanted = spec.referenced_columns.join(", ");
        return differs("the referenced column", &wanted, &columns.join(", "));
    }
    for (what, wanted, seen) in [
        ("ON UPDATE", spec.on_update, &found.on_update),
        ("ON DELETE", spec.on_delete, &found.on_delete),
    ] {
        let seen = ACTIONS
            .iter()
            .find(|(letter, _)| letter == seen)
            .map_or("?", |(_, name)| name);
        if seen != wanted {
            return differs(what, wanted, seen);
        }
    }
    if found.matching != "s" || found.deferrable {
        return Err("it is MATCH FULL or DEFERRABLE".into());
    }
    if found.special {
        return Err("it is NOT ENFORCED, has a PERIOD or sets only some columns to NULL".into());
    }
    Ok(())
}

impl Session {
    /// How the database stands to an index, as far as the catalog tells. Plans nothing of the spec's.
    pub async fn find_index(&self, spec: &IndexSpec) -> Result<Lookup, Failure> {
        let found: Option<FoundIndex> = self.json(FIND_INDEX, &[&spec.schema, &spec.name]).await?;
        let Some(found) = found else {
            return Ok(Lookup::Told(Standing::Absent));
        };
        if found.kind != "i" && found.kind != "I" {
            let what = "something that is no index has that name";
            return Ok(Lookup::Told(Standing::Different(what.into())));
        }
        let same = match found.valid {
            Some(true) => Standing::Equal,
            _ => Standing::Invalid,
        };
        Ok(match compare_index(spec, &found) {
            Err(difference) => Lookup::Told(Standing::Different(difference)),
            Ok(pairs) if pairs.is_empty() => Lookup::Told(same),
            Ok(pairs) => Lookup::Texts(pairs, same),
        })
    }

    /// How the database stands to an index whose texts the server has to compare; it plans them.
    pub async fn compare_index(
        &self,
        spec: &IndexSpec,
        pairs: Pairs,
        same: Standing,
    ) -> Result<Standing, Failure> {
        let difference = self.compare_texts(&spec.schema, &spec.table, pairs).await?;
        Ok(difference.map_or(same, Standing::Different))
    }

    /// How the database stands to a foreign key.
    pub async fn foreign_key_standing(&self, spec: &ForeignKeySpec) -> Result<Standing, Failure> {
        let (schema, table) = &spec.table;
        let params = [schema.as_str(), table, &spec.name];
        let found: Option<FoundForeignKey> = self.json(FIND_FOREIGN_KEY, &params).await?;
        Ok(match found {
            None => Standing::Absent,
            Some(found) => match compare_foreign_key(spec, &found) {
                Err(difference) => Standing::Different(difference),
                Ok(()) if found.validated => Standing::Equal,
                Ok(()) => Standing::Invalid,
            },
        })
    }

    async fn compare_texts(
        &self,
        schema: &str,
        table: &str,
        pairs: Pairs,
    ) -> Result<Option<String>, Failure> {
        if pairs.is_empty() {
            return Ok(None);
        }
        let list: Vec<String> = pairs
            .iter()
            // the line's end ends a comment in the wanted text
            .flat_map(|(wanted, seen, _)| [format!("({wanted}\n)"), format!("({seen})")])
            .collect();
        let sql = format!(
            "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT {} FROM ONLY {}",
            list.join(", "),
            qualified(schema, table)
        );
        let plan = self.first_text(&sql, &[]).await?.unwrap_or_default();
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap_or_default();
        let output = plan
            .pointer("/0/Plan/Output")
            .and_then(|output| output.as_array());
        let Some(output) = output.filter(|output| output.len() == list.len()) else {
            return Err(Failure::Unusable(
                "the server's plan does not show its output".into(),
            ));
        };
        let differing =
            std::iter::zip(pairs, output.chunks(2)).find(|(_, both)| both[0] != both[1]);
        Ok(differing.map(|((wanted, seen, what), _)| format!("{what} is {seen}, not {wanted}")))
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
            match &key.target {
                Target::Column(name) => write!(f, "{comma}{}", quoted(name))?,
                Target::Expression(sql) => write!(f, "{comma}{sql}")?,
            }
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
    fn a_collation_is_found_behind_its_own_key() {
        let collated = |keys: &str, names: &[&str]| {
            collated(
                &format!("CREATE INDEX i ON s.t USING btree ({keys})"),
                "btree",
                names,
            )
        };
        assert_eq!(collated("a, lower(b) DESC", &["a", "lower(b)"]), None);
        assert_eq!(
            collated("a text_ops, b COLLATE \"C\"", &["a", "b"]),
            Some(2)
        );
        let key = "((b COLLATE \"C\") || 'x, b'::text)";
        assert_eq!(collated(&format!("{key}, b"), &[key, "b"]), None);
    }

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
