//! What the server says a statement touches and sets off, on a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cost;
mod reached;
mod resolved;
mod set_off;
#[path = "../support/wire.rs"]
mod wire;

use std::sync::LazyLock;

use wasmigrate::database::address::Address;
use wasmigrate::database::role::Actor;
use wasmigrate::database::{Failure, Session};
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::touched::{Columns, Effects, Function, Touched, Write};

static SERVER: LazyLock<Embedded> = LazyLock::new(|| {
    let server = Embedded::start(&Options::default()).expect("a PostgreSQL to test on");
    run(server.url("postgres"), async |session| {
        session.batch(include_str!("schema.sql")).await.unwrap();
    });
    server
});

/// Runs a test on a session of its own.
fn run<T>(url: String, test: impl AsyncFnOnce(&Session) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let address = Address::resolve(Some(&url), None, &|_: &str| None).unwrap();
        let session = Session::new(address.connect("touched").await.unwrap());
        let done = test(&session).await;
        session.close_connection().await;
        done
    })
}

/// The same in a transaction as the host opens it.
fn in_transaction<T>(test: impl AsyncFnOnce(&Session) -> T) -> T {
    run(SERVER.url("postgres"), async |session| {
        session
            .batch("BEGIN; SET LOCAL search_path = pg_catalog, pg_temp")
            .await
            .unwrap();
        test(session).await
    })
}

fn major() -> u32 {
    SERVER.version().split('.').next().unwrap().parse().unwrap()
}

async fn touches(session: &Session, sql: &str) -> Result<Touched, Failure> {
    let types = session.parameter_types(sql, Actor::Host).await?;
    session.touches(sql, &types, Actor::Host).await
}

fn columns(verb: &str, columns: &Columns) -> String {
    match columns {
        Columns::None => String::new(),
        Columns::All => format!(" {verb}(*)"),
        Columns::Some(columns) => {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            format!(" {verb}({})", names.join(","))
        }
    }
}

fn via(via: Option<&String>) -> String {
    via.map_or(String::new(), |via| format!(" <- {via}"))
}

fn of(extension: Option<&String>) -> String {
    extension.map_or(String::new(), |name| format!(" of {name}"))
}

fn call(function: &Function) -> String {
    let Function {
        schema,
        name,
        arguments,
        ..
    } = function;
    let definer = if function.security_definer {
        " definer"
    } else {
        ""
    };
    let extension = of(function.extension.as_ref());
    format!(
        "{schema}.{name}({}){definer}{extension}",
        arguments.join(", ")
    )
}

/// A line for each entry, sorted; built-in functions as `builtin`.
fn lines(touched: &Touched) -> Vec<String> {
    let mut lines = Vec::new();
    for relation in &touched.relations {
        let access = &relation.access;
        let delete = if access.delete { " delete" } else { "" };
        let children: Vec<String> = relation
            .children
            .iter()
            .map(|c| format!(" +{}", c.name))
            .collect();
        lines.push(format!(
            "{} {}.{}{}{}{}{delete}{}{}{}",
            relation.kind,
            relation.schema,
            relation.name,
            columns("read", &access.read),
            columns("insert", &access.insert),
            columns("update", &access.update),
            children.concat(),
            of(relation.extension.as_ref()),
            via(relation.via.as_ref()),
        ));
    }
    for function in &touched.functions {
        let verb = if function.builtin { "builtin" } else { "call" };
        lines.push(format!(
            "{verb} {}{}",
            call(function),
            via(function.via.as_ref())
        ));
    }
    for operator in &touched.operators {
        let function = operator.function.as_ref().map_or("?".into(), call);
        lines.push(format!(
            "operator {}.{} {function}{}{}",
            operator.schema,
            operator.name,
            of(operator.extension.as_ref()),
            via(operator.via.as_ref())
        ));
    }
    for found in &touched.types {
        let extension = of(found.extension.as_ref());
        lines.push(format!(
            "type {} {}.{}{extension}{}",
            found.kind,
            found.schema,
            found.name,
            via(found.via.as_ref())
        ));
    }
    for other in &touched.others {
        let schema = other.schema.as_deref().unwrap_or_default();
        let extension = of(other.extension.as_ref());
        lines.push(format!(
            "{} {schema}.{}{extension}{}",
            other.class,
            other.name,
            via(other.via.as_ref())
        ));
    }
    lines.sort();
    lines
}

/// A line for each effect, sorted; the writes that were asked about are left out.
fn effect_lines(effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    for table in effects.tables.iter().filter(|table| table.via.is_some()) {
        let columns = table
            .columns
            .as_ref()
            .map_or(String::new(), |c| format!("({})", c.join(",")));
        lines.push(format!(
            "{} {}.{}{columns}{}",
            table.verb,
            table.schema,
            table.name,
            via(table.via.as_ref())
        ));
    }
    for trigger in &effects.triggers {
        lines.push(format!(
            "fires {}{}",
            call(&trigger.function),
            via(trigger.function.via.as_ref())
        ));
    }
    for rule in &effects.rules {
        let instead = if rule.instead { " instead" } else { "" };
        lines.push(format!(
            "rule {} on {}.{}{instead}",
            rule.name, rule.schema, rule.table
        ));
    }
    for function in &effects.functions {
        lines.push(format!(
            "call {}{}",
            call(function),
            via(function.via.as_ref())
        ));
    }
    for sequence in &effects.sequences {
        lines.push(format!(
            "sequence {}.{} <- {}",
            sequence.schema, sequence.name, sequence.via
        ));
    }
    for other in &effects.others {
        lines.push(
            format!(
                "{} {}{}",
                other.class,
                other.name,
                of(other.extension.as_ref())
            ) + &via(other.via.as_ref()),
        );
    }
    lines.sort();
    lines
}

/// Tells of all rows of a table that do not come out, at once.
#[track_caller]
fn all_equal(rows: Vec<(String, Vec<String>, Vec<String>)>) {
    let mut wrong = String::new();
    for (what, expected, seen) in rows {
        if expected != seen {
            wrong += &format!("{what}\n  expected {expected:#?}\n  seen {seen:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[track_caller]
fn reaches(table: &[(&str, &[&str])]) {
    each(table, async |session, sql| {
        touches(session, sql).await.map(|touched| lines(&touched))
    });
}

/// The effects of what a statement writes.
#[track_caller]
fn sets_off(table: &[(&str, &[&str])]) {
    each(table, async |session, sql| {
        let writes = writes(session, sql).await;
        session
            .effects(&writes)
            .await
            .map(|effects| effect_lines(&effects))
    });
}

/// Asks about each statement of a table.
#[track_caller]
fn each(
    table: &[(&str, &[&str])],
    ask: impl AsyncFn(&Session, &str) -> Result<Vec<String>, Failure>,
) {
    let rows = in_transaction(async |session| {
        let mut rows = Vec::new();
        for (sql, expected) in table {
            let seen = ask(session, sql).await;
            let seen = seen.unwrap_or_else(|failure| vec![failure.to_string()]);
            let expected = expected.iter().map(|&line| line.to_owned()).collect();
            rows.push(((*sql).to_owned(), expected, seen));
        }
        rows
    });
    all_equal(rows);
}

async fn writes(session: &Session, sql: &str) -> Vec<Write> {
    touches(session, sql).await.expect(sql).writes()
}
