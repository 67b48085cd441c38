//! Run roles for the tests.

use wasmigrate::database::locks::Backend;
use wasmigrate::database::role::{self, Actor, Entered, Privileges, Role, TablePrivilege, Verb};
use wasmigrate::database::{Failure, Session};

use super::{refusal, value};

pub const TABLES: &str = r#"
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

pub fn on(name: &str, verb: Verb, columns: &[&str]) -> TablePrivilege {
    let (schema, name) = name.split_once('.').unwrap_or(("public", name));
    TablePrivilege {
        schema: schema.into(),
        name: name.into(),
        verb,
        columns: columns.iter().map(|column| (*column).into()).collect(),
    }
}

pub fn tables(list: &[(&str, Verb, &[&str])]) -> Privileges {
    Privileges {
        tables: list
            .iter()
            .map(|(name, verb, columns)| on(name, *verb, columns))
            .collect(),
        ..Privileges::default()
    }
}

pub async fn enter(session: &Session, privileges: &Privileges) -> Role {
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
pub async fn as_role(session: &Session, role: &Role, sql: &str) -> Result<u64, Failure> {
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

pub async fn allows(session: &Session, role: &Role, list: &[&str]) {
    for sql in list {
        as_role(session, role, sql).await.expect(sql);
    }
}

pub async fn denies(session: &Session, role: &Role, list: &[&str]) {
    for sql in list {
        let done = as_role(session, role, sql).await;
        assert!(done.is_err(), "allowed: {sql}");
        let refused = refusal(done);
        assert_eq!(refused.sqlstate, "42501", "{sql}: {}", refused.message);
    }
}
