//! What writes set off.

use super::*;
use crate::touched::{Rule, Sequence, Trigger};

fn written(verb: &str, name: &str, columns: Option<&[&str]>, via: Option<&str>) -> WrittenTable {
    WrittenTable {
        schema: "s".into(),
        name: name.into(),
        kind: 'r',
        verb: verb.into(),
        columns: columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        partition: false,
        part: false,
        row_security: false,
        row_security_forced: false,
        via: via.map(str::to_owned),
    }
}

#[test]
fn what_writes_set_off() {
    let cascade = "ON DELETE CASCADE of constraint b_a on s.b";
    let part = |kind| WrittenTable {
        kind,
        partition: true,
        part: true,
        ..written("insert", "part", None, Some("partition of s.t"))
    };
    let trigger = |function: Function| Trigger {
        schema: "s".into(),
        table: "t".into(),
        name: "on_t".into(),
        function,
    };
    let sequence = |name: &str, owned| Sequence {
        schema: "s".into(),
        name: name.into(),
        owned,
        via: "default of column id of s.t".into(),
    };
    let fired = Some("trigger on_t on s.t");
    let effects = Effects {
        tables: vec![
            written("delete", "a", None, None),
            written("delete", "b", None, Some(cascade)),
            written("update", "c", Some(&["x"]), Some(cascade)),
            written("update", "d", None, Some(cascade)),
            written("truncate", "e", None, None),
            written("merge", "g", None, None),
            part('r'),
            part('f'),
        ],
        triggers: vec![
            trigger(function("s.fired", &[], fired)),
            trigger(function(
                "pg_catalog.suppress_redundant_updates_trigger",
                &[],
                fired,
            )),
            trigger(function("pg_catalog.lo_manage", &[], fired)),
        ],
        rules: vec![Rule {
            schema: "s".into(),
            table: "t".into(),
            name: "also".into(),
            instead: false,
        }],
        functions: vec![
            function("s.f", &["integer"], Some("generated column g of s.t")),
            function("s.g", &[], Some("default of column d of s.t")),
            function("s.h", &["text"], Some("index s.t_h")),
        ],
        sequences: vec![sequence("own", true), sequence("shared", false)],
        others: vec![
            thing("operator class", Some("pg_trgm"), Some("index s.t_x")),
            thing("operator class", None, Some("index s.t_y")),
        ],
    };
    assert_eq!(
        lines(&resolved(&Touched::default(), &effects)),
        [
            "truncate s.e",
            "call s.f(integer) <- generated column g of s.t",
            "call s.g() <- default of column d of s.t",
            "call s.h(text) <- index s.t_h",
            "fires s.fired() <- trigger on_t on s.t",
            "delete s.a",
            &format!("delete s.b <- {cascade}"),
            &format!("update s.c(x) <- {cascade}"),
            &format!("update s.d <- {cascade}"),
            "insert s.part <- partition of s.t",
            "use-sequence s.shared <- default of column id of s.t",
            "never merge of s.g",
            "never function pg_catalog.lo_manage through trigger on_t on s.t",
            "never rule also on s.t",
            "never operator class s.x through index s.t_y",
        ]
    );
}
