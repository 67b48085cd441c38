//! The run role on a real server: it may do what was granted, and nothing of it is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::time::{Duration, Instant};

use support::{Place, begin, connect, refusal, value};
use wasmigrate::database::locks::Backend;
use wasmigrate::database::role::{
    self, Actor, Entered, Kind, Privileges, Role, Routine, TablePrivilege, Verb,
};
use wasmigrate::database::{Failure, Reading, Session};

const TABLES: &str = r#"
CREATE TABLE public.logs (id serial PRIMARY KEY, a integer, b integer, "Note" text);
CREATE TABLE public.patients (id integer PRIMARY KEY, name text, ssn text);
CREATE TABLE public.secret (v text);
CREATE SEQUENCE public.numbers; ALTER SEQUENCE public.numbers OWNER TO :owner;
CREATE FUNCTION public.answer(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
ALTER FUNCTION public.answer(integer) OWNER TO :owner;
REVOKE EXECUTE ON FUNCTION public.answer(integer) FROM PUBLIC;
CREATE FUNCTION public.who() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE SCHEMA "inner" AUTHORIZATION :owner;
CREATE TABLE "inner".t (a integer);
CREATE SCHEMA wasmigrate; REVOKE ALL ON SCHEMA wasmigrate FROM PUBLIC;
CREATE TABLE wasmigrate.history (id integer);
INSERT INTO public.logs (a) SELECT generate_series(1, 9);
INSERT INTO public.patients VALUES (1, 'n', 's');
"#;

fn on(name: &str, verb: Verb, columns: &[&str]) -> TablePrivilege {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    TablePrivilege {
        schema: schema.into(),
        name: name.into(),
        verb,
        columns: columns.iter().map(|column| (*column).into()).collect(),
    }
}

fn tables(list: &[(&str, Verb, &[&str])]) -> Privileges {
    Privileges {
        tables: list
            .iter()
            .map(|(name, verb, columns)| on(name, *verb, columns))
            .collect(),
        ..Privileges::default()
    }
}

async fn enter(session: &Session, privileges: &Privileges) -> Role {
    let pid = value(session, "SELECT pg_backend_pid()::text").await;
    let backend = Backend {
        pid: pid.parse().unwrap(),
        ..Backend::default()
    };
    let name = role::name(Some(1), &backend);
    match session.enter_role(privileges, &name).await.unwrap() {
        Entered::Role(role) => role,
        other => panic!("{other:?}"),
    }
}

/// Runs a statement as the role in a savepoint of its own.
async fn as_role(session: &Session, role: &Role, sql: &str) -> Result<u64, Failure> {
    session.batch("SAVEPOINT tried").await.unwrap();
    let (_, done, _) = tokio::join!(
        biased;
        session.act_as(Actor::Run(role)),
        session.execute(sql, &[]),
        session.act_as(Actor::Host),
    );
    session.batch("ROLLBACK TO tried").await.unwrap();
    done
}

async fn allows(session: &Session, role: &Role, list: &[&str]) {
    for sql in list {
        as_role(session, role, sql).await.expect(sql);
    }
}

async fn denies(session: &Session, role: &Role, list: &[&str]) {
    for sql in list {
        let done = as_role(session, role, sql).await;
        assert!(done.is_err(), "allowed: {sql}");
        let refused = refusal(done);
        assert_eq!(refused.sqlstate, "42501", "{sql}: {}", refused.message);
    }
}

#[tokio::test]
async fn each_privilege_is_what_was_granted() {
    let place = Place::with(TABLES).await;
    for session in place.both().await {
        begin(&session).await;
        let role = enter(
            &session,
            &Privileges {
                tables: vec![
                    on("logs", Verb::Select, &["id", "Note"]),
                    on("logs", Verb::Update, &["a"]),
                    on("patients", Verb::Select, &[]),
                    on("patients", Verb::Select, &["name"]),
                    on("patients", Verb::Delete, &[]),
                    on("inner.t", Verb::Insert, &[]),
                ],
                sequences: vec![("public".into(), "numbers".into())],
                routines: vec![Routine {
                    schema: "public".into(),
                    name: "answer".into(),
                    arguments: vec!["int4".into()],
                }],
                ..Privileges::default()
            },
        )
        .await;
        assert!(role.absent().is_empty());
        allows(
            &session,
            &role,
            &[
                "SELECT id, \"Note\" FROM public.logs",
                "SELECT count(*) FROM public.logs",
                "UPDATE public.logs SET a = 1 WHERE id = 1",
                "SELECT * FROM public.patients",
                "DELETE FROM public.patients WHERE id = 1",
                "INSERT INTO \"inner\".t VALUES (1)",
                "SELECT nextval('public.numbers')",
                "SELECT public.answer(1)",
            ],
        )
        .await;
        denies(
            &session,
            &role,
            &[
                "SELECT * FROM public.logs",
                "SELECT l FROM public.logs l",
                "SELECT a FROM public.logs",
                "UPDATE public.logs SET b = 1",
                "UPDATE public.logs SET a = b",
                "DELETE FROM public.logs",
                "INSERT INTO public.logs (a) VALUES (1)",
                "TRUNCATE public.patients",
                "UPDATE public.patients SET name = ''",
                "SELECT * FROM public.patients FOR UPDATE",
                "SELECT * FROM \"inner\".t",
                "SELECT * FROM public.secret",
                "SELECT setval('public.numbers', 1)",
                "SELECT nextval('public.logs_id_seq')",
                "SELECT * FROM wasmigrate.history",
                "INSERT INTO wasmigrate.history VALUES (1)",
                "CREATE TABLE public.made (a integer)",
                "CREATE INDEX ON public.patients (name)",
                "ALTER TABLE public.logs ADD c integer",
                "DROP TABLE public.patients",
                "LOCK TABLE public.secret IN ACCESS EXCLUSIVE MODE",
                "GRANT SELECT ON public.secret TO PUBLIC",
                "CREATE ROLE evil",
                "SELECT rolpassword FROM pg_catalog.pg_authid",
            ],
        )
        .await;
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn inserting_includes_the_sequence_of_a_serial_column() {
    let place = Place::with(TABLES).await;
    for session in place.both().await {
        begin(&session).await;
        let privileges = tables(&[("logs", Verb::Insert, &["a"])]);
        let role = enter(&session, &privileges).await;
        let with_default = "INSERT INTO public.logs (a) VALUES (1)";
        allows(&session, &role, &[with_default]).await;
        let others = ["INSERT INTO public.logs (a, b) VALUES (1, 2)"];
        denies(&session, &role, &others).await;
        denies(&session, &role, &["SELECT nextval('public.numbers')"]).await;
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_however_the_run_ends() {
    let place = Place::with(TABLES).await;
    let before = place.dump();
    let privileges = Privileges {
        sequences: vec![("public".into(), "numbers".into())],
        ..tables(&[
            ("logs", Verb::Select, &["id"]),
            ("logs", Verb::Insert, &[]),
            ("patients", Verb::Select, &[]),
            ("inner.t", Verb::Delete, &[]),
        ])
    };
    let watcher = place.superuser().await;
    let left = "SELECT count(*)::text FROM pg_roles WHERE rolname LIKE 'wasmigrate_run%'";
    for ending in ["COMMIT", "ROLLBACK", "drop", "kill"] {
        for session in place.both().await {
            begin(&session).await;
            let role = enter(&session, &privileges).await;
            assert_eq!(value(&session, left).await, "1");
            assert_eq!(value(&watcher, left).await, "0", "seen by others");
            // what was renamed since is taken back too
            let owner = format!(
                "SET LOCAL ROLE \"{}\"; ALTER TABLE public.patients RENAME TO people; SET LOCAL ROLE NONE",
                place.owner
            );
            session.batch(&owner).await.unwrap();
            match ending {
                "drop" => drop(session),
                "kill" => {
                    let pid = value(&session, "SELECT pg_backend_pid()::text").await;
                    let kill = format!("SELECT pg_terminate_backend({pid}, 60000)");
                    watcher.batch(&kill).await.unwrap();
                }
                end => {
                    let (settled, dropped) = tokio::join!(
                        biased;
                        session.settle_role(&role),
                        session.drop_role(&role),
                    );
                    settled.unwrap();
                    dropped.unwrap();
                    let owner = format!(
                        "SET LOCAL ROLE \"{}\"; ALTER TABLE public.people RENAME TO patients; SET LOCAL ROLE NONE",
                        place.owner
                    );
                    session.batch(&owner).await.unwrap();
                    session.batch(end).await.unwrap();
                }
            }
            assert_eq!(value(&watcher, left).await, "0");
            assert_eq!(place.dump(), before, "{ending}");
        }
    }
}

#[tokio::test]
async fn a_deferred_trigger_and_a_fetched_function_run_as_the_role() {
    let sql = format!(
        "{TABLES} CREATE TABLE public.seen (who text);
        CREATE FUNCTION public.tf() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER DELETE ON public.logs DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION public.tf();"
    );
    let place = Place::with(&sql).await;
    let privileges = tables(&[
        ("logs", Verb::Select, &[]),
        ("logs", Verb::Delete, &[]),
        ("seen", Verb::Insert, &[]),
    ]);
    for mut session in place.both().await {
        begin(&session).await;
        let role = enter(&session, &privileges).await;
        session.act_as(Actor::Run(&role)).await.unwrap();
        let query = "SELECT public.who() FROM public.logs";
        let mut rows = session.query(query, &[], Reading::Cursor).await.unwrap();
        let batch = session.next(&mut rows).await.unwrap().unwrap();
        let text = format!("{:?}", batch.columns[0].data);
        session.close(&mut rows).await.unwrap();
        let expected: Vec<u8> = role.name().bytes().collect();
        let expected = format!("{expected:?}");
        assert!(text.contains(expected.trim_matches(['[', ']'])), "{text}");
        session
            .execute("DELETE FROM public.logs WHERE id = 9", &[])
            .await
            .unwrap();
        session.act_as(Actor::Host).await.unwrap();
        session.settle_role(&role).await.unwrap();
        session.act_as(Actor::Host).await.unwrap();
        let who = value(&session, "SELECT who FROM public.seen").await;
        assert_eq!(who, role.name());
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_verification_is_read_only_for_good() {
    let place = Place::with(TABLES).await;
    for session in place.both().await {
        begin(&session).await;
        let privileges = tables(&[("logs", Verb::Select, &[]), ("logs", Verb::Delete, &[])]);
        let role = enter(&session, &privileges).await;
        session.go_read_only().await.unwrap();
        session.act_as(Actor::Run(&role)).await.unwrap();
        let first = session.execute("SET TRANSACTION READ WRITE", &[]).await;
        assert_eq!(refusal(first).sqlstate, "25001");
        session.batch("ROLLBACK").await.unwrap();

        begin(&session).await;
        let role = enter(&session, &privileges).await;
        session.go_read_only().await.unwrap();
        allows(&session, &role, &["SELECT * FROM public.logs"]).await;
        let write = as_role(&session, &role, "DELETE FROM public.logs").await;
        assert_eq!(refusal(write).sqlstate, "25006");
        let back = as_role(&session, &role, "SET TRANSACTION READ WRITE").await;
        assert_eq!(refusal(back).sqlstate, "25001");
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_table_made_by_the_run_is_granted_on_later() {
    let place = Place::with(TABLES).await;
    for session in place.both().await {
        begin(&session).await;
        let privileges = tables(&[
            ("made", Verb::Select, &[]),
            ("later.t", Verb::Select, &[]),
            ("logs", Verb::Select, &[]),
        ]);
        let mut role = enter(&session, &privileges).await;
        assert_eq!(role.absent(), ["later.t", "public.made"]);
        session
            .batch("CREATE TABLE public.made (a integer)")
            .await
            .unwrap();
        denies(&session, &role, &["SELECT * FROM public.made"]).await;
        session.extend_role(&mut role, &privileges).await.unwrap();
        assert_eq!(role.absent(), ["later.t"]);
        allows(&session, &role, &["SELECT * FROM public.made"]).await;
        session.drop_role(&role).await.unwrap();
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_login_that_cannot_is_told_why() {
    let place = Place::with(TABLES).await;
    let postgres = place.superuser().await;
    let privileges = tables(&[("logs", Verb::Select, &[])]);
    let plain = format!("plain_{}", place.least);
    let sql = format!("CREATE ROLE {plain} LOGIN IN ROLE \"{}\"", place.owner);
    postgres.batch(&sql).await.unwrap();
    let session = connect(&plain, &place.database).await;
    begin(&session).await;
    match session
        .enter_role(&privileges, "wasmigrate_run_1_1")
        .await
        .unwrap()
    {
        Entered::Unavailable(why) => {
            assert_eq!(why, format!("the login {plain} does not have CREATEROLE"));
        }
        other => panic!("{other:?}"),
    }
    // the transaction is as it was
    assert_eq!(value(&session, "SELECT 'well'").await, "well");

    postgres
        .batch("ALTER TABLE public.secret OWNER TO postgres")
        .await
        .unwrap();
    let least = place.least().await;
    begin(&least).await;
    let privileges = tables(&[("secret", Verb::Select, &[])]);
    match least.enter_role(&privileges, "wasmigrate_run_1_1").await {
        Err(Failure::Unusable(why)) => {
            assert!(
                why.contains("public.secret") && why.contains("belongs to postgres"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
    for schema in ["wasmigrate", "pg_catalog", "information_schema"] {
        let privileges = Privileges {
            schemas: vec![schema.into()],
            ..Privileges::default()
        };
        let refused = postgres.enter_role(&privileges, "wasmigrate_run_1_1").await;
        assert!(matches!(refused, Err(Failure::Unusable(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn two_sessions_that_grant_on_one_table_contend() {
    let place = Place::with(TABLES).await;
    let privileges = tables(&[("logs", Verb::Select, &[])]);
    for end in ["COMMIT", "ROLLBACK"] {
        let (first, second) = (place.superuser().await, place.least().await);
        begin(&first).await;
        let role = enter(&first, &privileges).await;
        begin(&second).await;
        let sql = "SAVEPOINT s; SET LOCAL lock_timeout = '50ms'";
        second.batch(sql).await.unwrap();
        let waited = refusal(second.enter_role(&privileges, "wasmigrate_run_2_2").await);
        assert!(waited.is_contention(), "{waited:?}");
        assert_eq!(waited.sqlstate, "55P03");
        second.batch("ROLLBACK TO s").await.unwrap();
        let finish = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            first.drop_role(&role).await.unwrap();
            first.batch(end).await.unwrap();
        };
        let (entered, ()) =
            tokio::join!(second.enter_role(&privileges, "wasmigrate_run_2_2"), finish);
        if end == "COMMIT" {
            let lost = refusal(entered);
            assert!(lost.is_contention(), "{lost:?}");
        } else {
            assert!(matches!(entered.unwrap(), Entered::Role(_)));
        }
        second.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn ddl_runs_as_the_owner() {
    let place = Place::with(TABLES).await;
    for session in place.both().await {
        begin(&session).await;
        let asked = [
            (Kind::Relation, "public", "logs"),
            (Kind::Relation, "public", "nothing"),
            (Kind::Schema, "inner", ""),
            (Kind::Relation, "wasmigrate", "history"),
        ];
        let owners = session.owners(&asked).await.unwrap();
        let names: Vec<(usize, &str)> = owners
            .iter()
            .map(|owner| (owner.place, owner.owner.as_str()))
            .collect();
        assert_eq!(
            names,
            [(0, &*place.owner), (2, &*place.owner), (3, "postgres")]
        );
        let superuser = value(&session, "SELECT current_setting('is_superuser')").await == "on";
        assert!(owners[0].may_act && owners[0].may_create && !owners[0].is_login);
        assert_eq!(
            (owners[2].may_act, owners[2].is_login),
            (superuser, superuser)
        );
        let (switched, locked, made, back) = tokio::join!(
            biased;
            session.act_as(Actor::Owner(&owners[0])),
            session.execute("LOCK TABLE public.logs IN SHARE MODE", &[]),
            session.execute("CREATE INDEX logs_a ON public.logs (a)", &[]),
            session.act_as(Actor::Host),
        );
        for done in [switched, locked.map(|_| ()), made.map(|_| ()), back] {
            done.unwrap();
        }
        session.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn what_public_holds_is_told() {
    let place = Place::with(TABLES).await;
    let session = place.superuser().await;
    assert!(session.open_to_public().await.unwrap().is_empty());
    session
        .batch("GRANT SELECT (v) ON public.secret TO PUBLIC; GRANT INSERT ON \"inner\".t TO PUBLIC")
        .await
        .unwrap();
    let open = session.open_to_public().await.unwrap();
    assert_eq!(open, ["\"inner\".t", "public.secret"]);
    let long = tables(&[(&"x".repeat(64), Verb::Select, &[])]);
    let cut = session.enter_role(&long, "wasmigrate_run_1_1").await;
    assert!(matches!(cut, Err(Failure::Unusable(_))), "{cut:?}");
}

#[tokio::test]
#[ignore = "measures"]
async fn what_it_costs() {
    let place = Place::with(TABLES).await;
    let privileges = tables(&[
        ("logs", Verb::Select, &[]),
        ("logs", Verb::Delete, &[]),
        ("patients", Verb::Select, &[]),
        ("patients", Verb::Insert, &[]),
        ("inner.t", Verb::Insert, &[]),
        ("secret", Verb::Update, &["v"]),
    ]);
    for session in place.both().await {
        let mut times: [Vec<Duration>; 4] = Default::default();
        for _ in 0..100 {
            begin(&session).await;
            let start = Instant::now();
            let role = enter(&session, &privileges).await;
            times[0].push(start.elapsed());
            let start = Instant::now();
            let (a, b, c) = tokio::join!(biased;
                session.act_as(Actor::Run(&role)),
                session.execute("SELECT 1", &[]),
                session.act_as(Actor::Host));
            a.unwrap();
            b.unwrap();
            c.unwrap();
            times[1].push(start.elapsed());
            let start = Instant::now();
            session.execute("SELECT 1", &[]).await.unwrap();
            times[2].push(start.elapsed());
            let start = Instant::now();
            let (a, b) = tokio::join!(biased; session.settle_role(&role), session.drop_role(&role));
            a.unwrap();
            b.unwrap();
            times[3].push(start.elapsed());
            session.batch("COMMIT").await.unwrap();
        }
        for (what, times) in ["enter", "switch and back", "SELECT 1", "leave"]
            .iter()
            .zip(&mut times)
        {
            times.sort();
            println!("{what}: median {:?}, p90 {:?}", times[50], times[90]);
        }
    }
}
