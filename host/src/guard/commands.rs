//! What commands on objects set off: their text names the tables and types at which they work, the server says
//! what runs there, and which event triggers are on. All here is pure.

use super::grants::{Action, Kind, Need, Subject};
use super::statement::{Change, ChangeKind, Class, Demand, Role};
use crate::touched::{EventTrigger, Verb, Work, Write};

/// Changes of a table that run nothing of what it is made of.
const STILL: &[Action] = &[
    Action::DetachPartition,
    Action::DropColumn,
    Action::DropConstraint,
    Action::Rename,
    Action::Storage,
];

/// Changes of a table in which values may be cast though no expression is written.
const CASTING: &[Action] = &[
    Action::AddConstraint,
    Action::AttachPartition,
    Action::ColumnType,
];

/// What a command works on, so far as that may run somebody's function.
pub fn work(demand: &Demand) -> Work {
    let Class::Change(change) = &demand.class else {
        return Work::default();
    };
    let actions: Vec<Action> = (demand.needs.iter())
        .filter_map(|need| match need {
            Need::Grant(grant) => match &grant.subject {
                Subject::Actions(_, actions) => Some(actions.iter().copied()),
                _ => None,
            },
            _ => None,
        })
        .flatten()
        .collect();
    let runs = |action: &Action| match action {
        // a default that is set runs when a row is made
        Action::Default => change.expressions,
        action => !STILL.contains(action),
    };
    let mut tables = Vec::new();
    for touched in &change.touched {
        let verb = match (change.kind, touched.role) {
            (ChangeKind::AlterTable | ChangeKind::CreateTable, Role::Altered | Role::Partition)
                if actions.iter().any(runs) =>
            {
                Verb::Define
            }
            (ChangeKind::AlterTable, Role::Referenced) => Verb::Build,
            (
                ChangeKind::Analyze
                | ChangeKind::CreateIndex
                | ChangeKind::Refresh
                | ChangeKind::Reindex
                | ChangeKind::Vacuum,
                Role::Altered | Role::Index,
            ) => Verb::Build,
            _ => continue,
        };
        tables.push(Write {
            schema: touched.name.schema.as_str().to_owned(),
            table: touched.name.name.as_str().to_owned(),
            verb,
        });
    }
    if tables.is_empty() {
        return Work::default();
    }
    let named = demand.needs.iter().filter_map(|need| match need {
        Need::Type(name) => Some((name.schema.as_str(), name.name.as_str())),
        _ => None,
    });
    let own = change
        .types
        .iter()
        .map(|name| ("pg_catalog", name.as_str()));
    Work {
        tables,
        types: (named.chain(own))
            .map(|(schema, name)| (schema.to_owned(), name.to_owned()))
            .collect(),
        casts: change.expressions || actions.iter().any(|action| CASTING.contains(action)),
    }
}

/// Whether what is known of tables and event triggers holds no longer after a command.
pub fn unsettles(demand: &Demand) -> bool {
    let Class::Change(change) = &demand.class else {
        return false;
    };
    // of an extension's operators and classes the extension's grant is all that is asked
    let names_code = |need: &Need| match need {
        Need::Call { .. } | Need::Type(_) | Need::ExtensionType { .. } => true,
        Need::Grant(grant) => grant.kind == Kind::Call,
        _ => false,
    };
    let attaches = (change.touched.iter()).any(|touched| touched.role == Role::Partition);
    attaches
        || matches!(
            change.kind,
            ChangeKind::Code | ChangeKind::CreateExtension | ChangeKind::Rename
        )
        || demand.needs.iter().any(names_code)
}

/// Whether an event trigger may fire for a command.
pub fn fires(change: &Change, trigger: &EventTrigger) -> bool {
    use ChangeKind as K;
    let happens = match trigger.event.as_str() {
        "sql_drop" => matches!(
            change.kind,
            K::AlterTable
                | K::Code
                | K::CreateExtension
                | K::Drop
                | K::DropExtension
                | K::Refresh
                | K::Reindex
        ),
        "table_rewrite" => matches!(change.kind, K::AlterTable | K::CreateExtension),
        _ => true,
    };
    // the script of an extension is commands of its own
    let any = trigger.tags.is_empty() || change.kind == K::CreateExtension;
    let tags = tags(change.kind);
    happens
        && !tags.is_empty()
        && (any || trigger.tags.iter().any(|tag| tags.contains(&tag.as_str())))
}

/// Whether commands of a kind fire event triggers.
pub fn has_events(kind: ChangeKind) -> bool {
    !tags(kind).is_empty()
}

/// The tags that a kind of command may have; none where it fires no event trigger. Source: PostgreSQL, "Event Trigger
/// Firing Matrix", and `src/include/tcop/cmdtaglist.h`: REINDEX has events from 17 on.
fn tags(kind: ChangeKind) -> &'static [&'static str] {
    use ChangeKind as K;
    match kind {
        K::AlterIndex => &["ALTER INDEX"],
        K::AlterSequence => &["ALTER SEQUENCE"],
        K::AlterStatistics => &["ALTER STATISTICS"],
        K::AlterTable => &["ALTER TABLE", "ALTER VIEW", "ALTER MATERIALIZED VIEW"],
        K::AlterType => &["ALTER TYPE"],
        K::Code => &[
            "CREATE FUNCTION",
            "CREATE POLICY",
            "CREATE TRIGGER",
            "DROP FUNCTION",
            "DROP POLICY",
            "DROP TRIGGER",
        ],
        K::Comment => &["COMMENT"],
        K::CreateExtension => &["CREATE EXTENSION"],
        K::CreateIndex => &["CREATE INDEX"],
        K::CreateMatview => &["CREATE MATERIALIZED VIEW"],
        K::CreateSchema => &["CREATE SCHEMA"],
        K::CreateSequence => &["CREATE SEQUENCE"],
        K::CreateStatistics => &["CREATE STATISTICS"],
        K::CreateTable => &["CREATE TABLE"],
        K::CreateTableAs => &["CREATE TABLE AS", "SELECT INTO"],
        K::CreateType => &["CREATE DOMAIN", "CREATE TYPE"],
        K::CreateView => &["CREATE VIEW"],
        K::Drop => &[
            "DROP DOMAIN",
            "DROP INDEX",
            "DROP MATERIALIZED VIEW",
            "DROP SEQUENCE",
            "DROP STATISTICS",
            "DROP TABLE",
            "DROP TYPE",
            "DROP VIEW",
        ],
        K::DropExtension => &["DROP EXTENSION"],
        K::Refresh => &["REFRESH MATERIALIZED VIEW"],
        K::Reindex => &["REINDEX"],
        K::Rename => &[
            "ALTER INDEX",
            "ALTER MATERIALIZED VIEW",
            "ALTER SEQUENCE",
            "ALTER TABLE",
            "ALTER VIEW",
        ],
        K::Analyze | K::Lock | K::Truncate | K::Vacuum => &[],
    }
}
