//! The answer of the look-up, and the trees in it, made into what a caller can use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::tree;
use crate::database::{Failure, label};
use crate::touched::{Access, Child, Columns, Function, Operator, Other, Relation, Touched, Type};

#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) trees: Option<Vec<(u32, String)>>,
    pub(super) relations: Option<Vec<FoundRelation>>,
    pub(super) named: Option<Vec<(u32, u32)>>,
    pub(super) functions: Option<Vec<(u32, Option<Function>)>>,
    pub(super) operators: Option<Vec<(u32, Option<Operator>)>>,
    pub(super) types: Option<Vec<(u32, Option<Type>)>>,
    pub(super) others: Option<Vec<(u32, Option<Other>)>>,
}

#[derive(Deserialize)]
pub(super) struct FoundRelation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) row_security: bool,
    pub(super) extension: Option<String>,
    pub(super) columns: Option<BTreeMap<i32, String>>,
    pub(super) children: Option<Vec<Child>>,
    /// Whether a short look-up found that it has no children and is of no extension.
    #[serde(default)]
    pub(super) alone: bool,
}

fn untold(what: &str) -> Failure {
    Failure::Unusable(format!("the server does not tell {what}"))
}

impl Answer {
    /// The answer for the caller, or what is missing in it: the look-up must never tell less than there is.
    pub(super) fn read(self) -> Result<Touched, Failure> {
        let relations: BTreeMap<u32, FoundRelation> = self
            .relations
            .unwrap_or_default()
            .into_iter()
            .map(|relation| (relation.oid, relation))
            .collect();
        // the statement itself has no view
        let via = |view: u32| match (view, relations.get(&view)) {
            (0, _) => Ok(None),
            (_, Some(view)) => Ok(Some(format!("view {}", label(&view.schema, &view.name)))),
            _ => Err(untold("which view reaches something")),
        };
        let column = |relation: u32, number: i32| -> Result<Option<String>, Failure> {
            if number == 0 {
                return Ok(None);
            }
            let columns = relations.get(&relation).and_then(|r| r.columns.as_ref());
            let name = columns.and_then(|columns| columns.get(&number));
            name.cloned()
                .map(Some)
                .ok_or_else(|| untold("which columns are touched"))
        };
        let mut touched: BTreeMap<(u32, u32), Access> = BTreeMap::new();
        for (view, relation) in self.named.unwrap_or_default() {
            // a view's tree names the view itself
            if view != relation {
                touched.entry((view, relation)).or_default();
            }
        }
        let mut inherits = BTreeSet::new();
        let trees = self.trees.unwrap_or_default();
        for (view, body) in &trees {
            let tree = tree::read(body).ok_or_else(|| untold("a readable tree"))?;
            if tree.statements > 1 {
                return Err(Failure::Unusable(
                    "the text holds several statements".into(),
                ));
            }
            for demand in tree.demands {
                if demand.relation == *view {
                    continue;
                }
                if demand.inherits {
                    inherits.insert((*view, demand.relation));
                }
                let access = touched.entry((*view, demand.relation)).or_default();
                let named = |numbers: &[i32]| -> Result<Vec<Option<String>>, Failure> {
                    numbers
                        .iter()
                        .map(|number| column(demand.relation, *number))
                        .collect()
                };
                for (bit, numbers, columns) in [
                    (tree::SELECT, &demand.selected, &mut access.read),
                    (tree::INSERT, &demand.inserted, &mut access.insert),
                    (tree::UPDATE, &demand.updated, &mut access.update),
                ] {
                    if demand.required & bit != 0 {
                        columns.add(named(numbers)?);
                    }
                }
                access.delete |= demand.required & tree::DELETE != 0;
            }
        }
        if trees.is_empty() {
            return Err(untold("what the statement touches"));
        }
        lock_behind(&mut touched);
        let mut found = Vec::new();
        for ((view, oid), access) in touched {
            let relation = relations
                .get(&oid)
                .ok_or_else(|| untold("which relations are touched"))?;
            found.push(Relation {
                schema: relation.schema.clone(),
                name: relation.name.clone(),
                kind: relation.kind,
                access,
                row_security: relation.row_security,
                extension: relation.extension.clone(),
                children: (relation.children.clone())
                    .filter(|_| inherits.contains(&(view, oid)))
                    .unwrap_or_default(),
                via: via(view)?,
            });
        }
        Ok(Touched {
            relations: found,
            functions: placed(self.functions, via, |f| &mut f.via)?,
            operators: placed(self.operators, via, |o| &mut o.via)?,
            types: placed(self.types, via, |t| &mut t.via)?,
            others: placed(self.others, via, |o| &mut o.via)?,
        })
    }
}

/// Locks the rows behind each view whose rows are locked, as the server does when it runs the statement.
/// Source: PostgreSQL, SELECT, "The Locking Clause".
fn lock_behind(touched: &mut BTreeMap<(u32, u32), Access>) {
    let only_locked =
        |access: &Access| matches!(&access.update, Columns::Some(set) if set.is_empty());
    let mut views: Vec<u32> = (touched.iter())
        .filter(|(_, access)| only_locked(access))
        .map(|((_, relation), _)| *relation)
        .collect();
    while let Some(view) = views.pop() {
        for ((via, relation), access) in touched.iter_mut() {
            if *via == view && access.read != Columns::None && access.update == Columns::None {
                access.update.add([]);
                views.push(*relation);
            }
        }
    }
}

/// The objects, each with the view that reaches it.
fn placed<T>(
    found: Option<Vec<(u32, Option<T>)>>,
    via: impl Fn(u32) -> Result<Option<String>, Failure>,
    of: impl Fn(&mut T) -> &mut Option<String>,
) -> Result<Vec<T>, Failure> {
    let mut objects = Vec::new();
    for (view, object) in found.unwrap_or_default() {
        let mut object = object.ok_or_else(|| untold("what an object is"))?;
        if let Some(view) = via(view)? {
            *of(&mut object) = Some(view);
        }
        objects.push(object);
    }
    Ok(objects)
}
