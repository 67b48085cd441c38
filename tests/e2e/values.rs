//! Values of every type: they reach the server as a text parameter, and come back as psql shows them.

use crate::probe::{Answer, Script, literal};
use crate::support::Database;
use crate::types::{TYPES, VALUES};

/// The host sets these for a migration; psql under the same shows the same.
const PINS: &str = "SET search_path = pg_catalog, pg_temp; SET DateStyle = 'ISO, YMD';
    SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;
    SET bytea_output = 'hex'; SET xmloption = 'content';";

/// The types that this server has. PostgreSQL 14 and 18 alike have them all, but the packages differ.
fn types(database: &Database) -> Vec<(&'static str, &'static [&'static str])> {
    for extension in ["citext", "hstore", "ltree", "cube", "seg", "isn"] {
        let there = format!("SELECT 1 FROM pg_available_extensions WHERE name = '{extension}'");
        if database.value(&there) == "1" {
            database.sql(&format!("CREATE EXTENSION {extension} SCHEMA public"));
        }
    }
    database.sql(TYPES);
    let known = |name: &str| {
        let known = database.value(&format!("SELECT to_regtype({})", literal(name)));
        !known.is_empty() || name.contains('(')
    };
    let there: Vec<_> = VALUES
        .iter()
        .copied()
        .filter(|(name, _)| known(name))
        .collect();
    assert!(there.len() > 75, "{}", there.len());
    there
}

/// Fails the test where a value that the guest got is not what psql shows.
#[track_caller]
fn assert_shown(database: &Database, answer: &Answer, shown: Option<&str>, what: &str) {
    let (Some(value), Some(shown)) = (answer.value.as_deref(), shown) else {
        assert_eq!(answer.value.as_deref(), shown, "{what}");
        return;
    };
    match answer.kind.as_str() {
        "boolean" => assert_eq!(value, if shown == "t" { "true" } else { "false" }, "{what}"),
        // the same bits, whatever digits print them
        "float64" if answer.type_name == "float4" => {
            let shown: f32 = shown.parse().unwrap();
            let value: f64 = value.parse().unwrap();
            assert_eq!(value.to_bits(), f64::from(shown).to_bits(), "{what}");
        }
        "float64" => {
            let [value, shown] = [value, shown].map(|text| text.parse::<f64>().unwrap().to_bits());
            assert_eq!(value, shown, "{what}");
        }
        "timestamp" => {
            let micros = match shown {
                "infinity" => i64::MAX.to_string(),
                "-infinity" => i64::MIN.to_string(),
                moment => database.value(&format!(
                    "SET TimeZone = 'UTC'; SELECT (extract(epoch FROM {}::timestamptz - '2000-01-01'::timestamptz) * 1000000)::int8",
                    literal(moment)
                )),
            };
            assert_eq!(value, micros, "{what}");
        }
        _ => assert_eq!(value, shown, "{what}"),
    }
}

#[test]
fn every_type_arrives_as_psql_shows_it() {
    let database = Database::empty();
    // those that print the name of any object reach no guest
    let types = types(&database).into_iter();
    let types: Vec<_> = types.filter(|(name, _)| !name.starts_with("reg")).collect();
    let mut script = Script::default();
    for (number, (name, values)) in types.iter().enumerate() {
        let table = format!("public.v{number}");
        database.sql(&format!(
            "CREATE TABLE {table} (n int, v {name}, b bytea, f float8, w timestamptz)"
        ));
        let all = "n, v, b, f, w, NULL::uuid AS u, v AS v";
        for (n, value) in values.iter().map(Some).chain([None]).enumerate() {
            // buffered, among columns of binary form
            let insert = format!("INSERT INTO {table} VALUES ($1, $2, $3, $4, $5) RETURNING {all}");
            let n = format!("i:{n}");
            let value = value.map(|value| format!("t:{value}"));
            let rest = ["x:00ff", "f:0.1", "-infinity"];
            let args: Vec<_> = [Some(insert.as_str()), Some(&n), value.as_deref()]
                .into_iter()
                .chain(rest.map(Some))
                .collect();
            script = script.step("up", "query", &args);
        }
        // by a cursor and at once; among others, by itself, and beside a type that makes all of them text
        script = script
            .up("query", &[&format!("SELECT {all} FROM {table} ORDER BY n")])
            .up("query", &[&format!("SELECT v FROM {table} ORDER BY n")])
            .up("query", &[&format!("UPDATE {table} SET v = v RETURNING v")])
            .up(
                "query",
                &[&format!(
                    "WITH gone AS (DELETE FROM {table} WHERE n < 0 RETURNING v)
                     SELECT v FROM {table} UNION ALL SELECT v FROM gone"
                )],
            )
            .up(
                "query",
                &[&format!("SELECT v, 1.5 AS q FROM {table} ORDER BY n")],
            )
            .up(
                "query",
                &[&format!("UPDATE {table} SET v = v RETURNING v, 1.5 AS q")],
            );
    }
    let answers = script.answers(&database);
    let mut step = 0;
    for (number, (name, values)) in types.iter().enumerate() {
        let rows = database.sql(&format!("{PINS} SELECT v FROM public.v{number} ORDER BY n"));
        let shown: Vec<Option<String>> = rows.into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(shown.len(), values.len() + 1);
        let of = |step: usize| answers.iter().filter(move |answer| answer.step == step);
        for (n, shown) in shown.iter().enumerate() {
            step += 1;
            let what = format!("{name} {n}, buffered");
            let line: Vec<_> = of(step).collect();
            assert_eq!(line.len(), 7, "{what}");
            assert_line(&database, &line, n, shown.as_deref(), &what);
        }
        step += 1;
        let cells: Vec<_> = of(step).collect();
        for (n, (line, shown)) in cells.chunks(7).zip(&shown).enumerate() {
            assert_line(
                &database,
                line,
                n,
                shown.as_deref(),
                &format!("{name} {n}, cursor"),
            );
        }
        assert_eq!(cells.len(), 7 * shown.len(), "{name}");
        for way in ["alone", "updated", "with", "beside", "updated beside"] {
            step += 1;
            let of_values: Vec<_> = of(step).filter(|answer| answer.place == 0).collect();
            assert_eq!(of_values.len(), shown.len(), "{name}, {way}");
            for (n, (answer, shown)) in of_values.into_iter().zip(&shown).enumerate() {
                assert_shown(
                    &database,
                    answer,
                    shown.as_deref(),
                    &format!("{name} {n}, {way}"),
                );
            }
        }
    }
    assert_eq!(step, script.len());
}

#[track_caller]
fn assert_line(
    database: &Database,
    line: &[impl std::borrow::Borrow<Answer>],
    n: usize,
    shown: Option<&str>,
    what: &str,
) {
    let line: Vec<&Answer> = line.iter().map(|answer| answer.borrow()).collect();
    let names: Vec<_> = line.iter().map(|answer| answer.name.as_str()).collect();
    assert_eq!(names, ["n", "v", "b", "f", "w", "u", "v"], "{what}");
    assert_eq!(
        line[0].value.as_deref(),
        Some(n.to_string().as_str()),
        "{what}"
    );
    assert_shown(database, line[1], shown, what);
    assert_eq!(
        (line[2].kind.as_str(), line[2].value.as_deref()),
        ("bytes", Some("\\x00ff")),
        "{what}"
    );
    assert_eq!(
        (line[3].kind.as_str(), line[3].value.as_deref()),
        ("float64", Some("1e-1")),
        "{what}"
    );
    assert_eq!(line[4].value, Some(i64::MIN.to_string()), "{what}");
    assert_eq!(line[5].value, None, "{what}");
    assert_shown(database, line[6], shown, what);
}

#[test]
fn rows_without_a_name_or_a_type_arrive_as_psql_shows_them() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (a int, b text)");
    let selects = [
        "ROW(1, 'a b', NULL)",
        "ARRAY[ROW(1, 2), ROW(3, NULL)]",
        "'unknown'",
        "NULL",
    ];
    let mut script = Script::default();
    for select in selects {
        script = script
            .up("query", &[&format!("SELECT {select}")])
            .up(
                "query",
                &[&format!(
                    "INSERT INTO public.t VALUES (1) RETURNING {select}, a"
                )],
            )
            .up(
                "query",
                &[
                    &format!("INSERT INTO public.t VALUES ($1) RETURNING {select}, a, $2::numeric"),
                    "i:5",
                    "t:1.50",
                ],
            );
    }
    let words = script.words(&database);
    for (select, words) in selects.iter().zip(words.chunks(3)) {
        let shown = database.sql(&format!("{PINS} SELECT {select}"))[0][0].clone();
        let shown = shown.unwrap_or("NULL".into());
        assert_eq!(words[0], std::slice::from_ref(&shown), "{select}");
        assert_eq!(words[1], [shown.clone(), "1".into()], "{select}");
        assert_eq!(words[2], [shown, "5".into(), "1.50".into()], "{select}");
    }
}
