//! The run role on a real server: it may do what was granted, and no more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use support::role::{TABLES, allows, denies, enter, on, tables};
use support::{Place, begin, connect, value};
use wasmigrate::database::Failure;
use wasmigrate::database::role::{Actor, Entered, Kind, Privileges, Routine, Verb};

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
                "SELECT currval('public.numbers')",
                "SELECT setval('public.numbers', 1)",
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
