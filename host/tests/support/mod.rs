//! A server for the tests of a file, and sessions on it as the library makes them.
#![allow(dead_code, reason = "each file uses a part")]

pub mod role;

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmigrate::database::address::Address;
use wasmigrate::database::{Failure, Refusal, Session};
use wasmigrate::embedded::{Embedded, Options};

static SERVER: LazyLock<Embedded> =
    LazyLock::new(|| Embedded::start(&Options::default()).expect("a PostgreSQL to test on"));
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A database of its own with the roles of its own: `owner` owns it and its tables, `least` is the least login.
pub struct Place {
    pub database: String,
    pub owner: String,
    pub least: String,
}

impl Place {
    /// Makes one and runs `sql` in it as the superuser, then gives all tables in `public` to the owner.
    pub async fn with(sql: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            database: format!("t{number}"),
            owner: format!("owner {number}"),
            least: format!("least_{number}"),
        };
        let Place {
            database,
            owner,
            least,
        } = &place;
        let postgres = connect("postgres", "postgres").await;
        for sql in [
            format!("CREATE ROLE \"{owner}\""),
            format!("CREATE ROLE {least} LOGIN CREATEROLE IN ROLE \"{owner}\""),
            format!("CREATE DATABASE {database} OWNER \"{owner}\""),
            format!("GRANT CREATE ON DATABASE {database} TO {least}"),
        ] {
            postgres.batch(&sql).await.expect(&sql);
        }
        let session = place.superuser().await;
        // as 15 and later have it
        let rights = format!(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO \"{owner}\", {least};"
        );
        let give = format!(
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT c.oid::regclass AS name FROM pg_class c \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'inner') AND c.relkind IN ('r', 'v') \
             LOOP EXECUTE format('ALTER TABLE %s OWNER TO %I', r.name, '{owner}'); END LOOP; END $$"
        );
        for sql in [&rights, sql, &give] {
            let sql = sql.replace(":owner", &format!("\"{owner}\""));
            session.batch(&sql).await.expect(&sql);
        }
        place
    }

    pub async fn superuser(&self) -> Session {
        connect("postgres", &self.database).await
    }

    pub async fn least(&self) -> Session {
        connect(&self.least, &self.database).await
    }

    /// A session of each login, the superuser first.
    pub async fn both(&self) -> [Session; 2] {
        [self.superuser().await, self.least().await]
    }

    /// The roles of the cluster that are this place's or a run's, and the schema with its privileges.
    pub fn dump(&self) -> String {
        let url = SERVER.url("postgres");
        let roles = output("pg_dumpall", &["-r", "-d", &url]);
        let roles = roles.lines().filter(|line| {
            line.contains(&self.owner)
                || line.contains(&self.least)
                || line.contains("wasmigrate_run")
        });
        let schema = output("pg_dump", &["-s", "-d", &SERVER.url(&self.database)]);
        // newer releases print a random key in \restrict
        let schema = schema.lines().filter(|line| !line.starts_with('\\'));
        roles.chain(schema).collect::<Vec<_>>().join("\n")
    }
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(SERVER.bin_dir().join(program))
        .args(args)
        .output()
        .expect(program);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).expect("text")
}

pub async fn connect(user: &str, database: &str) -> Session {
    let url = SERVER.url(database);
    let url = url.replacen("postgres@", &format!("{user}@"), 1);
    let address = Address::resolve(Some(&url), None, &|_: &str| None).expect("an address");
    let connection = address.connect("test").await.expect("a connection");
    let session = Session::new(connection);
    session
        .batch("SET search_path = pg_catalog, pg_temp")
        .await
        .expect("pinned");
    session
}

pub async fn begin(session: &Session) {
    let sql = "BEGIN READ WRITE; SET LOCAL row_security = off";
    session.batch(sql).await.expect("begun");
}

/// What the server said to a failed request.
#[track_caller]
pub fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> Refusal {
    match result {
        Err(Failure::Server(refusal)) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub async fn value(session: &Session, sql: &str) -> String {
    session.text(sql, &[]).await.expect(sql).unwrap_or_default()
}
