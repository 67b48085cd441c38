use super::*;

fn grant(text: &str) -> Grant {
    Grant::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn every_form_of_a_line_is_read_and_shown_canonically() {
    let code = format!("code function public.f sha256={DIGEST}");
    let trigger = format!("code trigger public.t sha256={DIGEST}");
    for (text, shown) in [
        (
            "read public.medications(id, name, \"genericName\")",
            "read public.medications(\"genericName\", id, name)",
        ),
        ("read \"public\".\"logs\"", "read public.logs"),
        ("read public.user", "read public.\"user\""),
        ("update public.t(b,a)", "update public.t(a, b)"),
        (
            "alter public.medication_logs: validate-constraint, add-constraint",
            "alter public.medication_logs: add-constraint, validate-constraint",
        ),
        ("extension pg_trgm in public", "extension pg_trgm in public"),
        (
            "extension \"uuid-ossp\" in public",
            "extension \"uuid-ossp\" in public",
        ),
        (
            "reference public.medications",
            "reference public.medications",
        ),
        ("catalog", "catalog"),
        ("call public.f(int, text)", "call public.f(integer, text)"),
        ("fires public.f()", "fires public.f()"),
        ("create table public.t", "create table public.t"),
        ("create schema app", "create schema app"),
        ("drop matview public.m", "drop matview public.m"),
        ("enum-value public.mood", "enum-value public.mood"),
        ("use-sequence public.s", "use-sequence public.s"),
        (code.as_str(), code.as_str()),
        (trigger.as_str(), trigger.as_str()),
    ] {
        assert_eq!(grant(text).to_string(), shown);
        assert_eq!(
            grant(shown),
            grant(text),
            "the canonical form reads the same"
        );
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let digest = format!("code function public.f sha256={}", DIGEST.to_uppercase());
    for (text, at, words) in [
        ("", 0, "begins with"),
        ("select public.t", 0, "no grant `select`"),
        ("read", 0, "one blank"),
        ("read  public.t", 5, "expected a name"),
        (" read public.t", 0, "begins with"),
        ("read public.t ", 13, "nothing may follow"),
        ("read t", 5, "name the schema"),
        ("read public.*", 12, "wildcard"),
        ("read *", 5, "wildcard"),
        ("read public.t(*)", 14, "wildcard"),
        ("read public.t()", 14, "expected a name"),
        ("read public.t(a, a)", 17, "twice"),
        ("read public.t(a", 15, "expected `,`"),
        ("read public.Logs", 12, "in quotes"),
        ("read public.a$b", 12, "in quotes"),
        ("read public.\"a", 12, "not closed"),
        ("read public.\"\"", 12, "empty"),
        ("read p\u{430}tients.t", 6, "U+0430"),
        ("read public.t\u{202e}", 13, "U+202E"),
        ("read public.t\n", 13, "U+000A"),
        ("read public.t\u{1b}[2J", 13, "U+001B"),
        ("read wasmigrate.history", 5, "host's own"),
        ("read pg_catalog.pg_authid", 5, "host's checks"),
        ("use-type pg_temp.t", 9, "temporary"),
        ("create schema wasmigrate", 14, "host's own"),
        ("create index public.i", 0, "`create` what?"),
        ("create", 0, "`create` what?"),
        ("insert public.t(a)", 15, "nothing may follow"),
        ("alter public.t", 14, "expected `: `"),
        ("alter public.t: owner", 16, "no change `owner`"),
        ("alter public.t: rename, rename", 24, "twice"),
        ("extension pg_trgm", 17, "schema"),
        ("catalog public", 0, "one blank"),
        ("call public.f", 13, "()"),
        ("code function public.f", 22, "digest"),
        ("code trigger public.t.u sha256=0", 21, "digest"),
        (digest.as_str(), 30, "64 hexadecimal"),
    ] {
        let error = Grant::parse(text).unwrap_err();
        assert_eq!(error.span.start, at, "{text:?}: {error}");
        assert!(error.message.contains(words), "{text:?}: {error}");
        assert!(error.span.end <= text.len(), "{text:?}");
    }
}

#[test]
fn a_grant_allows_itself_and_what_it_includes() {
    for (have, need, allowed) in [
        ("read public.t", "read public.t(a)", true),
        ("read public.t(a, b)", "read public.t(a)", true),
        ("read public.t(a)", "read public.t(a, b)", false),
        ("read public.t(a)", "read public.t", false),
        ("read public.t", "read public.u", false),
        ("read public.t", "read app.t", false),
        ("read public.t", "update public.t", false),
        ("update public.t", "read public.t", false),
        (
            "alter public.t: rename, default",
            "alter public.t: default",
            true,
        ),
        ("alter public.t: rename", "alter public.t: default", false),
        ("call public.f(int)", "call public.f(int4)", true),
        ("call public.f(int)", "call public.f(text)", false),
        ("call public.f()", "fires public.f()", false),
        ("drop table public.t", "drop view public.t", false),
        ("create table public.t", "insert public.t", false),
        ("catalog", "catalog", true),
    ] {
        assert_eq!(grant(have).allows(&grant(need)), allowed, "{have} / {need}");
    }
}

#[test]
fn the_lines_of_a_phase_are_sorted_by_danger_and_counted() {
    let grants = Grants::parse([
        "catalog",
        "read public.a",
        "drop table public.a",
        "insert public.a",
    ]);
    let shown: Vec<_> = grants.unwrap().iter().map(Grant::to_string).collect();
    assert_eq!(
        shown,
        [
            "drop table public.a",
            "insert public.a",
            "read public.a",
            "catalog"
        ]
    );
    let many: Vec<_> = (0..=MAX_LINES)
        .map(|n| format!("read public.t{n}"))
        .collect();
    let lines = || many.iter().map(String::as_str);
    assert!(Grants::parse(lines().take(MAX_LINES)).is_ok());
    assert_eq!(Grants::parse(lines()).unwrap_err().index, MAX_LINES);
    let twice = Grants::parse(["read public.a", "read \"public\".a"]).unwrap_err();
    assert!(twice.error.message.contains("twice"));
    assert_eq!(Grants::parse(["read public.a", "x"]).unwrap_err().index, 1);
}

#[test]
fn needs_are_met_by_lines_together() {
    let grants = Grants::parse([
        "read public.t(a)",
        "read public.t(b, c)",
        "alter public.t: rename",
        "call public.f(integer)",
        "call public.g()",
        "index public.t",
        "extension pg_trgm in app",
    ])
    .unwrap();
    let name = |text: &str| Name::new("public", text).unwrap();
    let columns = |columns: &[&str]| columns.iter().map(|c| Ident::new(c).unwrap()).collect();
    let read = |names: &[&str]| Need::Columns {
        kind: Kind::Read,
        table: name("t"),
        columns: columns(names),
    };
    let call = |text| Need::Call {
        function: name(text),
        arguments: 2,
    };
    let index = |schema| Need::Owner {
        kind: Kind::Index,
        object: Object::Index,
        name: Name::new(schema, "ix").unwrap(),
    };
    let class = |schema| Need::ExtensionObject {
        object: Object::OperatorClass,
        name: Name::new(schema, "ops").unwrap(),
    };
    for (need, met, shown) in [
        (
            Need::Grant(grant("read public.t(a, c)")),
            true,
            "read public.t(a, c)",
        ),
        (Need::Grant(grant("read public.t")), false, "read public.t"),
        (read(&[]), true, "read public.t(?)"),
        (read(&["a", "b"]), true, "read public.t(a, b, ?)"),
        (read(&["d"]), false, "read public.t(d, ?)"),
        (
            Need::Grant(Grant::alter(name("t"), Action::Rename)),
            true,
            "alter public.t: rename",
        ),
        (
            Need::Grant(Grant::alter(name("t"), Action::Default)),
            false,
            "alter public.t: default",
        ),
        (call("f"), true, "call public.f(?, ?)"),
        (call("g"), false, "call public.g(?, ?)"),
        (
            Need::Grant(grant("call public.g()")),
            true,
            "call public.g()",
        ),
        (index("public"), true, "index (table of public.ix)"),
        (index("app"), false, "index (table of app.ix)"),
        (
            class("app"),
            true,
            "extension ? in app (operator class app.ops)",
        ),
        (
            class("public"),
            false,
            "extension ? in public (operator class public.ops)",
        ),
        (
            Need::Extension(Ident::new("pg_trgm").unwrap()),
            true,
            "extension pg_trgm in ?",
        ),
        (
            Need::Extension(Ident::new("dblink").unwrap()),
            false,
            "extension dblink in ?",
        ),
        (
            Need::Type(Name::new("app", "x").unwrap()),
            true,
            "use-type app.x",
        ),
        (Need::Type(name("x")), false, "use-type public.x"),
    ] {
        assert_eq!(grants.allows(&need), met, "{need}");
        assert_eq!(need.to_string(), shown);
    }
    assert_eq!(grants.missing(&[read(&[]), call("g")]), [&call("g")]);
}

#[test]
fn kinds_are_told_apart_by_their_words_and_by_their_danger() {
    let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.words()).collect();
    words.sort_unstable();
    words.dedup();
    let mut danger: Vec<_> = Kind::ALL.iter().map(|kind| kind.danger()).collect();
    danger.sort_unstable();
    danger.dedup();
    assert_eq!(
        (words.len(), danger.len()),
        (Kind::ALL.len(), Kind::ALL.len())
    );
    assert!(!danger.contains(&KEEPS_VALUES));
    assert!(Action::ALL.is_sorted_by_key(|action| action.word()));
}

#[test]
fn the_reviewers_page_says_what_each_grant_means() {
    let page = include_str!("../../../../docs/capabilities.md");
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Alter);
    let kinds = kinds.map(|kind| kind.words().to_owned());
    let actions = Action::ALL.iter();
    let actions = actions.map(|action| format!("alter T: {}", action.word()));
    for words in kinds.chain(actions) {
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|line| line.split('|').nth(1));
        let grants = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let begins = |grant: &str| {
            let rest = grant.strip_prefix(&words);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        assert!(
            grants.into_iter().any(begins),
            "docs/capabilities.md has no `{words}`"
        );
    }
}
