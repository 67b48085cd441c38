//! Functions, operators, types and other objects, however they are reached.

use super::*;

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
        let grants = crate::guard::grants::Grants::parse([line]).unwrap();
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
