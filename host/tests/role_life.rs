//! The life of a run role on a real server: what runs as it, how it ends, whom it disturbs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::time::Duration;

use support::role::{TABLES, allows, as_role, enter, tables};
use support::{Place, begin, refusal, value};
use wasmigrate::database::Reading;
use wasmigrate::database::role::{Actor, Entered, Privileges, Verb};

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
    for session in place.both().await {
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
        session.go_read_only().await.unwrap();
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
