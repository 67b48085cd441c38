//! Many statements: several given at once run in order, as each would alone, and one that comes again and again is
//! analysed once.

use crate::probe::{self, Script};
use crate::support::{Database, server};

const TABLE: &str =
    "CREATE TABLE public.t (n int); INSERT INTO public.t SELECT generate_series(1, 5)";

fn index(name: &str) -> String {
    format!("CREATE INDEX {name} ON public.t (n)")
}

/// The notes that were logged, in order.
fn notes(stderr: &str) -> Vec<usize> {
    let note = |line: &str| {
        let (_, rest) = line.split_once("step ")?;
        rest.strip_suffix(" is done")?.parse().ok()
    };
    stderr.lines().filter_map(note).collect()
}

/// What one step makes, the next finds: also where the server must be asked whose it is and what it touches.
#[test]
fn they_run_in_order_and_tell_how_many_rows() {
    let database = Database::empty();
    database.sql(TABLE);
    let steps = [
        &index("first")[..],
        &index("second"),
        "DROP INDEX public.second",
        "CREATE TABLE public.v (n int)",
        "INSERT INTO public.v SELECT n FROM public.t WHERE n > 2",
        "ALTER TABLE public.t ADD COLUMN more int",
        "UPDATE public.t SET more = n",
        &index("second"),
    ];
    let script = Script::default().up("execute-all", &steps);
    let ended = script.run(&database).ok();
    assert_eq!(notes(&ended.stderr), [0, 1, 2, 3, 4, 5, 6, 7]);
    let affected: Vec<_> = probe::answers(&database)
        .into_iter()
        .filter_map(|answer| answer.value)
        .collect();
    assert_eq!(affected, ["0", "0", "0", "0", "3", "0", "5", "0"]);
    assert_eq!(
        database.value(
            "SELECT string_agg(indexname, ' ' ORDER BY 1) FROM pg_indexes WHERE tablename = 't'"
        ),
        "first second"
    );
    // and the eight answers of the probe
    assert_eq!(
        database.value("SELECT rows_affected FROM wasmigrate.migration"),
        "16"
    );
}

#[test]
fn the_first_failure_ends_them_and_is_told_of_its_own_statement() {
    let database = Database::empty();
    database.sql(TABLE);
    let many: Vec<String> = (0..70).map(|number| index(&format!("i{number}"))).collect();
    let mut steps: Vec<&str> = many.iter().map(String::as_str).collect();
    steps[66] = "CREATE INDEX i66 ON public.t (nowhere)";
    let script = Script::default().up("execute-all", &steps);
    let ended = script.fails(&database, 6, "statement-failed", "nowhere");
    assert!(ended.stderr.contains("i66 ON"), "{ended:?}");
    // more than are on their way at once, and none behind the failure
    assert_eq!(notes(&ended.stderr), (0..66).collect::<Vec<_>>());
}

#[test]
fn one_that_is_not_granted_stops_those_before_it() {
    let database = Database::empty();
    database.sql(TABLE);
    let (first, last) = (index("first"), index("last"));
    let steps = [&first[..], "ANALYZE public.t", &last];
    let script = Script::default().up("execute-all", &steps);
    let ended = script.fails(&database, 7, "grant-denied", "analyze public.t");
    assert!(notes(&ended.stderr).is_empty(), "{ended:?}");
}

/// The command behind it runs as the owner, and the failure is still that of the run role.
#[test]
fn what_the_run_role_may_not_do_is_told_as_not_granted() {
    let database = Database::empty();
    database.sql(&format!(
        "{TABLE}; CREATE TABLE public.hidden (n int);
         CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO public.hidden VALUES (1); RETURN NEW; END';
         CREATE TRIGGER hides BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION public.nothing()"
    ));
    // the owners are known from the first on, so that the last is told by its text
    let (first, last) = (index("first"), index("last"));
    let steps = [&first[..], "UPDATE public.t SET n = 0", &last];
    let script = Script::default().up("execute-all", &steps);
    let ended = script.fails(&database, 7, "grant-denied", "hidden");
    assert!(
        ended.stderr.contains("does more than up is granted"),
        "{ended:?}"
    );
}

/// How often the server was asked what a statement touches, its log tells.
#[test]
fn a_statement_that_comes_again_is_analysed_once() {
    let database = Database::empty();
    database.sql(TABLE);
    database.sql(&format!(
        "ALTER DATABASE {} SET log_statement = 'ddl'",
        database.name
    ));
    let sql = "UPDATE public.t SET n = n WHERE n = $1 AND 'the marked statement' <> ''";
    let script = Script::default().up("repeat", &["10000", sql, "i:3"]);
    assert_eq!(script.words(&database), [["10000"]]);
    let log = server().log();
    let asked =
        |line: &&str| line.contains("wasmigrate_probe") && line.contains("the marked statement");
    assert_eq!(log.lines().filter(asked).count(), 1);
}
