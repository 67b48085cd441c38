use super::*;
use crate::touched::{Child, Rule, Sequence, Trigger};

fn some(columns: &[&str]) -> Columns {
    Columns::Some(columns.iter().map(|column| (*column).to_owned()).collect())
}

fn reading(columns: Columns) -> Access {
    Access {
        read: columns,
        ..Access::default()
    }
}

fn locking(columns: &[&str]) -> Access {
    Access {
        update: some(&[]),
        ..reading(some(columns))
    }
}

fn relation(kind: char, name: &str, access: Access, via: Option<&str>) -> Touched {
    let (schema, name) = name.split_once('.').unwrap_or(("s", name));
    Touched {
        relations: vec![Relation {
            schema: schema.into(),
            name: name.into(),
            kind,
            access,
            row_security: false,
            extension: None,
            children: Vec::new(),
            via: via.map(str::to_owned),
        }],
        ..Touched::default()
    }
}

fn with_child(kind: char, access: Access) -> Touched {
    let mut touched = relation('r', "parent", access, None);
    touched.relations[0].children.push(Child {
        schema: "s".into(),
        name: "child".into(),
        kind,
    });
    touched
}

fn function(name: &str, arguments: &[&str], via: Option<&str>) -> Function {
    let (schema, name) = name.split_once('.').unwrap();
    Function {
        schema: schema.into(),
        name: name.into(),
        builtin: schema == "pg_catalog",
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        kind: 'f',
        security_definer: false,
        extension: None,
        via: via.map(str::to_owned),
    }
}

fn call(name: &str, arguments: &[&str], via: Option<&str>) -> Touched {
    Touched {
        functions: vec![function(name, arguments, via)],
        ..Touched::default()
    }
}

fn operator(name: &str, extension: Option<&str>, via: Option<&str>) -> Touched {
    Touched {
        operators: vec![Operator {
            schema: "s".into(),
            name: name.into(),
            function: Some(function("s.same", &["integer", "integer"], None)),
            extension: extension.map(str::to_owned),
            via: via.map(str::to_owned),
        }],
        ..Touched::default()
    }
}

fn of_type(name: &str, constant: bool, extension: Option<&str>) -> Touched {
    let (schema, name) = name.split_once('.').unwrap();
    Touched {
        types: vec![Type {
            schema: schema.into(),
            name: name.into(),
            kind: 'b',
            constant,
            extension: extension.map(str::to_owned),
            via: None,
        }],
        ..Touched::default()
    }
}

fn other(class: &str, extension: Option<&str>) -> Touched {
    Touched {
        others: vec![thing(class, extension, None)],
        ..Touched::default()
    }
}

fn thing(class: &str, extension: Option<&str>, via: Option<&str>) -> Other {
    Other {
        class: class.into(),
        schema: Some("s".into()),
        name: "x".into(),
        extension: extension.map(str::to_owned),
        via: via.map(str::to_owned),
    }
}

fn both(mut one: Touched, two: Touched) -> Touched {
    one.relations.extend(two.relations);
    one.functions.extend(two.functions);
    one.operators.extend(two.operators);
    one.types.extend(two.types);
    one
}

fn lines(resolution: &Resolution) -> Vec<String> {
    let way = |reached: &Reached| {
        (reached.way.as_ref()).map_or(String::new(), |way| format!(" <- {way}"))
    };
    let needs = resolution.needs.iter();
    let needs = needs.map(|reached| format!("{}{}", reached.need, way(reached)));
    let denied = resolution.denied.iter();
    needs
        .chain(denied.map(|denial| format!("never {}", denial.what)))
        .collect()
}

#[track_caller]
fn all(rows: Vec<(Touched, &[&str])>) {
    for (touched, expected) in rows {
        let resolution = resolved(&touched, &Effects::default());
        assert_eq!(lines(&resolution), expected, "{touched:#?}");
    }
}

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

#[test]
fn functions_by_every_way() {
    let view = Some("view s.v");
    let mut aggregate = call("s.total", &["integer"], None);
    aggregate.functions[0].kind = 'a';
    let mut window = call("s.place", &[], None);
    window.functions[0].kind = 'w';
    let mut extension = call("ext.similarity", &["text", "text"], None);
    extension.functions[0].extension = Some("pg_trgm".into());
    let mut overload = call("pg_catalog.lower", &["s.mood"], None);
    overload.functions[0].builtin = false;
    all(vec![
        (
            call("s.f", &["integer", "s.\"Mood\"[]"], None),
            &["call s.f(integer, s.\"Mood\"[])"],
        ),
        (
            call("s.\"F\"", &[], view),
            &["call s.\"\"\"F\"\"\"() <- view s.v"],
        ),
        (aggregate, &["call s.total(integer)"]),
        (window, &["call s.place()"]),
        (extension, &["call ext.similarity(text, text)"]),
        (
            call("s.to_json", &["s.mood"], Some("cast from s.mood to json")),
            &["call s.to_json(s.mood) <- cast from s.mood to json"],
        ),
        (
            call("s.f", &["integer"], Some("CHECK of domain s.d")),
            &["call s.f(integer) <- CHECK of domain s.d"],
        ),
        (
            call("s.f", &["s.\u{442}"], None),
            &["never function s.f(s.\u{442})"],
        ),
        (call("pg_catalog.lower", &["text"], None), &[]),
        // attribute notation of a column calls it too
        (
            call("pg_catalog.pg_sleep", &["double precision"], None),
            &["never function pg_sleep"],
        ),
        (
            call("pg_catalog.pg_get_userbyid", &["oid"], view),
            &["never function pg_get_userbyid through view s.v"],
        ),
        (
            call("pg_catalog.regclass", &["text"], None),
            &["never function regclass"],
        ),
        (overload, &["never function pg_catalog.lower"]),
        (
            call("information_schema._pg_truetypid", &[], None),
            &["never function information_schema._pg_truetypid"],
        ),
        (call("pg_catalog.system", &["internal"], None), &[]),
        (
            call("pg_catalog.system", &["text"], None),
            &["never function system"],
        ),
        (operator("===", None, None), &["never operator s.==="]),
        (
            operator("===", None, view),
            &["call s.same(integer, integer) <- operator s.=== in view s.v"],
        ),
        (
            operator("%", Some("pg_trgm"), None),
            &["extension pg_trgm in s"],
        ),
    ]);
}

#[test]
fn types_and_the_names_in_their_constants() {
    let drawn = || call("pg_catalog.nextval", &["regclass"], None);
    let sequence = || relation('S', "q", Access::default(), None);
    let mut in_view = of_type("pg_catalog.regclass", true, None);
    in_view.types[0].via = Some("view s.v".into());
    all(vec![
        (of_type("s.mood", false, None), &["use-type s.mood"]),
        (
            of_type("s.citext", false, Some("citext")),
            &["use-type s.citext"],
        ),
        (of_type("pg_catalog.regconfig", true, None), &[]),
        (
            of_type("pg_catalog.regconfig", false, None),
            &["never type regconfig"],
        ),
        (
            of_type("pg_catalog.regclass", true, None),
            &["never type regclass"],
        ),
        (
            both(
                both(of_type("pg_catalog.regclass", true, None), drawn()),
                sequence(),
            ),
            &["use-sequence s.q"],
        ),
        (
            both(of_type("pg_catalog.regclass", false, None), drawn()),
            &["never function nextval", "never type regclass"],
        ),
        (drawn(), &["never function nextval"]),
        (
            both(in_view, drawn()),
            &[
                "never function nextval",
                "never type regclass through view s.v",
            ],
        ),
    ]);
    let needs = resolved(
        &of_type("s.citext", false, Some("citext")),
        &Effects::default(),
    )
    .needs;
    for (line, met) in [
        ("use-type s.citext", true),
        ("extension citext in s", true),
        ("extension hstore in s", false),
        ("extension citext in public", false),
    ] {
        let grants = super::super::grants::Grants::parse([line]).unwrap();
        assert_eq!(grants.allows(&needs[0].need), met, "{line}");
    }
}

#[test]
fn other_objects() {
    all(vec![
        (other("collation", None), &[]),
        (other("table constraint", None), &[]),
        (
            other("operator class", Some("pg_trgm")),
            &["extension pg_trgm in s"],
        ),
        (other("operator class", None), &["never operator class s.x"]),
        (
            other("text search configuration", None),
            &["never text search configuration s.x"],
        ),
        (
            other("text search dictionary", Some("unaccent")),
            &["extension unaccent in s"],
        ),
    ]);
}

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
            "delete s.a",
            &format!("delete s.b <- {cascade}"),
            &format!("update s.c(x) <- {cascade}"),
            &format!("update s.d <- {cascade}"),
            "insert s.part <- partition of s.t",
            "call s.f(integer) <- generated column g of s.t",
            "call s.g() <- default of column d of s.t",
            "call s.h(text) <- index s.t_h",
            "fires s.fired() <- trigger on_t on s.t",
            "use-sequence s.shared <- default of column id of s.t",
            "never merge of s.g",
            "never function pg_catalog.lo_manage through trigger on_t on s.t",
            "never rule also on s.t",
            "never operator class s.x through index s.t_y",
        ]
    );
}

#[test]
fn names_of_the_catalog_cannot_forge_a_message() {
    let way = "view s.\"\u{202e}\n\"";
    let touched = relation('r', "t", reading(Columns::All), Some(way));
    let needs = resolved(&touched, &Effects::default()).needs;
    assert_eq!(needs[0].way.as_deref(), Some("view s.\"\\u{202e}\\n\""));
}
