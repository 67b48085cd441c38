//! What a statement does that the server runs outside of transactions only, in so much detail that it can be
//! told from the database whether it was done: after a crash nobody else knows.

use pg_query::protobuf::{
    AlterTableType, DropStmt, IndexElem, IndexStmt, Node, ObjectType, RangeVar, RawStmt,
    ReindexObjectType, ReindexStmt, SortByDir, SortByNulls,
};
use pg_query::{DeparseOptions, NodeEnum, ParserOptions};

use super::statement::ask;

/// A schema and a name in it.
pub type Named = (String, String);

/// A statement that the server runs outside of transactions only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// CREATE INDEX CONCURRENTLY.
    BuildIndex {
        /// The index; it lies in the schema of its table.
        index: Named,
        /// The table.
        table: Named,
        /// Whether the statement is content where something has the name.
        if_not_exists: bool,
        /// Its definition, where that can be compared with an index in the database.
        definition: Option<Definition>,
    },
    /// DROP INDEX CONCURRENTLY.
    DropIndex(Named),
    /// REINDEX INDEX CONCURRENTLY.
    RebuildIndex(Named),
    /// REINDEX TABLE CONCURRENTLY.
    RebuildIndexes(Named),
    /// ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY.
    Detach {
        /// The partitioned table.
        table: Named,
        /// The partition.
        partition: Named,
    },
    /// VACUUM and its like: doing it again does no harm, and leaves nothing half-done.
    Again,
}

/// What an index is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The table.
    pub table: Named,
    /// UNIQUE.
    pub unique: bool,
    /// The access method.
    pub method: String,
    /// The keys.
    pub keys: Vec<Key>,
    /// The columns of INCLUDE.
    pub include: Vec<String>,
    /// The predicate, as SQL.
    pub predicate: Option<String>,
}

/// A key of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// A column's name, or else an expression as SQL.
    pub target: Result<String, String>,
    /// The operator class as schema and name; none means the type's default.
    pub operator_class: Option<Named>,
    /// Descending order.
    pub descending: bool,
    /// NULLs first.
    pub nulls_first: bool,
}

/// What the statement does outside of a transaction; none where it names no object in full, which the statement
/// wall has refused before, or builds an index that is to get its name from the server.
pub fn outside(sql: &str) -> Option<Outside> {
    ask(sql, of).ok().flatten()
}

/// The same statement as one that the server runs in a transaction, for a trial that is rolled back; none where it has no
/// such form, as VACUUM.
pub fn inside(sql: &str) -> Option<String> {
    ask(sql, |statements| {
        let mut statement = only(statements)?.clone();
        match &mut statement {
            NodeEnum::IndexStmt(index) => index.concurrent = false,
            NodeEnum::DropStmt(drop) => drop.concurrent = false,
            NodeEnum::ReindexStmt(reindex) => reindex.params.clear(),
            NodeEnum::AlterTableStmt(alter) => {
                let command = alter.cmds.first_mut()?.node.as_mut()?;
                let NodeEnum::AlterTableCmd(command) = command else {
                    return None;
                };
                let NodeEnum::PartitionCmd(partition) = command.def.as_mut()?.node.as_mut()? else {
                    return None;
                };
                partition.concurrent = false;
            }
            _ => return None,
        }
        statement.deparse(DeparseOptions::default()).ok()
    })
    .ok()
    .flatten()
}

/// The statement of a text of one.
fn only(statements: &[RawStmt]) -> Option<&NodeEnum> {
    match statements {
        [statement] => statement.stmt.as_ref()?.node.as_ref(),
        _ => None,
    }
}

fn of(statements: &[RawStmt]) -> Option<Outside> {
    match only(statements)? {
        NodeEnum::IndexStmt(index) => build(index),
        NodeEnum::DropStmt(drop) => dropped(drop),
        NodeEnum::ReindexStmt(reindex) => rebuilt(reindex),
        NodeEnum::AlterTableStmt(alter) => {
            let [
                Node {
                    node: Some(NodeEnum::AlterTableCmd(command)),
                    ..
                },
            ] = &alter.cmds[..]
            else {
                return None;
            };
            if command.subtype() != AlterTableType::AtDetachPartition {
                return None;
            }
            let Some(NodeEnum::PartitionCmd(partition)) = command.def.as_ref()?.node.as_ref()
            else {
                return None;
            };
            Some(Outside::Detach {
                table: named(alter.relation.as_ref())?,
                partition: named(partition.name.as_ref())?,
            })
        }
        NodeEnum::VacuumStmt(_) => Some(Outside::Again),
        _ => None,
    }
}

fn build(index: &IndexStmt) -> Option<Outside> {
    let table = named(index.relation.as_ref())?;
    if index.idxname.is_empty() {
        return None;
    }
    Some(Outside::BuildIndex {
        index: (table.0.clone(), index.idxname.clone()),
        if_not_exists: index.if_not_exists,
        definition: definition(index, table.clone()),
        table,
    })
}

/// None where the statement says more than a definition holds.
fn definition(index: &IndexStmt, table: Named) -> Option<Definition> {
    let plain = index.options.is_empty()
        && index.table_space.is_empty()
        && index.exclude_op_names.is_empty()
        && !index.nulls_not_distinct;
    if !plain {
        return None;
    }
    let keys = index.index_params.iter().map(|node| key(element(node)?));
    let include = index.index_including_params.iter();
    let include = include.map(|node| Some(element(node)?.name.clone()));
    let predicate = match index.where_clause.as_deref() {
        Some(clause) => Some(expression(clause)?),
        None => None,
    };
    let method = match &index.access_method[..] {
        "" => "btree",
        method => method,
    };
    Some(Definition {
        table,
        unique: index.unique,
        method: method.to_owned(),
        keys: keys.collect::<Option<_>>()?,
        include: include.collect::<Option<_>>()?,
        predicate,
    })
}

fn element(node: &Node) -> Option<&IndexElem> {
    match node.node.as_ref()? {
        NodeEnum::IndexElem(element) => Some(element),
        _ => None,
    }
}

fn key(element: &IndexElem) -> Option<Key> {
    if !element.collation.is_empty() || !element.opclassopts.is_empty() {
        return None;
    }
    let target = match element.expr.as_deref() {
        Some(expr) => Err(expression(expr)?),
        None => Ok(element.name.clone()),
    };
    let class = element
        .opclass
        .iter()
        .map(string)
        .collect::<Option<Vec<_>>>()?;
    let operator_class = match &class[..] {
        [] => None,
        // under the pinned search path a bare name is the server's own
        [name] => Some(("pg_catalog".to_owned(), name.clone())),
        [schema, name] => Some((schema.clone(), name.clone())),
        _ => return None,
    };
    let descending = element.ordering() == SortByDir::SortbyDesc;
    Some(Key {
        target,
        operator_class,
        descending,
        nulls_first: match element.nulls_ordering() {
            SortByNulls::SortbyNullsFirst => true,
            SortByNulls::SortbyNullsLast => false,
            _ => descending,
        },
    })
}

/// An expression as SQL. It is put into a parsed statement: one made by hand lacks what the C code takes for granted.
fn expression(node: &Node) -> Option<String> {
    let mut select = pg_query::parse("SELECT 1", ParserOptions::default())
        .ok()?
        .protobuf;
    let statement = select.stmts.first_mut()?.stmt.as_mut()?.node.as_mut()?;
    let NodeEnum::SelectStmt(inner) = statement else {
        return None;
    };
    let Some(NodeEnum::ResTarget(target)) = &mut inner.target_list.first_mut()?.node else {
        return None;
    };
    target.val = Some(Box::new(node.clone()));
    let sql = statement.deparse(DeparseOptions::default()).ok()?;
    sql.strip_prefix("SELECT ").map(str::to_owned)
}

fn dropped(drop: &DropStmt) -> Option<Outside> {
    let [
        Node {
            node: Some(NodeEnum::List(list)),
            ..
        },
    ] = &drop.objects[..]
    else {
        return None;
    };
    let names = list.items.iter().map(string).collect::<Option<Vec<_>>>()?;
    match (&names[..], drop.remove_type()) {
        ([schema, name], ObjectType::ObjectIndex) => {
            Some(Outside::DropIndex((schema.clone(), name.clone())))
        }
        _ => None,
    }
}

fn rebuilt(reindex: &ReindexStmt) -> Option<Outside> {
    let named = named(reindex.relation.as_ref())?;
    match reindex.kind() {
        ReindexObjectType::ReindexObjectIndex => Some(Outside::RebuildIndex(named)),
        ReindexObjectType::ReindexObjectTable => Some(Outside::RebuildIndexes(named)),
        _ => None,
    }
}

fn named(relation: Option<&RangeVar>) -> Option<Named> {
    let relation = relation?;
    let full = !relation.schemaname.is_empty() && !relation.relname.is_empty();
    full.then(|| (relation.schemaname.clone(), relation.relname.clone()))
}

fn string(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(string.sval.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> Named {
        (schema.to_owned(), name.to_owned())
    }

    #[test]
    fn a_build_is_known_with_its_definition() {
        let sql = "CREATE UNIQUE INDEX CONCURRENTLY i ON s.t USING gin (a s.ops DESC, (lower(b)), c NULLS FIRST) \
            INCLUDE (d) WHERE e > 0 AND f IS NULL";
        let Some(Outside::BuildIndex {
            index,
            if_not_exists,
            table: _,
            definition,
        }) = outside(sql)
        else {
            unreachable!()
        };
        assert_eq!((index, if_not_exists), (name("s", "i"), false));
        let definition = definition.unwrap();
        assert_eq!(definition.table, name("s", "t"));
        assert_eq!(definition.method, "gin");
        assert!(definition.unique);
        assert_eq!(definition.include, ["d"]);
        assert_eq!(definition.predicate.as_deref(), Some("e > 0 AND f IS NULL"));
        let [a, b, c] = &definition.keys[..] else {
            unreachable!()
        };
        assert_eq!(a.target, Ok("a".to_owned()));
        assert_eq!(a.operator_class, Some(name("s", "ops")));
        assert!(a.descending && a.nulls_first);
        assert_eq!(b.target, Err("lower(b)".to_owned()));
        assert!(c.nulls_first && !c.descending);
    }

    /// What is not compared must not pass for the same.
    #[test]
    fn a_build_that_says_more_has_no_definition() {
        for sql in [
            "CREATE INDEX CONCURRENTLY i ON s.t (a) WITH (fillfactor = 70)",
            "CREATE INDEX CONCURRENTLY i ON s.t (a COLLATE \"C\")",
            "CREATE INDEX CONCURRENTLY i ON s.t (a) TABLESPACE x",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON s.t (a) NULLS NOT DISTINCT",
        ] {
            let Some(Outside::BuildIndex { definition, .. }) = outside(sql) else {
                unreachable!()
            };
            assert_eq!(definition, None, "{sql}");
        }
        assert_eq!(outside("CREATE INDEX CONCURRENTLY ON s.t (a)"), None);
    }

    #[test]
    fn a_statement_for_outside_has_a_form_for_inside() {
        for (sql, wanted) in [
            (
                "CREATE INDEX CONCURRENTLY i ON s.t (lower(a)) WHERE b > 0",
                "CREATE INDEX i ON s.t USING btree (lower(a)) WHERE b > 0",
            ),
            ("DROP INDEX CONCURRENTLY s.i", "DROP INDEX s.i"),
            ("REINDEX (CONCURRENTLY) TABLE s.t", "REINDEX TABLE s.t"),
            (
                "ALTER TABLE s.t DETACH PARTITION s.p CONCURRENTLY",
                "ALTER TABLE s.t DETACH PARTITION s.p",
            ),
        ] {
            assert_eq!(inside(sql).as_deref(), Some(wanted));
        }
        assert_eq!(inside("VACUUM s.t"), None);
    }

    #[test]
    fn the_other_statements_are_known_too() {
        let expected = [
            (
                "DROP INDEX CONCURRENTLY s.i",
                Outside::DropIndex(name("s", "i")),
            ),
            (
                "REINDEX INDEX CONCURRENTLY s.i",
                Outside::RebuildIndex(name("s", "i")),
            ),
            (
                "REINDEX TABLE CONCURRENTLY s.t",
                Outside::RebuildIndexes(name("s", "t")),
            ),
            ("VACUUM s.t", Outside::Again),
            (
                "ALTER TABLE s.t DETACH PARTITION s.p CONCURRENTLY",
                Outside::Detach {
                    table: name("s", "t"),
                    partition: name("s", "p"),
                },
            ),
        ];
        for (sql, wanted) in expected {
            assert_eq!(outside(sql), Some(wanted), "{sql}");
        }
    }
}
