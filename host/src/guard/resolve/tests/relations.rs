//! Tables, views and sequences that a statement names, and what is read of them through others.

use super::*;

#[test]
fn relations_by_what_is_done_with_them() {
    let written = Access {
        read: some(&["id"]),
        insert: some(&["id", "v"]),
        update: some(&["v"]),
        delete: true,
    };
    all(vec![
        (
            relation('r', "t", reading(some(&["b", "a"])), None),
            &["read s.t(a, b)"],
        ),
        (
            relation('r', "t", reading(some(&[])), None),
            &["read s.t(?)"],
        ),
        (
            relation('r', "t", reading(Columns::All), None),
            &["read s.t"],
        ),
        (
            relation('r', "t", reading(some(&["id", "\u{e9}"])), None),
            &["read s.t"],
        ),
        (
            relation('r', "t", locking(&["id"]), None),
            &["update s.t(?)", "read s.t(id)"],
        ),
        (
            relation('r', "t", written, None),
            &["delete s.t", "update s.t(v)", "insert s.t", "read s.t(id)"],
        ),
        (
            relation('S', "q", Access::default(), None),
            &["use-sequence s.q"],
        ),
        (
            relation('S', "q", reading(some(&["last_value"])), None),
            &["read s.q(last_value)"],
        ),
        (relation('r', "t", Access::default(), None), &[]),
        (
            relation('f', "far", reading(Columns::All), None),
            &["read s.far"],
        ),
        (
            both(
                relation('v', "v", reading(some(&["a"])), None),
                relation('r', "t", reading(some(&["a", "b"])), Some("view s.v")),
            ),
            &["read s.t(a, b) <- view s.v", "read s.v(a)"],
        ),
        (
            both(
                relation('r', "t", reading(some(&["a"])), Some("view s.v")),
                relation('r', "t", reading(some(&["a"])), None),
            ),
            &["read s.t(a)"],
        ),
        (
            relation(
                'r',
                "pg_catalog.pg_class",
                reading(some(&["oid"])),
                Some("view s.v"),
            ),
            &["never relation pg_catalog.pg_class through view s.v"],
        ),
        (
            relation('v', "information_schema.tables", reading(some(&[])), None),
            &["never relation information_schema.tables"],
        ),
        (
            relation('r', "wasmigrate.run", reading(Columns::All), None),
            &["never relation wasmigrate.run"],
        ),
        (
            relation('r', "\u{442}", reading(Columns::All), None),
            &["never relation s.\u{442}"],
        ),
    ]);
}

#[test]
fn children_by_inheritance_and_on_other_servers_need_their_own() {
    all(vec![
        (
            with_child('r', reading(some(&["id"]))),
            &["read s.child(id) <- child of s.parent", "read s.parent(id)"],
        ),
        (
            with_child('f', reading(Columns::All)),
            &["read s.child <- child of s.parent", "read s.parent"],
        ),
        (
            with_child('r', locking(&["id"])),
            &[
                "update s.child(?) <- child of s.parent",
                "update s.parent(?)",
                "read s.child(id) <- child of s.parent",
                "read s.parent(id)",
            ],
        ),
    ]);
}
