//! Each thing that a write sets off.

use super::{effect_lines, in_transaction, sets_off};
use wasmigrate::database::Failure;
use wasmigrate::touched::{Verb, Write};

#[test]
fn nothing_for_a_plain_table() {
    sets_off(&[
        ("INSERT INTO s.plain (id) VALUES (1)", &[]),
        ("UPDATE s.plain SET v = ''", &[]),
        ("DELETE FROM s.plain", &[]),
        ("SELECT id FROM s.before FOR UPDATE", &[]),
    ]);
}

#[test]
fn foreign_keys_to_the_end() {
    sets_off(&[
        (
            "DELETE FROM s.a",
            &[
                "call s.f(integer) <- default of column code of s.d",
                "delete s.b <- ON DELETE CASCADE of constraint b_a on s.b",
                "delete s.c <- ON DELETE CASCADE of constraint c_b on s.c",
                "fires s.fired() definer <- trigger on_d on s.d",
                "update s.d(c) <- ON DELETE SET NULL of constraint d_c on s.d",
                "update s.d(code) <- ON DELETE SET DEFAULT of constraint d_code on s.d",
            ],
        ),
        (
            "UPDATE s.a SET code = 1",
            &[
                "call s.f(integer) <- default of column code of s.d",
                "update s.d(code) <- ON UPDATE CASCADE of constraint d_code on s.d",
            ],
        ),
        ("UPDATE s.a SET id = 1", &[]),
        (
            "DELETE FROM s.round",
            &["delete s.round <- ON DELETE CASCADE of constraint round_next on s.round"],
        ),
        // the trigger may change the key, which the statement does not name
        (
            "UPDATE s.before SET v = ''",
            &[
                "fires s.fired() definer <- trigger changes on s.before",
                "update s.behind(id) <- ON UPDATE CASCADE of constraint behind_id on s.behind",
            ],
        ),
    ]);
}

#[test]
fn triggers_by_their_event_and_columns() {
    sets_off(&[
        (
            "UPDATE s.a SET note = ''",
            &["fires s.fired() definer <- trigger on_note on s.a"],
        ),
        ("UPDATE s.d SET id = 1", &[]),
        (
            "UPDATE s.d SET c = 1",
            &["fires s.fired() definer <- trigger on_d on s.d"],
        ),
        (
            "INSERT INTO s.d (c) VALUES (1)",
            &["call s.f(integer) <- default of column code of s.d"],
        ),
    ]);
}

#[test]
fn children_and_partitions() {
    sets_off(&[
        ("INSERT INTO s.parent (id) VALUES (1)", &[]),
        (
            "DELETE FROM s.parent",
            &[
                "call s.f(integer) <- condition of trigger on_child on s.child",
                "delete s.child <- child of s.parent",
                "delete s.grandchild <- child of s.child",
                "fires s.fired() definer <- trigger on_child on s.child",
                "fires s.fired() definer <- trigger on_parent on s.parent",
            ],
        ),
        ("DELETE FROM s.grandchild", &[]),
        (
            "INSERT INTO s.parts (id) VALUES (1)",
            &[
                "call s.f(integer) <- partition key of s.parts",
                "insert s.part_1 <- partition of s.parts",
                "insert s.part_2 <- partition of s.parts",
            ],
        ),
        (
            "UPDATE s.lists SET v = ''",
            &["update s.list_1(v) <- partition of s.lists"],
        ),
        (
            "UPDATE s.lists SET id = 1",
            &[
                "delete s.list_1 <- row moved between the partitions of s.lists",
                "fires s.fired() definer <- trigger on_list_1 on s.list_1",
                "fires s.fired() definer <- trigger on_lists on s.list_1",
                "insert s.list_1 <- row moved between the partitions of s.lists",
                "update s.list_1(id) <- partition of s.lists",
            ],
        ),
        // on the partition the trigger is a copy, which version 14 calls internal
        (
            "INSERT INTO s.list_1 (id) VALUES (1)",
            &["fires s.fired() definer <- trigger on_lists on s.list_1"],
        ),
    ]);
}

#[test]
fn functions_of_the_definitions() {
    let generated = "call s.f(integer) <- generated column g of s.defined";
    let checks = [
        "call s.f(integer) <- CHECK of domain s.checked",
        "call s.same(integer, integer) <- CHECK constraint n_check of s.defined",
        "call s.same(integer, integer) <- CHECK of domain s.checked",
    ];
    let indexes = [
        "call s.f(integer) <- index s.defined_expression",
        "call s.f(integer) <- index s.defined_predicate",
    ];
    let class = "operator class gin_trgm_ops of pg_trgm <- index s.defined_class";
    let mut update = vec![generated, class];
    update.extend(checks);
    update.extend(indexes);
    let mut insert = update.clone();
    insert.push("call s.f(integer) <- default of column d of s.defined");
    insert.push("sequence s.defined_id_seq <- default of column id of s.defined");
    update.sort_unstable();
    insert.sort_unstable();
    sets_off(&[
        ("INSERT INTO s.defined (n) VALUES (1)", &insert),
        ("UPDATE s.defined SET t = ''", &update),
        ("DELETE FROM s.defined", &[]),
    ]);
}

#[test]
fn views_rules_and_row_security() {
    sets_off(&[
        (
            "DELETE FROM s.over",
            &[
                "call s.f(integer) <- default of column code of s.d",
                "delete s.a <- view s.over",
                "delete s.b <- ON DELETE CASCADE of constraint b_a on s.b",
                "delete s.c <- ON DELETE CASCADE of constraint c_b on s.c",
                "fires s.fired() definer <- trigger on_d on s.d",
                "update s.d(c) <- ON DELETE SET NULL of constraint d_c on s.d",
                "update s.d(code) <- ON DELETE SET DEFAULT of constraint d_code on s.d",
            ],
        ),
        (
            "UPDATE s.over_over SET n = ''",
            &[
                "fires s.fired() definer <- trigger on_note on s.a",
                "update s.a(note) <- view s.over",
                "update s.over(note) <- view s.over_over",
            ],
        ),
        (
            "UPDATE s.over_over SET \"the id\" = 1",
            &[
                "update s.a(id) <- view s.over",
                "update s.over(the id) <- view s.over_over",
            ],
        ),
        (
            "DELETE FROM s.handled",
            &["fires s.fired() definer <- trigger instead on s.handled"],
        ),
        (
            "INSERT INTO s.ruled (id) VALUES (1)",
            &["rule also on s.ruled"],
        ),
        ("DELETE FROM s.ruled", &[]),
    ]);
    let effects = in_transaction(async |session| {
        let writes = super::writes(session, "DELETE FROM s.guarded").await;
        session.effects(&writes).await.unwrap()
    });
    assert!(effects.tables[0].row_security && !effects.tables[0].row_security_forced);
}

#[test]
fn what_no_query_says() {
    in_transaction(async |session| {
        let write = |table: &str, verb| Write {
            schema: "s".into(),
            table: table.into(),
            verb,
        };
        let effects = session
            .effects(&[write("parent", Verb::Truncate)])
            .await
            .unwrap();
        let expected = [
            "truncate s.child <- child of s.parent",
            "truncate s.grandchild <- child of s.child",
        ];
        assert_eq!(effect_lines(&effects), expected);
        let effects = session
            .effects(&[write("a", Verb::Update(None))])
            .await
            .unwrap();
        assert!(
            effect_lines(&effects)
                .contains(&"fires s.fired() definer <- trigger on_note on s.a".to_owned())
        );
        let missing = session
            .effects(&[write("a", Verb::Delete), write("none", Verb::Delete)])
            .await;
        assert_eq!(
            missing,
            Err(Failure::Unusable("there is no relation s.none".into()))
        );
    });
}
