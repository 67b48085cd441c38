//! How the database stands to a wanted index or foreign key: absent, equal, invalid or different.
//!
//! Names, methods, operator classes and actions are compared in the catalog. Expressions and predicates
//! are compared as the server understands them: the wanted text and the existing one go through one
//! `EXPLAIN (VERBOSE)` without execution, and their printed forms must be the same. So casts,
//! parentheses and spelling make no difference, and no text of ours has to be parsed.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::found::{
    ANY_CONSTRAINT, ANY_NAMED, FIND_FOREIGN_KEY, FoundForeignKey, FoundIndex, FoundKey,
    find_indexes,
};
use super::session::Session;
use super::wanted::{ForeignKeySpec, IndexKey, IndexSpec, Target};
use super::{label, qualified};

/// How the database stands to what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What the one who asks expects. It changes no answer: that nothing is there is told sooner than what is there, as
/// what describes an object takes long to plan, so it is asked first where it is likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// That nothing has the name yet.
    Absent,
    /// That it is there.
    Present,
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
    Texts(Vec<Pair>, Standing),
}

/// A wanted and an existing SQL text that must mean the same, with the words for a difference.
pub type Pair = (String, String, String);

/// How many pairs one statement compares: PostgreSQL takes 1664 columns, and wide rows have other limits.
const MOST_PAIRS: usize = 500;

/// What differs in the catalog, or the texts that the server still has to compare.
fn compare_index(spec: &IndexSpec, found: &FoundIndex) -> Result<Vec<Pair>, String> {
    let differs =
        |what: &str, wanted: &str, seen: &str| Err(format!("{what} is {seen}, not {wanted}"));
    let (schema, table) = found.table.clone().unwrap_or_default();
    if table != spec.table || schema != spec.schema {
        let wanted = label(&spec.schema, &spec.table);
        return differs("its table", &wanted, &label(&schema, &table));
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
        .filter_map(|key| key.column.as_ref().map(|(name, _)| name.as_str()))
        .collect();
    if include != spec.include {
        return differs("its INCLUDE", &spec.include.join(", "), &include.join(", "));
    }
    let names: Vec<&str> = keys.iter().map(|key| key.expression.as_str()).collect();
    let of_column = |key: &FoundKey| matches!(key.column, Some((_, false)));
    let of_expression = |definition: &String| collated(definition, method, &names);
    if let Some(number) = match keys.iter().position(of_column) {
        Some(place) => Some(place + 1),
        None => found.definition.as_ref().and_then(of_expression),
    } {
        return Err(format!("its key {number} has a collation of its own"));
    }
    let mut pairs = Vec::new();
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

fn compare_key(number: usize, wanted: &IndexKey, key: &FoundKey) -> Result<Option<Pair>, String> {
    let seen = &key.expression;
    let pair = match (&wanted.target, &key.column) {
        (Target::Column(wanted), Some((column, _))) if wanted == column => None,
        // an expression that is nothing but a column is kept as that column
        (Target::Expression(wanted), _) => {
            Some((wanted.clone(), seen.clone(), format!("its key {number}")))
        }
        (Target::Column(wanted), _) => {
            return Err(format!("its key {number} is {seen}, not {wanted}"));
        }
    };
    let (schema, class, default) = key.class.clone().unwrap_or_default();
    let class_fits = match &wanted.operator_class {
        None => default,
        Some(wanted) => *wanted == (schema, class.clone()),
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
    let seen = found.referenced.clone().unwrap_or_default();
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

fn compared(spec: &IndexSpec, found: &FoundIndex) -> Lookup {
    if found.kind != "i" && found.kind != "I" {
        let what = "something that is no index has that name";
        return Lookup::Told(Standing::Different(what.into()));
    }
    let same = match found.valid {
        Some(true) => Standing::Equal,
        _ => Standing::Invalid,
    };
    match compare_index(spec, found) {
        Err(difference) => Lookup::Told(Standing::Different(difference)),
        Ok(pairs) if pairs.is_empty() => Lookup::Told(same),
        Ok(pairs) => Lookup::Texts(pairs, same),
    }
}

impl Session {
    /// How the database stands to each index, as far as the catalog tells. Plans nothing of the specs'.
    pub async fn find_indexes(
        &self,
        specs: &[IndexSpec],
        expected: Expected,
    ) -> Result<Vec<Lookup>, Failure> {
        let names: Vec<_> = specs
            .iter()
            .map(|spec| (&spec.schema, &spec.name))
            .collect();
        let names = serde_json::json!(names).to_string();
        if expected == Expected::Absent && self.text(ANY_NAMED, &[&names]).await?.is_none() {
            return Ok(specs
                .iter()
                .map(|_| Lookup::Told(Standing::Absent))
                .collect());
        }
        let found: Option<Vec<Option<FoundIndex>>> =
            self.json(&find_indexes(self.server()), &[&names]).await?;
        let found = found.unwrap_or_default().into_iter();
        let lookups = std::iter::zip(specs, found).map(|(spec, found)| match found {
            Some(found) => compared(spec, &found),
            None => Lookup::Told(Standing::Absent),
        });
        Ok(lookups.collect())
    }

    /// How the database stands to each index, where the server has to compare texts; it plans them.
    pub async fn compare_indexes(
        &self,
        specs: &[IndexSpec],
        lookups: Vec<Lookup>,
    ) -> Result<Vec<Standing>, Failure> {
        let mut standings = Vec::with_capacity(lookups.len());
        let mut by_table: BTreeMap<(&str, &str), Vec<(usize, Pair)>> = BTreeMap::new();
        for (place, (spec, lookup)) in std::iter::zip(specs, lookups).enumerate() {
            standings.push(match lookup {
                Lookup::Told(standing) => standing,
                Lookup::Texts(pairs, same) => {
                    let of_table = by_table.entry((&spec.schema, &spec.table)).or_default();
                    of_table.extend(pairs.into_iter().map(|pair| (place, pair)));
                    same
                }
            });
        }
        let comparisons = by_table.iter().flat_map(|((schema, table), pairs)| {
            let parts = pairs.chunks(MOST_PAIRS);
            parts.map(|part| self.compare_texts(schema, table, part))
        });
        // sent at once, answered in order
        for (place, differs) in try_join_all(comparisons).await?.into_iter().flatten() {
            if let Some(standing @ (Standing::Equal | Standing::Invalid)) = standings.get_mut(place)
            {
                *standing = Standing::Different(differs);
            }
        }
        Ok(standings)
    }

    /// How the database stands to a foreign key.
    pub async fn foreign_key_standing(
        &self,
        spec: &ForeignKeySpec,
        expected: Expected,
    ) -> Result<Standing, Failure> {
        let (schema, table) = &spec.table;
        let params = [schema.as_str(), table, &spec.name];
        if expected == Expected::Absent && self.text(ANY_CONSTRAINT, &[&spec.name]).await?.is_none()
        {
            return Ok(Standing::Absent);
        }
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

    /// The pairs whose texts do not mean the same, with what differs.
    async fn compare_texts(
        &self,
        schema: &str,
        table: &str,
        pairs: &[(usize, Pair)],
    ) -> Result<Vec<(usize, String)>, Failure> {
        let list: Vec<String> = pairs
            .iter()
            // the line's end ends a comment in the wanted text
            .flat_map(|(_, (wanted, seen, _))| [format!("({wanted}\n)"), format!("({seen})")])
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
            std::iter::zip(pairs, output.chunks(2)).filter(|(_, both)| both[0] != both[1]);
        Ok(differing
            .map(|((place, (wanted, seen, what)), _)| {
                (*place, format!("{what} is {seen}, not {wanted}"))
            })
            .collect())
    }
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
}
