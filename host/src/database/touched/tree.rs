//! Reading PostgreSQL's node trees, the text form of a parsed statement.
//!
//! A tree is `{LABEL :field value ...}` with lists in parentheses; a backslash escapes the character after
//! it, so no name can look like a bracket or a field. Source: PostgreSQL, `src/backend/nodes/read.c` and
//! `outfuncs.c`.

use std::collections::BTreeSet;

/// What a tree demands of one relation, as the server's own permission check reads it: up to version 15 from
/// the range table entry, later from RTEPERMISSIONINFO.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) relation: u32,
    /// Whether what inherits from it is meant too.
    pub(super) inherits: bool,
    /// The bits of `ACL_*`. Source: PostgreSQL, `src/include/nodes/parsenodes.h`.
    pub(super) required: u32,
    pub(super) selected: Vec<i32>,
    pub(super) inserted: Vec<i32>,
    pub(super) updated: Vec<i32>,
}

pub(super) const INSERT: u32 = 1;
pub(super) const SELECT: u32 = 2;
pub(super) const UPDATE: u32 = 4;
pub(super) const DELETE: u32 = 8;

/// A column's number is stored in a set of bits, which begins with the system columns. Source: PostgreSQL,
/// `FirstLowInvalidHeapAttributeNumber` in `src/include/access/sysattr.h`.
const LOWEST_COLUMN: i32 = -7;

/// What a tree tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    /// What is demanded of relations.
    pub(super) demands: Vec<Demand>,
    /// How many statements it holds.
    pub(super) statements: usize,
    /// The oids of the relations in it.
    pub(super) relations: BTreeSet<u32>,
    /// The oids of the functions that are called, aggregates and window functions too, not those behind operators.
    pub(super) functions: BTreeSet<u32>,
    /// The oids of the types that something is made or read as.
    pub(super) types: BTreeSet<u32>,
    /// The oids of the types of its constants.
    pub(super) constants: BTreeSet<u32>,
    /// Whether a node of it makes or reads JSON.
    pub(super) json: bool,
}

/// Reads a tree; nothing where it is not as the server writes it.
pub(super) fn read(tree: &str) -> Option<Tree> {
    let mut found = Tree::default();
    let mut open: Vec<Node<'_>> = Vec::new();
    let mut lists = 0_usize;
    let mut tokens = Tokens { rest: tree };
    while let Some(token) = tokens.next() {
        match token {
            "{" => {
                let label = tokens.next()?;
                found.statements += usize::from(open.is_empty() && label == "QUERY");
                found.json |= label.starts_with("JSON");
                open.push(Node {
                    lists,
                    ..Node::default()
                });
            }
            "}" => {
                let node = open.pop()?;
                if let (Some(relation), Some(required)) = (node.relation, node.required) {
                    found.demands.push(Demand {
                        relation,
                        required,
                        ..node.demand
                    });
                }
            }
            "(" => lists += 1,
            ")" => lists = lists.checked_sub(1)?,
            _ => {
                if let Some(node) = open.last_mut() {
                    node.take(token, lists, &mut found)?;
                }
            }
        }
    }
    (open.is_empty() && lists == 0).then_some(found)
}

#[derive(Default)]
struct Node<'a> {
    /// How many lists were open where it began.
    lists: usize,
    field: &'a str,
    relation: Option<u32>,
    required: Option<u32>,
    demand: Demand,
}

impl<'a> Node<'a> {
    /// Nothing where the text is not as the server writes it.
    fn take(&mut self, token: &'a str, lists: usize, found: &mut Tree) -> Option<()> {
        if lists == self.lists && token.starts_with(':') {
            self.field = token;
            return Some(());
        }
        let set = match self.field {
            ":relid" => {
                // zero where the entry is no relation
                self.relation = Some(token.parse().ok()?).filter(|oid| *oid != 0);
                found.relations.extend(self.relation);
                return Some(());
            }
            ":inh" => {
                self.demand.inherits = token == "true";
                return Some(());
            }
            ":requiredPerms" => {
                self.required = Some(token.parse().ok()?);
                return Some(());
            }
            ":selectedCols" => &mut self.demand.selected,
            ":insertedCols" => &mut self.demand.inserted,
            ":updatedCols" => &mut self.demand.updated,
            ":funcid" | ":aggfnoid" | ":winfnoid" | ":tsmhandler" => {
                return name(&mut found.functions, token);
            }
            ":resulttype" | ":paramtype" | ":typid" | ":coltypes" | ":funccoltypes" => {
                return name(&mut found.types, token);
            }
            ":consttype" => return name(&mut found.constants, token),
            _ => return Some(()),
        };
        // (b 8 9), or <> where there is none
        if !matches!(token, "b" | "<>") {
            set.push(token.parse::<i32>().ok()? + LOWEST_COLUMN);
        }
        Some(())
    }
}

/// Adds an object, or one of a list as `(o 23 25)`; zero and `<>` are none.
fn name(objects: &mut BTreeSet<u32>, token: &str) -> Option<()> {
    if !matches!(token, "o" | "<>" | "0") {
        objects.insert(token.parse().ok()?);
    }
    Some(())
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_ascii_whitespace());
        let mut escaped = false;
        let mut end = self.rest.len();
        for (place, character) in self.rest.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if matches!(character, '{' | '}' | '(' | ')') {
                end = place.max(1);
                break;
            } else if character.is_ascii_whitespace() {
                end = place;
                break;
            }
        }
        let (token, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pass_for_structure() {
        let tree = r"(({QUERY :rtable ({RTE :alias {ALIAS :aliasname x\}\ :relid\ 9 :colnames (:relid 7)} :rtekind 0
            :relid 5 :tablesample {T :args ({RTE :rtekind 0 :relid 6 :requiredPerms 2 :selectedCols (b 7)})}
            :requiredPerms 6 :selectedCols (b 8 10) :insertedCols (b) :updatedCols <>})}))";
        let read = read(tree).unwrap();
        assert_eq!(read.statements, 1);
        assert_eq!(read.relations, BTreeSet::from([5, 6]));
        let seen: Vec<_> = read
            .demands
            .iter()
            .map(|d| (d.relation, d.required, d.selected.clone()))
            .collect();
        assert_eq!(seen, [(6, 2, vec![0]), (5, 6, vec![1, 3])]);
    }

    #[test]
    fn objects_are_named_by_the_fields_that_hold_them() {
        let tree = r"({QUERY :x {FUNCEXPR :funcid 870 :funcresulttype 9 :args ({CONST :consttype 25 :constvalue 4 [ 1 ]}
            {AGGREF :aggfnoid 2147 :aggtranstype 7} {RELABELTYPE :resulttype 20000} {RTE :coltypes (o 23 1043)
            :funccoltypes <> :relid 0 :name :funcid\ 4 } {JSONEXPR :typid 0})}})";
        let read = read(tree).unwrap();
        assert_eq!(read.functions, BTreeSet::from([870, 2147]));
        assert_eq!(read.types, BTreeSet::from([23, 1043, 20000]));
        assert_eq!(read.constants, BTreeSet::from([25]));
        assert!(read.json && read.relations.is_empty());
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        for text in [
            "({QUERY :a (b)}",
            "}",
            ")",
            "{RTE :relid x}",
            "{RTE :requiredPerms}x {",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(
            read("({QUERY} {QUERY :x {QUERY}})").map(|t| t.statements),
            Some(2)
        );
    }
}
