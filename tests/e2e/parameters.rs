//! Parameters: each takes the type that the statement asks for, and what none can take is refused.

use crate::probe::Script;
use crate::support::Database;

#[test]
fn a_parameter_takes_the_type_that_the_statement_asks_for() {
    let database = Database::empty();
    database.sql(
        "CREATE TABLE public.t (a int8, b float8, c bool, d bytea, e numeric, f text, g int4[])",
    );
    let all = "RETURNING a, b, c, d, e, f, g";
    let words = Script::default()
        .up(
            "query",
            &[
                &format!("INSERT INTO public.t VALUES ($1, $2, $3, $4, $5, $6, $7) {all}"),
                "i:-9223372036854775808",
                "f:1e300",
                "b:true",
                "x:5c00",
                "f:NaN",
                "i:12",
                "t:{1,2}",
            ],
        )
        .up(
            "query",
            &[
                &format!("INSERT INTO public.t VALUES ($1, $2, $3, $4, $5, $6, $7) {all}"),
                "t:77",
                "t:1e-3",
                "t:off",
                "t:\\x01",
                "i:5",
                "t:it's \\ $1 E'\\n' é🦀",
                "t:{}",
            ],
        )
        .up(
            "query",
            &[
                "SELECT $1::int + $2::int, $3 || $4, 7 = ANY ($5::int[]), $1::text",
                "i:40",
                "t:2",
                "t:a",
                "t:b",
                "t:{1,7}",
            ],
        )
        .up(
            "query",
            &[
                "SELECT count(*) FROM public.t WHERE a = $1 AND f LIKE $2",
                "i:77",
                "t:it%",
            ],
        )
        .up(
            "execute",
            &["UPDATE public.t SET f = $1 WHERE a = $2", "t:x", "i:77"],
        )
        .words(&database);
    let least = i64::MIN.to_string();
    assert_eq!(
        words[0],
        [
            least.as_str(),
            "1e300",
            "true",
            "\\x5c00",
            "NaN",
            "12",
            "{1,2}"
        ]
    );
    assert_eq!(
        words[1],
        [
            "77",
            "1e-3",
            "false",
            "\\x01",
            "5",
            "it's \\ $1 E'\\n' é🦀",
            "{}"
        ]
    );
    assert_eq!(words[2], ["42", "ab", "true", "40"]);
    assert_eq!(words[3], ["1"]);
    assert_eq!(words[4], ["1"]);
}

#[test]
fn what_a_statement_cannot_take_is_refused() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (a int, m int4multirange)");
    let words = Script::default()
        .up("many-parameters", &["65535"])
        .words(&database);
    assert_eq!(words[0], ["65535"]);
    let fails = |verb: &str, args: &[&str], status, code, words: &str| {
        Script::default()
            .up(verb, args)
            .fails(&database, status, code, words);
    };
    fails(
        "many-parameters",
        &["65536"],
        7,
        "denied",
        "a statement takes at most 65535 parameters",
    );
    fails(
        "execute",
        &["SELECT $1::text", "nul:a~b"],
        6,
        "statement-failed",
        "0x00",
    );
    fails(
        "query",
        &["SELECT $1::text", "nul:a~b"],
        6,
        "statement-failed",
        "0x00",
    );
    fails(
        "query",
        &[
            "INSERT INTO public.t VALUES (1) RETURNING m, $1::text",
            "nul:a~b",
        ],
        6,
        "statement-failed",
        "SQLSTATE",
    );
    fails(
        "execute",
        &["SELECT 1; SELECT 2"],
        7,
        "denied",
        "two statements",
    );
    fails(
        "query",
        &["SELECT 1; SELECT 2"],
        7,
        "denied",
        "two statements",
    );
    fails(
        "query",
        &["INSERT INTO public.t VALUES (1) RETURNING m; COMMIT"],
        7,
        "denied",
        "two statements",
    );
    fails(
        "require-no-rows",
        &["x", "SELECT 1; COMMIT"],
        7,
        "denied",
        "two statements",
    );
    fails(
        "query",
        &["SELECT $1::int", "t:x"],
        6,
        "statement-failed",
        "SQLSTATE: 22P02",
    );
    fails(
        "query",
        &["SELECT $1::int + $2::int", "i:1"],
        6,
        "statement-failed",
        "SQLSTATE",
    );
    fails(
        "query",
        &["INSERT INTO public.t VALUES (1)"],
        6,
        "call-unsupported",
        "use execute",
    );
    fails(
        "query",
        &["SELECT FROM public.t"],
        6,
        "call-unsupported",
        "returns no columns",
    );
    fails(
        "query",
        &["CREATE TABLE public.u ()"],
        6,
        "call-unsupported",
        "use execute",
    );
    assert_eq!(database.value("SELECT count(*) FROM public.t"), "0");
}
