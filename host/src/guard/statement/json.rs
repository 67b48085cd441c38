//! The SQL/JSON constructors and query functions. Source: PostgreSQL, "JSON Functions and Operators".

use pg_query::NodeEnum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonBehavior, JsonKeyValue, JsonOutput, JsonTable, JsonTableColumn,
    JsonValueExpr, Node,
};

use super::columns::Scope;
use super::types::Place;
use super::walk::Walker;

impl Walker<'_> {
    /// Judges a node of SQL/JSON; answers whether it is one.
    pub fn json(&mut self, node: &NodeEnum, scope: Scope) -> bool {
        match node {
            NodeEnum::JsonValueExpr(value) => self.json_value(Some(value), scope),
            NodeEnum::JsonKeyValue(pair) => self.json_pair(Some(pair), scope),
            NodeEnum::JsonArgument(argument) => self.json_value(argument.val.as_deref(), scope),
            NodeEnum::JsonIsPredicate(test) => self.maybe(test.expr.as_deref(), scope),
            NodeEnum::JsonParseExpr(parse) => {
                self.json_value(parse.expr.as_deref(), scope);
                self.json_output(parse.output.as_ref());
            }
            NodeEnum::JsonScalarExpr(scalar) => {
                self.maybe(scalar.expr.as_deref(), scope);
                self.json_output(scalar.output.as_ref());
            }
            NodeEnum::JsonSerializeExpr(serialize) => {
                self.json_value(serialize.expr.as_deref(), scope);
                self.json_output(serialize.output.as_ref());
            }
            NodeEnum::JsonObjectConstructor(object) => {
                self.exprs(&object.exprs, scope);
                self.json_output(object.output.as_ref());
            }
            NodeEnum::JsonArrayConstructor(array) => {
                self.exprs(&array.exprs, scope);
                self.json_output(array.output.as_ref());
            }
            NodeEnum::JsonArrayQueryConstructor(array) => {
                self.json_output(array.output.as_ref());
                match array.query.as_deref().and_then(|node| node.node.as_ref()) {
                    Some(NodeEnum::SelectStmt(select)) if !self.is_own(scope) => {
                        self.select(select, Some(scope));
                    }
                    _ => return false,
                }
            }
            NodeEnum::JsonObjectAgg(all) => {
                self.json_aggregate(all.constructor.as_deref(), scope);
                self.json_pair(all.arg.as_deref(), scope);
            }
            NodeEnum::JsonArrayAgg(all) => {
                self.json_aggregate(all.constructor.as_deref(), scope);
                self.json_value(all.arg.as_deref(), scope);
            }
            NodeEnum::JsonFuncExpr(query) => {
                self.json_value(query.context_item.as_deref(), scope);
                self.maybe(query.pathspec.as_deref(), scope);
                self.exprs(&query.passing, scope);
                self.json_output(query.output.as_ref());
                self.json_behavior(query.on_empty.as_deref(), scope);
                self.json_behavior(query.on_error.as_deref(), scope);
            }
            _ => return false,
        }
        true
    }

    fn json_value(&mut self, value: Option<&JsonValueExpr>, scope: Scope) {
        if let Some(value) = value {
            self.maybe(value.raw_expr.as_deref(), scope);
            self.maybe(value.formatted_expr.as_deref(), scope);
        }
    }

    fn json_pair(&mut self, pair: Option<&JsonKeyValue>, scope: Scope) {
        if let Some(pair) = pair {
            self.maybe(pair.key.as_deref(), scope);
            self.json_value(pair.value.as_deref(), scope);
        }
    }

    fn json_output(&mut self, output: Option<&JsonOutput>) {
        if let Some(output) = output {
            self.type_name(output.type_name.as_ref(), Place::Value);
        }
    }

    fn json_behavior(&mut self, behavior: Option<&JsonBehavior>, scope: Scope) {
        if let Some(behavior) = behavior {
            self.maybe(behavior.expr.as_deref(), scope);
        }
    }

    fn json_aggregate(&mut self, aggregate: Option<&JsonAggConstructor>, scope: Scope) {
        let Some(aggregate) = aggregate else { return };
        self.json_output(aggregate.output.as_ref());
        self.maybe(aggregate.agg_filter.as_deref(), scope);
        for item in &aggregate.agg_order {
            self.sort_by(item, &[], scope);
        }
        if let Some(window) = &aggregate.over {
            self.window(window, scope);
        }
    }

    /// JSON_TABLE in FROM.
    pub fn json_table(&mut self, table: &JsonTable, scope: Scope) {
        self.json_value(table.context_item.as_deref(), scope);
        let path = table.pathspec.as_ref();
        self.maybe(path.and_then(|path| path.string.as_deref()), scope);
        self.exprs(&table.passing, scope);
        self.json_behavior(table.on_error.as_deref(), scope);
        self.json_columns(&table.columns, scope);
    }

    fn json_columns(&mut self, columns: &[Node], scope: Scope) {
        for column in columns {
            match &column.node {
                Some(NodeEnum::JsonTableColumn(column)) => self.json_column(column, scope),
                _ => self.deny_node(column),
            }
        }
    }

    fn json_column(&mut self, column: &JsonTableColumn, scope: Scope) {
        self.type_name(column.type_name.as_ref(), Place::Value);
        let path = column.pathspec.as_ref();
        self.maybe(path.and_then(|path| path.string.as_deref()), scope);
        self.json_behavior(column.on_empty.as_deref(), scope);
        self.json_behavior(column.on_error.as_deref(), scope);
        self.json_columns(&column.columns, scope);
    }
}
