//! What commands on objects set off: their text names the tables and types at which they work, the server says
//! what runs there, and which event triggers are on. All here is pure.

use super::grants::name::Name;
use super::grants::{Action, Grant, Kind, Need, Subject};
use super::resolve::{Reached, Resolution};
use super::statement::{Change, ChangeKind, Class, Demand, Denial, Role, escaped};
use crate::touched::{Child, EventTrigger, Verb, Work, Write};

/// How much of a name is shown.
const MOST_SHOWN: usize = 300;

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
    let named: Vec<(&str, &str)> = (demand.needs.iter())
        .filter_map(|need| match need {
            Need::Type(name) => Some((name.schema.as_str(), name.name.as_str())),
            _ => None,
        })
        .collect();
    // a literal of somebody's type is read, and so checked, when its command is
    if tables.is_empty() && (named.is_empty() || !change.expressions) {
        return Work::default();
    }
    let own = change
        .types
        .iter()
        .map(|name| ("pg_catalog", name.as_str()));
    Work {
        tables,
        types: (named.into_iter().chain(own))
            .map(|(schema, name)| (schema.to_owned(), name.to_owned()))
            .collect(),
        casts: change.expressions || actions.iter().any(|action| CASTING.contains(action)),
    }
}

/// What a change of a table needs of those that inherit from it, which the server changes too, and what its drop needs
/// of its partitions, which the server drops with it.
pub fn inherited(demand: &Demand, parent: &Name, heirs: &[Child]) -> Resolution {
    let mut resolution = Resolution::default();
    for need in &demand.needs {
        let Need::Grant(grant) = need else {
            continue;
        };
        if grant.subject.name() != Some(parent) {
            continue;
        }
        let (partitions, what) = match grant.kind {
            Kind::Alter => (false, "what inherits from"),
            Kind::DropTable => (true, "partition of"),
            _ => continue,
        };
        let way = format!("{what} {parent}");
        for heir in heirs.iter().filter(|heir| heir.partition == partitions) {
            let name = match (grant.kind, heir.kind) {
                (Kind::DropTable, 'f') => Err("no grant drops a foreign table"),
                _ => Name::new(&heir.schema, &heir.name),
            };
            match name {
                Ok(heir) => resolution.needs.push(Reached {
                    need: Need::Grant(Grant {
                        kind: grant.kind,
                        subject: match &grant.subject {
                            Subject::Actions(_, actions) => Subject::Actions(heir, actions.clone()),
                            _ => Subject::Name(heir),
                        },
                    }),
                    way: Some(way.clone()),
                }),
                Err(why) => resolution.denied.push(Denial {
                    what: escaped(&format!("{} as {way}", heir.name), MOST_SHOWN),
                    why,
                    at: None,
                }),
            }
        }
    }
    resolution
}

/// Whether a command drops tables, and so their partitions.
pub fn drops_tables(demand: &Demand) -> bool {
    let drops = |need: &Need| matches!(need, Need::Grant(grant) if grant.kind == Kind::DropTable);
    demand.needs.iter().any(drops)
}

/// Whether what is known of tables and event triggers holds no longer after a command.
pub fn unsettles(demand: &Demand) -> bool {
    let Class::Change(change) = &demand.class else {
        return false;
    };
    // of an extension's operators and classes, and of what its script makes, the extension's grant is all that is asked
    let names_code = |need: &Need| match need {
        Need::Call { .. } | Need::Type(_) | Need::ExtensionType { .. } => true,
        Need::Grant(grant) => grant.kind == Kind::Call,
        _ => false,
    };
    let attaches = (change.touched.iter()).any(|touched| touched.role == Role::Partition);
    attaches
        || matches!(change.kind, ChangeKind::Code | ChangeKind::Rename)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::statement::required;
    use crate::touched::Function;

    fn shown(sql: &str) -> String {
        let work = work(&required(sql));
        let tables = work
            .tables
            .iter()
            .map(|write| format!("{:?} {}", write.verb, write.table));
        let types = work
            .types
            .iter()
            .map(|(schema, name)| format!("{schema}.{name}"));
        let casts = work.casts.then(|| "casts".to_owned());
        tables
            .chain(types)
            .chain(casts)
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn what_a_command_works_on_is_what_may_run() {
        for (sql, expected) in [
            ("CREATE INDEX ON s.t (x)", "Build t"),
            ("CREATE INDEX ON s.t (lower(x)) WHERE y", "Build t, casts"),
            ("REINDEX INDEX s.i", "Build i"),
            ("ANALYZE s.t", "Build t"),
            ("REFRESH MATERIALIZED VIEW s.m", "Build m"),
            ("ALTER TABLE s.t ALTER x SET NOT NULL", "Define t"),
            ("ALTER TABLE s.t VALIDATE CONSTRAINT c", "Define t"),
            ("ALTER TABLE s.t ADD x int", "Define t, pg_catalog.int4"),
            ("ALTER TABLE s.t ADD x s.d[]", "Define t, s.d"),
            ("ALTER TABLE s.t ALTER x TYPE s.d", "Define t, s.d, casts"),
            (
                "ALTER TABLE s.t ADD CHECK (bytea(x) = y)",
                "Define t, pg_catalog.bytea, casts",
            ),
            (
                "ALTER TABLE s.t ADD FOREIGN KEY (x) REFERENCES s.u",
                "Define t, Build u, casts",
            ),
            (
                "CREATE TABLE s.p PARTITION OF s.t FOR VALUES IN (1)",
                "Define t, casts",
            ),
            ("ALTER TABLE s.t ALTER x SET DEFAULT 1", "Define t, casts"),
            // nothing of the table's runs
            ("ALTER TABLE s.t ALTER x DROP DEFAULT", ""),
            ("ALTER TABLE s.t DROP COLUMN x, DROP CONSTRAINT c", ""),
            ("ALTER TABLE s.t RENAME x TO y", ""),
            ("ALTER TABLE s.t DETACH PARTITION s.p", ""),
            ("CREATE TABLE s.n (x s.d)", ""),
            ("CREATE TABLE s.n (x s.d DEFAULT 1)", "s.d, casts"),
            ("DROP INDEX s.i", ""),
            ("COMMENT ON TABLE s.t IS 'x'", ""),
            ("SELECT x::s.d FROM s.t", ""),
        ] {
            assert_eq!(shown(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_goes_for_a_table_goes_for_its_heirs_and_partitions() {
        let heir = |name: &str, kind, partition| Child {
            schema: "s".to_owned(),
            name: name.to_owned(),
            kind,
            partition,
        };
        let heirs = [
            heir("kid", 'r', false),
            heir("part", 'r', true),
            heir("far", 'f', true),
        ];
        let parent = Name::new("s", "t").unwrap();
        for (sql, needs, denied) in [
            (
                "ALTER TABLE s.t DROP COLUMN x",
                "alter s.kid: drop-column",
                0,
            ),
            ("DROP TABLE s.t", "drop table s.part", 1),
            ("DROP TABLE s.u", "", 0),
            ("COMMENT ON TABLE s.t IS 'x'", "", 0),
        ] {
            let found = inherited(&required(sql), &parent, &heirs);
            let shown: Vec<_> = found.needs.iter().map(|one| one.need.to_string()).collect();
            assert_eq!(
                (shown.join(", ").as_str(), found.denied.len()),
                (needs, denied),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_is_known_outlives_commands_that_bring_no_code() {
        for (sql, expected) in [
            ("CREATE INDEX ON s.t (x)", false),
            ("CREATE INDEX ON s.t USING gin (x ext.gin_trgm_ops)", false),
            ("ALTER TABLE s.t ADD x int", false),
            ("ALTER TABLE s.t ADD x s.d", true),
            ("CREATE TABLE s.n (x s.d)", true),
            ("CREATE INDEX ON s.t (s.f(x))", true),
            ("ALTER TABLE s.t ADD x int DEFAULT s.f()", true),
            ("ALTER TABLE s.t ATTACH PARTITION s.p DEFAULT", true),
            ("ALTER TABLE s.t RENAME TO u", true),
            ("CREATE EXTENSION e SCHEMA s", false),
            ("SELECT s.f(1)", false),
        ] {
            assert_eq!(unsettles(&required(sql)), expected, "{sql}");
        }
    }

    #[test]
    fn an_event_trigger_fires_at_its_commands() {
        let trigger = |event: &str, tags: &[&str]| EventTrigger {
            event: event.to_owned(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            function: Function {
                schema: "s".to_owned(),
                name: "f".to_owned(),
                builtin: false,
                arguments: Vec::new(),
                kind: 'f',
                security_definer: false,
                extension: None,
                via: None,
            },
        };
        let (start, end, drop, rewrite) = (
            "ddl_command_start",
            "ddl_command_end",
            "sql_drop",
            "table_rewrite",
        );
        for (event, tags, sql, expected) in [
            (start, &[][..], "CREATE INDEX ON s.t (x)", true),
            (end, &["CREATE INDEX"], "CREATE INDEX ON s.t (x)", true),
            (end, &["CREATE TABLE"], "CREATE INDEX ON s.t (x)", false),
            (
                end,
                &["ALTER VIEW"],
                "ALTER VIEW s.v ALTER x SET DEFAULT 1",
                true,
            ),
            (end, &["CREATE DOMAIN"], "CREATE DOMAIN s.d AS int", true),
            (end, &["DROP DOMAIN"], "DROP DOMAIN s.d", true),
            (end, &["SELECT INTO"], "SELECT 1 AS x INTO s.n", true),
            (drop, &[], "DROP TABLE s.t", true),
            (drop, &[], "ALTER TABLE s.t DROP COLUMN x", true),
            (drop, &[], "CREATE TABLE s.t ()", false),
            (rewrite, &[], "ALTER TABLE s.t ALTER x TYPE bigint", true),
            (rewrite, &[], "DROP TABLE s.t", false),
            // what its script does is not known
            (
                end,
                &["CREATE FUNCTION"],
                "CREATE EXTENSION e SCHEMA s",
                true,
            ),
            // these have no events
            (start, &[], "TRUNCATE s.t", false),
            (start, &[], "LOCK TABLE s.t", false),
            (start, &[], "ANALYZE s.t", false),
        ] {
            let Class::Change(change) = required(sql).class else {
                panic!("{sql}");
            };
            assert_eq!(
                fires(&change, &trigger(event, tags)),
                expected,
                "{event} {tags:?}: {sql}"
            );
        }
    }
}
