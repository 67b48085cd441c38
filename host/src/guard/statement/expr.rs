//! Expressions: each node that may stand in one, and what it holds.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExpr, AExprKind, AIndirection, Node, ParamRef, SqlValueFunctionOp, SubLink, SubLinkType,
    XmlExprOp,
};

use super::columns::Scope;
use super::types::Place;
use super::walk::{Walker, shown, string};
use crate::guard::functions;

/// How the server's functions are called that read files, wait or work on large objects: no field need be.
const OF_SERVER: &[&str] = &["lo_", "pg_"];

impl Walker<'_> {
    /// Judges expressions.
    pub fn exprs(&mut self, nodes: &[Node], scope: Scope) {
        for node in nodes {
            self.expr(node, scope);
        }
    }

    /// Judges an expression that may be absent.
    pub fn maybe(&mut self, node: Option<&Node>, scope: Scope) {
        if let Some(node) = node {
            self.expr(node, scope);
        }
    }

    /// More parameters than the protocol counts come from no host, and the server's answer could not be read.
    fn param(&mut self, param: &ParamRef) {
        if !(1..=65_535).contains(&param.number) {
            let what = format!("parameter ${}", param.number);
            self.deny(
                what,
                "a statement takes at most 65535 parameters",
                param.location,
            );
        }
    }

    /// Judges an expression.
    pub fn expr(&mut self, node: &Node, scope: Scope) {
        let Some(inner) = &node.node else {
            return self.deny_node(node);
        };
        if let Some(change) = &mut self.change {
            change.expressions = true;
        }
        match inner {
            NodeEnum::AConst(_) | NodeEnum::SetToDefault(_) => {}
            NodeEnum::ParamRef(param) => self.param(param),
            NodeEnum::MergeSupportFunc(_) => {}
            NodeEnum::ColumnRef(column) => self.column_ref(column, scope),
            NodeEnum::AExpr(operation) => self.operation(operation, scope),
            NodeEnum::TypeCast(cast) => self.cast(cast, scope),
            NodeEnum::FuncCall(call) => self.call(call, scope),
            NodeEnum::SubLink(link) => self.sub_link(link, scope),
            NodeEnum::AIndirection(part) => self.indirection(part, scope),
            NodeEnum::CollateClause(collate) => {
                self.collation(&collate.collname, collate.location);
                self.maybe(collate.arg.as_deref(), scope);
            }
            NodeEnum::BoolExpr(all) => self.exprs(&all.args, scope),
            NodeEnum::AArrayExpr(array) => self.exprs(&array.elements, scope),
            NodeEnum::RowExpr(row) => self.exprs(&row.args, scope),
            NodeEnum::CoalesceExpr(all) => self.exprs(&all.args, scope),
            NodeEnum::MinMaxExpr(all) => self.exprs(&all.args, scope),
            NodeEnum::GroupingFunc(all) => self.exprs(&all.args, scope),
            NodeEnum::List(list) => self.exprs(&list.items, scope),
            NodeEnum::NullTest(test) => self.maybe(test.arg.as_deref(), scope),
            NodeEnum::BooleanTest(test) => self.maybe(test.arg.as_deref(), scope),
            NodeEnum::NamedArgExpr(named) => self.maybe(named.arg.as_deref(), scope),
            NodeEnum::MultiAssignRef(part) => self.maybe(part.source.as_deref(), scope),
            NodeEnum::CaseExpr(case) => {
                self.maybe(case.arg.as_deref(), scope);
                self.exprs(&case.args, scope);
                self.maybe(case.defresult.as_deref(), scope);
            }
            NodeEnum::CaseWhen(when) => {
                self.maybe(when.expr.as_deref(), scope);
                self.maybe(when.result.as_deref(), scope);
            }
            NodeEnum::ResTarget(target) => {
                self.subscripts(&target.indirection, scope);
                self.maybe(target.val.as_deref(), scope);
            }
            NodeEnum::SqlvalueFunction(value) => {
                if value.op() == SqlValueFunctionOp::SqlvalueFunctionOpUndefined {
                    self.deny_node(node);
                }
            }
            NodeEnum::XmlExpr(xml) => {
                if xml.op() == XmlExprOp::Undefined {
                    self.deny_node(node);
                }
                self.exprs(&xml.named_args, scope);
                self.exprs(&xml.args, scope);
            }
            NodeEnum::XmlSerialize(xml) => {
                self.type_name(xml.type_name.as_ref(), Place::Value);
                self.maybe(xml.expr.as_deref(), scope);
            }
            NodeEnum::CurrentOfExpr(_) => {
                self.deny("a cursor", "cursors are the host's, so none is current", -1)
            }
            _ => {
                if !self.json(inner, scope) {
                    self.deny_node(node);
                }
            }
        }
    }

    /// Operators and what is written like them: LIKE, IN, BETWEEN, IS DISTINCT FROM, NULLIF.
    fn operation(&mut self, operation: &AExpr, scope: Scope) {
        let at = operation.location;
        if operation.kind() == AExprKind::Undefined {
            self.deny(
                "an operation",
                "the guard does not know what it would do",
                at,
            );
        }
        match operation.kind() {
            // the grammar names these by their words, not by an operator
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {}
            _ => self.operator(&operation.name, at),
        }
        self.maybe(operation.lexpr.as_deref(), scope);
        self.maybe(operation.rexpr.as_deref(), scope);
    }

    fn sub_link(&mut self, link: &SubLink, scope: Scope) {
        if link.sub_link_type() == SubLinkType::Undefined {
            self.deny(
                "a sub-select",
                "the guard does not know what it would do",
                link.location,
            );
        }
        if self.is_own(scope) {
            self.deny(
                "a sub-select here",
                "the expression sees one row of its own table",
                link.location,
            );
        }
        if !link.oper_name.is_empty() {
            self.operator(&link.oper_name, link.location);
        }
        self.maybe(link.testexpr.as_deref(), scope);
        match link
            .subselect
            .as_deref()
            .and_then(|node| node.node.as_ref())
        {
            Some(NodeEnum::SelectStmt(select)) => self.select(select, Some(scope)),
            _ => self.deny(
                "a sub-select",
                "the guard does not know what it would do",
                link.location,
            ),
        }
    }

    /// Subscripts, and fields of expressions. `(x).f` calls the function `f` where `x` has no such field, built-in ones
    /// with a scalar too, which no text tells. What a query or a change of rows calls so, the server tells. In a
    /// command, which is not resolved, and of what can be no row `f` must be a function that anyone may call.
    /// Source: PostgreSQL, "Using Composite Types in Queries".
    fn indirection(&mut self, part: &AIndirection, scope: Scope) {
        self.maybe(part.arg.as_deref(), scope);
        self.subscripts(&part.indirection, scope);
        let resolved = self.change.is_none() && part.arg.as_deref().is_some_and(may_be_row);
        for field in part.indirection.iter().filter_map(string) {
            let is_field = resolved && !OF_SERVER.iter().any(|family| field.starts_with(family));
            if !is_field && !functions::allowed(field) {
                let what = format!("(...).{}", shown(field));
                let why = match self.change.is_some() {
                    true => {
                        "in a command it may be a call of a function; write the field into a column first, in a \
                        statement of its own"
                    }
                    false => {
                        "it may be a call of a function; write table.column, or name the columns in FROM"
                    }
                };
                self.deny(what, why, -1);
            }
        }
    }

    /// The expressions in subscripts; fields are left to the caller.
    pub fn subscripts(&mut self, parts: &[Node], scope: Scope) {
        for part in parts {
            match &part.node {
                Some(NodeEnum::AIndices(indices)) => {
                    self.maybe(indices.lidx.as_deref(), scope);
                    self.maybe(indices.uidx.as_deref(), scope);
                }
                Some(NodeEnum::AStar(_) | NodeEnum::String(_)) => {}
                _ => self.deny_node(part),
            }
        }
    }
}

/// Whether an expression may have fields, for all that its text tells.
fn may_be_row(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::ColumnRef(_) | NodeEnum::SubLink(_)) => true,
        Some(NodeEnum::AIndirection(part)) => part.arg.as_deref().is_some_and(may_be_row),
        // those of the server's own that return rows are no expressions
        Some(NodeEnum::FuncCall(call)) => call.funcname.len() > 1,
        Some(NodeEnum::TypeCast(cast)) => {
            let name = cast.type_name.as_ref();
            let schema = name.filter(|name| name.names.len() > 1);
            schema.is_some_and(|name| name.names.first().and_then(string) != Some("pg_catalog"))
        }
        _ => false,
    }
}
