use super::*;
use crate::guard::grants::{Grant, Kind};

mod attacks;
mod needs;
mod properties;
mod sound;

/// A file of `tests/statements/`.
fn by_hand(file: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let path = format!("{root}/../tests/statements/{file}");
    std::fs::read_to_string(path).unwrap()
}

/// The statements that were judged by hand, each with what it needs and why it is denied.
fn expected() -> Vec<serde_json::Value> {
    let text = by_hand("expected.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Each has one judgement, in the order of the file.
#[test]
fn every_statement_of_the_file_is_judged_by_hand() {
    let text = by_hand("statements.sql");
    let statements: Vec<_> = text
        .split("--@ ")
        .skip(1)
        .map(|part| part.split_once('\n').unwrap())
        .map(|(id, sql)| (id.to_owned(), sql.trim_end().to_owned()))
        .collect();
    let text = |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let judged: Vec<_> = expected()
        .iter()
        .map(|entry| (text(entry, "id"), text(entry, "statement")))
        .collect();
    assert_eq!(statements, judged);
}

/// Whether a reason has all the words that the hand writes of it.
fn says(denial: &Denial, hand: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .map(str::to_lowercase)
            .collect()
    };
    let said = words(&denial.what);
    words(hand).iter().all(|word| said.contains(word))
}

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
        let (denied, denied_by_hand) = (&demand.denied, list("denied"));
        let alike = denied.len() == denied_by_hand.len()
            && (denied_by_hand.iter()).all(|hand| denied.iter().any(|denial| says(denial, hand)))
            && (denied.iter()).all(|denial| denied_by_hand.iter().any(|hand| says(denial, hand)));
        if needs != by_hand || !alike {
            wrong.push(format!(
                "{}\n  needs {needs:?}\n  hand  {by_hand:?}\n  denied {denied:?}\n  hand   {denied_by_hand:?}",
                entry["id"]
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
