//! Calls of functions.

use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node, WindowDef};

use super::columns::Scope;
use super::types::{constant, is_type};
use super::walk::{Walker, shown, strings};
use crate::guard::functions;
use crate::guard::grants::name::Name;
use crate::guard::grants::signature::Signature;
use crate::guard::grants::{Grant, Kind, Need, Subject};

/// Functions that draw from or set the sequence that their first argument names.
/// Source: PostgreSQL, "Sequence Manipulation Functions".
pub const OF_SEQUENCES: &[&str] = &["currval", "nextval", "setval"];

/// Functions whose first argument of several may name a text-search object.
/// Source: PostgreSQL, "Text Search Functions and Operators".
const OF_TEXT_SEARCH: &[&str] = &[
    "json_to_tsvector",
    "jsonb_to_tsvector",
    "phraseto_tsquery",
    "plainto_tsquery",
    "to_tsquery",
    "to_tsvector",
    "ts_headline",
    "ts_lexize",
    "websearch_to_tsquery",
];

impl Walker<'_> {
    /// Judges a call and its arguments.
    pub fn call(&mut self, call: &FuncCall, scope: Scope) {
        self.function(call);
        let sequence = self.sequence_of(call);
        for (index, argument) in call.args.iter().enumerate() {
            // the constant that names a sequence is judged with it
            if !(sequence && index == 0) {
                self.expr(argument, scope);
            }
        }
        for item in &call.agg_order {
            self.sort_by(item, &[], scope);
        }
        self.maybe(call.agg_filter.as_deref(), scope);
        if let Some(window) = &call.over {
            self.window(window, scope);
        }
    }

    fn sequence_of(&mut self, call: &FuncCall) -> bool {
        let names = strings(&call.funcname);
        let (Some([name] | ["pg_catalog", name]), [first, ..]) = (names.as_deref(), &call.args[..])
        else {
            return false;
        };
        let found = OF_SEQUENCES.contains(name);
        if found {
            self.sequence(Some(first), call.location);
        }
        found
    }

    /// Judges the function itself.
    pub fn function(&mut self, call: &FuncCall) {
        let at = call.location;
        match strings(&call.funcname).as_deref() {
            Some([name] | ["pg_catalog", name]) => {
                if is_type(name) {
                    self.names_type(name);
                }
                let of_sequence = OF_SEQUENCES.contains(name) && !call.args.is_empty();
                if !of_sequence && !functions::allowed(name) {
                    let what = format!("function {}", shown(name));
                    self.deny(what, "it is not among the built-in functions that only look at their arguments; name the schema of another", at);
                }
                if let (true, [first, _, ..]) = (OF_TEXT_SEARCH.contains(name), &call.args[..])
                    && let Some(text) = constant(first)
                {
                    self.text_search(text, at);
                }
            }
            _ => {
                if let Some(function) = self.listed("function", &call.funcname, at) {
                    self.need_call(function, call.args.len());
                }
            }
        }
    }

    /// Notes the need of a user's function.
    pub fn need_call(&mut self, function: Name, arguments: usize) {
        self.need(match arguments {
            0 => Need::Grant(Grant {
                kind: Kind::Call,
                subject: Subject::Function(Signature {
                    function,
                    arguments: Vec::new(),
                }),
            }),
            _ => Need::Call {
                function,
                arguments,
            },
        });
    }

    /// Judges a window, in OVER or in WINDOW.
    pub fn window(&mut self, window: &WindowDef, scope: Scope) {
        self.exprs(&window.partition_clause, scope);
        for item in &window.order_clause {
            self.sort_by(item, &[], scope);
        }
        self.maybe(window.start_offset.as_deref(), scope);
        self.maybe(window.end_offset.as_deref(), scope);
    }

    /// Judges what an entry of ORDER BY sorts by; a bare name of the output was judged there.
    pub fn sort_by(&mut self, item: &Node, outputs: &[&str], scope: Scope) {
        let Some(NodeEnum::SortBy(sort)) = &item.node else {
            return self.deny_node(item);
        };
        if !sort.use_op.is_empty() {
            self.operator(&sort.use_op, sort.location);
        }
        match sort.node.as_deref().and_then(super::select::bare_name) {
            Some(name) if outputs.contains(&name) => {}
            _ => self.maybe(sort.node.as_deref(), scope),
        }
    }
}
