//! Open results: batches, several at once, statements between them, and what runs into them.

use crate::guests::{change_manifest, file_of};
use crate::probe::{self, Script};
use crate::support::{Database, only};

#[test]
fn many_and_wide_rows_arrive_whole() {
    let database = Database::empty();
    database.sql(
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok');
         CREATE TABLE public.many (n int, t text, b bytea, f float8, w timestamptz, q numeric, m public.mood);
         INSERT INTO public.many SELECT n, CASE WHEN n % 7 <> 0 THEN 'row ' || n END, decode(lpad(to_hex(n), 8, '0'), 'hex'),
             n / 3.0, CASE n WHEN 5 THEN 'infinity' ELSE timestamptz '2000-01-01 00:00+00' + n * interval '1 s' END,
             CASE WHEN n % 3 <> 0 THEN n / 7.0 END, CASE WHEN n % 2 = 0 THEN 'ok' ELSE 'sad' END::public.mood
         FROM generate_series(1, 25000) AS n;
         CREATE TABLE public.wide (n int, t text);
         INSERT INTO public.wide SELECT n, repeat(chr(64 + n), 3000000) FROM generate_series(1, 25) AS n;
         CREATE TABLE public.many_again (LIKE public.many);
         CREATE TABLE public.many_returned (LIKE public.many);
         CREATE TABLE public.wide_again (LIKE public.wide)",
    );
    let words = Script::default()
        .up(
            "copy-query",
            &["SELECT * FROM public.many", "public", "many_again", ""],
        )
        .up(
            "copy-query",
            &[
                "UPDATE public.many SET n = n RETURNING *",
                "public",
                "many_returned",
                "n,t,b,f,w,q,m",
            ],
        )
        .up(
            "copy-query",
            &["SELECT * FROM public.wide", "public", "wide_again", ""],
        )
        .up("sizes", &["SELECT n, b FROM public.many"])
        .up("sizes", &["SELECT n, q FROM public.many"])
        .up("sizes", &["SELECT t FROM public.wide"])
        .words(&database);
    assert_eq!(words[0], ["25000"]);
    assert_eq!(words[1], ["25000"]);
    assert_eq!(words[2], ["25"]);
    for (words, rows) in words[3..].iter().zip([25_000, 25_000, 25]) {
        let sizes: Vec<u32> = words.iter().map(|word| word.parse().unwrap()).collect();
        assert!(sizes.len() > 1, "{sizes:?}");
        assert_eq!(sizes.iter().sum::<u32>(), rows, "{sizes:?}");
    }
    let original = database.checksum("public.many");
    assert_eq!(database.checksum("public.many_again"), original);
    assert_eq!(database.checksum("public.many_returned"), original);
    assert_eq!(
        database.checksum("public.wide_again"),
        database.checksum("public.wide")
    );
}

#[test]
fn a_batch_over_its_bytes_names_the_key() {
    let database = Database::empty();
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        format!("{manifest}\n[limits]\nrow-bytes = \"64KiB\"\n")
    });
    let sql = |bytes: u32| format!("SELECT repeat('x', {bytes}) FROM generate_series(1, 1)");
    let insert = |bytes: u32| {
        format!("INSERT INTO public.t VALUES (repeat('x', {bytes})) RETURNING t, NULL::numeric")
    };
    database.sql("CREATE TABLE public.t (t text)");
    let fits = Script::default()
        .up("query", &[&sql(65_536)])
        .up("query", &[&insert(65_536)]);
    fits.write(&database);
    database.run(folder.path(), &["up"]).ok();
    database.run(folder.path(), &["down"]).ok();
    for past in [sql(65_537), insert(65_537)] {
        Script::default().up("query", &[&past]).write(&database);
        let ended = database
            .run(folder.path(), &["up"])
            .failed(7, "limit-row-bytes");
        assert!(ended.stderr.contains("row-bytes = 64KiB"), "{ended:?}");
    }
}

#[test]
fn several_results_are_open_at_once() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t AS SELECT n FROM generate_series(1, 40) AS n; CREATE TABLE public.u (n int)");
    let words = Script::default()
        .up("open", &["a", "SELECT n FROM public.t ORDER BY n"])
        .up(
            "open",
            &[
                "b",
                "SELECT n::numeric FROM public.t WHERE n > $1 ORDER BY n DESC",
                "i:30",
            ],
        )
        .up(
            "open",
            &["c", "DELETE FROM public.t WHERE n = 40 RETURNING n"],
        )
        .up("next", &["a"])
        .up("next", &["b"])
        .up("execute", &["INSERT INTO public.t SELECT 1000"])
        .up("execute", &["CREATE TABLE public.v AS SELECT 1 AS one"])
        .up(
            "require-no-rows",
            &["nothing", "SELECT n FROM public.t WHERE n = 40"],
        )
        .up("copy-open", &["public", "u", "n"])
        .up("copy-write", &["5"])
        .up("copy-finish", &[])
        .up("read-on", &["a"])
        .up("next", &["b"])
        .up("next", &["c"])
        .up("next", &["c"])
        .up("next", &["a"])
        .up("next", &["a"])
        .up("drop", &["b"])
        .up("execute", &["ALTER TABLE public.t ADD COLUMN more text"])
        .words(&database);
    // the cursors see what was there when they were opened
    let first: Vec<String> = (1..=16).map(|n| n.to_string()).collect();
    assert_eq!(words[3], first);
    assert_eq!(words[4].len(), 10);
    assert_eq!(words[4][0], "40");
    assert_eq!(words[11], ["24"]);
    assert_eq!(words[12], ["end"]);
    assert_eq!(words[13], ["40"]);
    for after in [14, 15, 16] {
        assert_eq!(words[after], ["end"]);
    }
    assert_eq!(database.value("SELECT count(*) FROM public.u"), "1");
}

#[test]
fn empty_results_and_equal_names() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t (n int, q numeric)");
    let answers = Script::default()
        .up("query", &["SELECT * FROM public.t"])
        .up("query", &["SELECT n FROM public.t"])
        .up("query", &["DELETE FROM public.t RETURNING n"])
        .up("query", &["DELETE FROM public.t RETURNING q"])
        .up(
            "query",
            &["SELECT 1 AS a, 2 AS a, 3.5 AS a, 'x' AS \"a\", NULL AS \"A b\""],
        )
        .up("execute", &["SELECT FROM generate_series(1, 3)"])
        .up("query", &["VALUES (1, 'a'), (2, 'b')"])
        .up("query", &["TABLE public.t"])
        .up("query", &["SELECT public.setting('server_version_num')"])
        .answers(&database);
    let fifth: Vec<_> = answers.iter().filter(|answer| answer.step == 5).collect();
    let names: Vec<_> = fifth.iter().map(|answer| answer.name.as_str()).collect();
    assert_eq!(names, ["a", "a", "a", "a", "A b"]);
    let types: Vec<_> = fifth
        .iter()
        .map(|answer| answer.type_name.as_str())
        .collect();
    assert_eq!(types, ["int4", "int4", "numeric", "text", "text"]);
    let steps: Vec<_> = answers.iter().map(|answer| answer.step).collect();
    assert!(
        steps.iter().all(|step| [5, 6, 7, 9].contains(step)),
        "{steps:?}"
    );
    assert_eq!(steps.iter().filter(|step| **step == 7).count(), 4);
}

#[test]
fn a_statement_that_changes_what_open_rows_read_is_named() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t AS SELECT n FROM generate_series(1, 5000) AS n");
    for ddl in [
        "ALTER TABLE public.t ADD COLUMN x int",
        "DROP TABLE public.t",
        "TRUNCATE public.t",
        "CREATE INDEX ON public.t (n)",
    ] {
        Script::default()
            .up("open", &["a", "SELECT n FROM public.t"])
            .up("next", &["a"])
            .up("execute", &[ddl])
            .fails(&database, 6, "rows-open", "drain or drop the rows first");
    }
    // read to the end, or dropped, they are in nobody's way
    Script::default()
        .up("open", &["a", "SELECT n FROM public.t"])
        .up("read-on", &["a"])
        .up("open", &["b", "SELECT n FROM public.t"])
        .up("next", &["b"])
        .up("drop", &["b"])
        .up("execute", &["ALTER TABLE public.t ADD COLUMN x int"])
        .answers(&database);
}

#[test]
fn rows_that_nobody_reads_block_nothing() {
    let database = Database::empty();
    // more than a connection buffers, of a type that the client would have to ask for
    database.sql(
        "CREATE TYPE public.mood AS ENUM ('sad', 'ok');
         CREATE TABLE public.t AS SELECT n, 'sad'::public.mood AS m, repeat('x', 100) AS t FROM generate_series(1, 50000) AS n",
    );
    let words = Script::default()
        .up("execute", &["UPDATE public.t SET m = 'ok' RETURNING m, t"])
        .up("execute", &["SELECT m, t FROM public.t"])
        .up("open", &["a", "SELECT m, t FROM public.t"])
        .up("next", &["a"])
        .words(&database);
    assert_eq!(words[0], ["50000"]);
    assert_eq!(words[1], ["50000"]);
    Script::default()
        .up("require-no-rows", &["nothing", "SELECT m, t FROM public.t"])
        .fails(
            &database,
            6,
            "check-failed",
            "expected no row, seen 50000 rows",
        );
}

#[test]
fn rows_are_locked_and_changed_as_they_are_read() {
    let database = Database::empty();
    database.sql("CREATE TABLE public.t AS SELECT n FROM generate_series(1, 3) AS n");
    let words = Script::default()
        .up("query", &["SELECT n FROM public.t ORDER BY n FOR UPDATE"])
        .up("query", &["WITH gone AS (DELETE FROM public.t WHERE n = 2 RETURNING n) SELECT n FROM gone"])
        .up("query", &["WITH more AS (SELECT 9 AS n) INSERT INTO public.t SELECT n FROM more RETURNING n, n::numeric"])
        .up("query", &["SELECT count(*) FROM public.t"])
        .words(&database);
    assert_eq!(
        words,
        [vec!["1", "2", "3"], vec!["2"], vec!["9", "9"], vec!["3"]]
    );
    // what the statements changed counts, what they only read does not
    let script = Script::default()
        .up("execute", &["SELECT n FROM public.t"])
        .up("query", &["SELECT n FROM public.t"])
        .up("execute", &["UPDATE public.t SET n = n"])
        .up("query", &["UPDATE public.t SET n = n RETURNING n"])
        .up("query", &["UPDATE public.t SET n = n RETURNING n::numeric"])
        .up("copy-open", &["public", "t", "n"])
        .up("copy-write", &["10"])
        .up("copy-finish", &[]);
    script.write(&database);
    database.run(probe::folder(), &["up"]).ok();
    let answers = probe::answers(&database).len() as u64;
    let affected: u64 = database
        .value("SELECT rows_affected FROM wasmigrate.migration")
        .parse()
        .unwrap();
    assert_eq!(affected - answers, 3 + 3 + 3 + 1);
}

#[test]
fn the_servers_time_is_not_the_guests() {
    let database = Database::empty();
    let folder = only(probe::folder(), &[probe::VERSION]);
    change_manifest(&file_of(folder.path(), probe::VERSION), |manifest| {
        format!("{manifest}\n[limits]\nguest-time = \"400ms\"\n")
    });
    // five times the limit, all of it the server's
    Script::default()
        .up("execute", &["SELECT public.pause(1)"])
        .up("query", &["SELECT public.pause(1)"])
        .write(&database);
    database.run(folder.path(), &["up"]).ok();
    database.run(folder.path(), &["down"]).ok();
    Script::default()
        .up("execute", &["SELECT public.pause(0.1)"])
        .up("compute", &["100000000000"])
        .write(&database);
    database
        .run(folder.path(), &["up"])
        .failed(7, "limit-guest-time");
}
