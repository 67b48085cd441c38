use super::*;

mod attacks;
mod needs;
mod properties;

/// The statements that were judged by hand, each with what it needs and why it is denied.
fn expected() -> Vec<serde_json::Value> {
    let root = env!("CARGO_MANIFEST_DIR");
    let text = ["tests", "../tests"]
        .iter()
        .find_map(|place| {
            std::fs::read_to_string(format!("{root}/{place}/statements/expected.jsonl")).ok()
        })
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Where the wall is stricter than the hand: `(a).f` may call the built-in function `f` with a
/// column `a`, which was seen to happen, so the field must be written as `a.f`.
const STRICTER: &[&str] = &["88 sql function attribute notation"];

/// A need as the hand writes it: of a digest only that there is one.
fn shown(need: &Need) -> String {
    let text = need.to_string();
    match text.split_once("sha256=") {
        Some((head, _)) => format!("{head}sha256=*"),
        None => text,
    }
}

#[test]
fn statements_need_what_was_found_by_hand() {
    let mut wrong = Vec::new();
    for entry in expected() {
        let demand = required(entry["statement"].as_str().unwrap());
        let list = |key: &str| -> Vec<String> {
            entry[key]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        let mut needs: Vec<_> = demand.needs.iter().map(shown).collect();
        needs.sort();
        let mut by_hand = list("required");
        by_hand.sort();
        let denied = !demand.denied.is_empty();
        let denied_by_hand =
            !list("denied").is_empty() || STRICTER.contains(&entry["id"].as_str().unwrap());
        if needs != by_hand || denied != denied_by_hand {
            wrong.push(format!(
                "{}\n  needs {needs:?}\n  hand  {by_hand:?}\n  denied {:?}",
                entry["id"], demand.denied
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn texts_that_would_harm_the_parser_are_refused_and_soon() {
    let million = |part: &str| part.repeat(MAX_BYTES / part.len());
    for (sql, words) in [
        (million("/*"), "comments"),
        (million("/*+"), "comments"),
        (million("create global temp table a();"), "GLOBAL TEMP"),
        (
            format!(
                "select {}1",
                million("-").replace('-', "- ").get(..900_000).unwrap()
            ),
            "memory exhausted",
        ),
        (
            format!("select 1{}", "+1".repeat(400_000)),
            "nests too deep",
        ),
        (
            format!("select 1{}", "::int".repeat(100_000)),
            "nests too deep",
        ),
        (
            format!("select 1{}", " union select 1".repeat(50_000)),
            "nests too deep",
        ),
        (
            format!("select {}1{}", "(select ".repeat(40), ")".repeat(40)),
            "nests too deep",
        ),
        (
            format!("select {}", "(".repeat(500_000)),
            "memory exhausted",
        ),
        (million(";"), "no statement"),
        ("x".repeat(MAX_BYTES + 1), "too long"),
        ("select '\0'".to_owned(), "NUL"),
        (String::new(), "no statement"),
        (" -- only a comment".to_owned(), "no statement"),
        ("select 1; select 2".to_owned(), "two statements"),
        ("\\! id".to_owned(), "syntax error"),
        ("select 'a".to_owned(), "unterminated"),
        ("select \"\"".to_owned(), "zero-length"),
    ] {
        let start = std::time::Instant::now();
        let demand = required(&sql);
        let said = demand
            .denied
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            said.contains(words),
            "{}: {said}",
            &sql[..40.min(sql.len())]
        );
        assert!(start.elapsed().as_secs() < 20, "{words}");
    }
    // the parser is still at work, from any thread
    let threads: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(|| required("select a from public.t")))
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().class, Class::Query);
    }
}

#[test]
fn as_much_nesting_as_people_write_is_read() {
    for sql in [
        format!("select 'a'{}", " || 'a'".repeat(40)),
        format!("select 1{}", " union all select 1".repeat(60)),
        format!("select {}1{}", "(select ".repeat(12), ")".repeat(12)),
        format!(
            "select 1 from a.t0{}",
            (1..40)
                .map(|n| format!(" join a.t{n} on true"))
                .collect::<String>()
        ),
        format!("select true{}", " and (true or false)".repeat(10_000)),
    ] {
        assert_eq!(required(&sql).denied, [], "{}", &sql[..60]);
    }
}
