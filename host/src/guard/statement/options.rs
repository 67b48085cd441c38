//! Options in parentheses after WITH and after commands: the known ones, with constants.

use pg_query::NodeEnum;
use pg_query::protobuf::{DefElem, Node};

use super::walk::{Walker, shown, string};

/// Storage parameters of tables. Source: PostgreSQL, `CREATE TABLE`, "Storage Parameters".
pub const OF_TABLES: &[&str] = &[
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_enabled",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_table_age",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "fillfactor",
    "log_autovacuum_min_duration",
    "parallel_workers",
    "toast_tuple_target",
    "vacuum_index_cleanup",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
];

/// Storage parameters of indexes. Source: PostgreSQL, `CREATE INDEX`, "Index Storage Parameters".
pub const OF_INDEXES: &[&str] = &[
    "autosummarize",
    "buffering",
    "deduplicate_items",
    "fastupdate",
    "fillfactor",
    "gin_pending_list_limit",
    "pages_per_range",
];

/// Options of views. Source: PostgreSQL, `CREATE VIEW`.
pub const OF_VIEWS: &[&str] = &["check_option", "security_barrier", "security_invoker"];

/// Parameters of a column. Source: PostgreSQL, `ALTER TABLE`, SET ( attribute_option ).
pub const OF_COLUMNS: &[&str] = &["n_distinct", "n_distinct_inherited"];

/// Options of VACUUM and ANALYZE, which work on tables that are named.
/// Source: PostgreSQL, `VACUUM`, `ANALYZE`.
pub const OF_VACUUM: &[&str] = &[
    "analyze",
    "buffer_usage_limit",
    "disable_page_skipping",
    "freeze",
    "full",
    "index_cleanup",
    "parallel",
    "process_main",
    "process_toast",
    "skip_database_stats",
    "skip_locked",
    "truncate",
    "verbose",
];

/// Options of REINDEX. Source: PostgreSQL, `REINDEX`.
pub const OF_REINDEX: &[&str] = &["concurrently", "verbose"];

impl Walker<'_> {
    /// Judges options: those that are known, with a constant each.
    pub fn options(&mut self, options: &[Node], known: &[&str]) {
        for option in options {
            let Some(NodeEnum::DefElem(option)) = &option.node else {
                self.deny_node(option);
                continue;
            };
            let namespace = matches!(option.defnamespace.as_str(), "" | "toast");
            if !namespace || !known.contains(&option.defname.as_str()) {
                let what = format!("option {}", shown(&option.defname));
                self.deny(
                    what,
                    "it is not among the options that the guard knows",
                    option.location,
                );
            }
            self.constant_option(option);
        }
    }

    /// An option may only have a constant.
    pub fn constant_option(&mut self, option: &DefElem) {
        let plain = match option.arg.as_deref().map(|node| &node.node) {
            None => true,
            Some(Some(NodeEnum::TypeName(name))) => name.typmods.is_empty(),
            Some(Some(
                NodeEnum::String(_)
                | NodeEnum::Integer(_)
                | NodeEnum::Float(_)
                | NodeEnum::Boolean(_)
                | NodeEnum::AConst(_),
            )) => true,
            Some(_) => false,
        };
        if !plain {
            let what = format!("a computed option {}", shown(&option.defname));
            self.deny(what, "an option has a constant", option.location);
        }
    }
}

/// Whether an option is given and not switched off; the last one counts. Source: PostgreSQL, `defGetBoolean`.
pub fn is_on(options: &[Node], name: &str) -> bool {
    let given = options.iter().rev().find_map(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == name => Some(option),
        _ => None,
    });
    given.is_some_and(|option| match option.arg.as_deref() {
        None => true,
        Some(value) => match (&value.node, string(value)) {
            (Some(NodeEnum::Integer(value)), _) => value.ival != 0,
            (Some(NodeEnum::Boolean(value)), _) => value.boolval,
            (_, Some(word)) => !["false", "off"]
                .iter()
                .any(|off| off.eq_ignore_ascii_case(word)),
            // the server takes no other, and it needs no less
            _ => true,
        },
    })
}
