//! The catalog comparison on a real server: each class of change is seen, and what came with something else
//! says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use support::{Place, begin, value};
use wasmigrate::database::Session;
use wasmigrate::database::comparison::{self, Change, Explained, How, Scope};
use wasmigrate::database::role::{Entered, Privileges, TablePrivilege, Verb};

const OBJECTS: &str = "
CREATE TABLE public.logs (id serial PRIMARY KEY, a integer, b text);
CREATE TABLE public.patients (id integer PRIMARY KEY);
CREATE VIEW public.seen AS SELECT id FROM public.logs;
CREATE FUNCTION public.tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION public.f(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION public.eq(integer, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION public.ev() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE TYPE public.pair AS (a integer, b integer);
CREATE FUNCTION public.to_pair(integer) RETURNS public.pair LANGUAGE sql IMMUTABLE AS 'SELECT ($1, $1)::public.pair';
CREATE TRIGGER old BEFORE INSERT ON public.logs FOR EACH ROW EXECUTE FUNCTION public.tf();
CREATE POLICY old ON public.logs USING (true);
CREATE FUNCTION public.plain(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
";

fn added() -> How {
    How::Added
}

fn changed(fields: &[&str]) -> How {
    How::Changed(fields.iter().map(|field| (*field).into()).collect())
}

async fn seen(work: &Session, other: &Session) -> Vec<Change> {
    let changes = comparison::changes(work, other);
    tokio::time::timeout(Duration::from_secs(20), changes)
        .await
        .expect("the other session waits for a lock")
        .expect("compared")
}

async fn after(work: &Session, other: &Session, sql: &str) -> Vec<Change> {
    begin(work).await;
    work.batch(sql).await.expect(sql);
    let changes = seen(work, other).await;
    work.batch("ROLLBACK").await.unwrap();
    changes
}

#[tokio::test]
async fn each_class_of_change_is_seen() {
    let place = Place::with(OBJECTS).await;
    let (work, other) = (place.superuser().await, place.superuser().await);
    let server: u32 = value(&work, "SELECT current_setting('server_version_num')")
        .await
        .parse()
        .unwrap();
    let database = &place.database;
    let owner = &place.owner;
    #[rustfmt::skip]
    let cases: Vec<(String, &str, How, &str)> = vec![
        ("CREATE TRIGGER t BEFORE INSERT ON public.logs FOR EACH ROW EXECUTE FUNCTION public.tf()".into(), "trigger", added(), "t on public.logs"),
        ("ALTER TABLE public.logs DISABLE TRIGGER old".into(), "trigger", changed(&["tgenabled"]), "old on public.logs"),
        ("DROP TRIGGER old ON public.logs".into(), "trigger", How::Removed, "old on public.logs"),
        ("CREATE RULE r AS ON INSERT TO public.logs DO ALSO DELETE FROM public.patients".into(), "rule", added(), "r on public.logs"),
        ("CREATE OR REPLACE VIEW public.seen AS SELECT id FROM public.patients".into(), "rule", changed(&["ev_action"]), "\"_RETURN\" on public.seen"),
        ("ALTER VIEW public.seen SET (security_barrier)".into(), "relation", changed(&["options"]), "public.seen"),
        ("CREATE POLICY p ON public.logs USING (true)".into(), "policy", added(), "p on public.logs"),
        ("ALTER POLICY old ON public.logs USING (false)".into(), "policy", changed(&["polqual"]), "old on public.logs"),
        ("ALTER TABLE public.logs ENABLE ROW LEVEL SECURITY".into(), "relation", changed(&["row security"]), "public.logs"),
        ("ALTER TABLE public.logs FORCE ROW LEVEL SECURITY".into(), "relation", changed(&["forced row security"]), "public.logs"),
        ("CREATE FUNCTION public.g() RETURNS integer LANGUAGE sql AS 'SELECT 1'".into(), "function", added(), "public.g()"),
        ("CREATE OR REPLACE FUNCTION public.plain(integer) RETURNS integer LANGUAGE sql AS 'SELECT 2'".into(), "function", changed(&["prosrc"]), "public.plain(integer)"),
        ("ALTER FUNCTION public.plain(integer) SECURITY DEFINER".into(), "function", changed(&["prosecdef"]), "public.plain(integer)"),
        ("ALTER FUNCTION public.plain(integer) SET search_path = public".into(), "function", changed(&["proconfig"]), "public.plain(integer)"),
        (format!("ALTER FUNCTION public.plain(integer) OWNER TO \"{owner}\""), "function", changed(&["proacl", "proowner"]), "public.plain(integer)"),
        ("REVOKE EXECUTE ON FUNCTION public.plain(integer) FROM PUBLIC".into(), "function", changed(&["proacl"]), "public.plain(integer)"),
        ("GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC".into(), "function", changed(&["proacl"]), "pg_catalog.pg_read_file(pg_catalog.text)"),
        ("DROP FUNCTION public.plain(integer)".into(), "function", How::Removed, "public.plain(integer)"),
        ("GRANT SELECT ON public.patients TO PUBLIC".into(), "relation", changed(&["acl"]), "public.patients"),
        ("GRANT SELECT (a) ON public.logs TO PUBLIC".into(), "column acl", added(), "public.logs.a"),
        ("ALTER TABLE public.patients OWNER TO postgres".into(), "relation", changed(&["acl", "owner"]), "public.patients"),
        ("ALTER TABLE public.patients RENAME TO people".into(), "relation", changed(&["name"]), "public.people"),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC".into(), "schema", changed(&["nspacl"]), "public"),
        ("ALTER SCHEMA public OWNER TO current_user; CREATE SCHEMA made".into(), "schema", added(), "made"),
        ("REVOKE USAGE ON TYPE public.pair FROM PUBLIC".into(), "type", changed(&["typacl"]), "public.pair"),
        (format!("REVOKE TEMP ON DATABASE {database} FROM PUBLIC"), "database", changed(&["datacl"]), database),
        ("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC".into(), "language", changed(&["lanacl"]), "plpgsql"),
        ("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC".into(), "default acl", added(), "for role postgres on tables"),
        ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.ev()".into(), "event trigger", added(), "e"),
        ("CREATE CAST (integer AS public.pair) WITH FUNCTION public.to_pair(integer)".into(), "cast", added(), "(integer AS public.pair)"),
        ("CREATE OPERATOR public.=== (FUNCTION = public.eq, LEFTARG = integer, RIGHTARG = text)".into(), "operator", added(), "public.===(integer,pg_catalog.text)"),
        ("CREATE OPERATOR CLASS public.oc FOR TYPE integer USING hash AS FUNCTION 1 pg_catalog.hashint4(integer)".into(), "operator class", added(), "public.oc USING hash"),
        ("CREATE OPERATOR FAMILY public.fam USING btree".into(), "operator family", added(), "public.fam USING btree"),
        ("CREATE OPERATOR CLASS public.oc FOR TYPE integer USING hash AS FUNCTION 1 pg_catalog.hashint4(integer)".into(), "function of access method", added(), "function 1 (integer, integer) of public.oc USING hash"),
        ("CREATE COLLATION public.c (locale = 'C')".into(), "collation", added(), "public.c"),
        ("CREATE CONVERSION public.conv FOR 'LATIN1' TO 'UTF8' FROM pg_catalog.iso8859_1_to_utf8".into(), "conversion", added(), "public.conv"),
        ("CREATE TEXT SEARCH CONFIGURATION public.ts (COPY = pg_catalog.simple)".into(), "text search configuration", added(), "public.ts"),
        ("CREATE ACCESS METHOD am TYPE TABLE HANDLER pg_catalog.heap_tableam_handler".into(), "access method", added(), "am"),
        ("CREATE TABLE public.child () INHERITS (public.patients)".into(), "inheritance", added(), "public.child of public.patients"),
        ("CREATE ROLE made".into(), "role", added(), "made"),
        (format!("ALTER ROLE \"{owner}\" SUPERUSER"), "role", changed(&["rolsuper"]), &format!("\"{owner}\"")),
        (format!("ALTER ROLE \"{owner}\" PASSWORD 'x'"), "role", changed(&["password"]), &format!("\"{owner}\"")),
        (format!("GRANT pg_read_all_data TO \"{owner}\""), "membership", added(), &format!("\"{owner}\" in pg_read_all_data")),
        (format!("ALTER ROLE \"{owner}\" SET search_path = public"), "setting", added(), &format!("database *, role {owner}")),
        (format!("ALTER DATABASE {database} SET search_path = public"), "setting", added(), &format!("database {database}, role *")),
        ("CREATE FOREIGN DATA WRAPPER w".into(), "foreign data wrapper", added(), "w"),
        ("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w".into(), "foreign server", added(), "s"),
        ("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE USER MAPPING FOR PUBLIC SERVER s".into(), "user mapping", added(), "public on server s"),
        ("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE public.ft (a integer) SERVER s".into(), "foreign table", added(), "public.ft"),
        ("CREATE PUBLICATION p FOR TABLE public.logs".into(), "publication", added(), "p"),
        ("CREATE PUBLICATION p FOR TABLE public.logs".into(), "publication relation", added(), "public.logs in publication p"),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false)".into(), "subscription", added(), "s"),
        ("SELECT lo_create(4242)".into(), "large object", added(), "4242"),
        ("CREATE EXTENSION pg_trgm SCHEMA public".into(), "extension", added(), "pg_trgm"),
        ("CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION pg_catalog.prsd_lextype(internal))".into(), "transform", added(), "for integer on language sql"),
    ]
    .into_iter()
    .map(|(sql, class, how, what): (String, &str, How, &str)| (sql, class, how, Box::leak(what.to_owned().into_boxed_str()) as &str))
    .collect();
    let mut tried = BTreeSet::new();
    let mut unseen = Vec::new();
    for (sql, class, how, what) in &cases {
        // a new session, whose counters of written rows tell of nothing else
        let work = place.superuser().await;
        let changes = after(&work, &other, sql).await;
        let found = changes.iter().any(|change| {
            // from 16 on a transform prints without "on"
            let named = change
                .what
                .replace("integer language", "integer on language");
            change.class == *class && change.how == *how && named == *what
        });
        if !found {
            unseen.push(format!("{sql}: {class} {what} {how:?} not in {changes:?}"));
        }
        assert_ne!(
            after(&work, &other, &format!("SAVEPOINT s; {sql}; RELEASE s")).await,
            [],
            "{sql}"
        );
        tried.insert(*class);
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
    if server >= 150_000 {
        let sql = "GRANT SET ON PARAMETER work_mem TO PUBLIC";
        let changes = after(&work, &other, sql).await;
        assert_eq!(changes[0].class, "parameter acl", "{changes:?}");
        let sql = "CREATE PUBLICATION p FOR TABLES IN SCHEMA public";
        let changes = after(&work, &other, sql).await;
        assert!(
            changes
                .iter()
                .any(|change| change.class == "publication schema")
        );
    }
    // these need files, a provider or a library that a test server lacks
    let not_here = [
        "operator of access method",
        "parameter acl",
        "publication schema",
        "tablespace",
        "security label",
        "text search dictionary",
        "text search parser",
        "text search template",
    ];
    let untried: Vec<&str> = comparison::classes()
        .filter(|class| !tried.contains(class) && !not_here.contains(class))
        .collect();
    assert_eq!(untried, Vec::<&str>::new());
}

#[tokio::test]
async fn what_came_with_something_says_with_what() {
    let place = Place::with(OBJECTS).await;
    let other = place.superuser().await;
    for work in place.both().await {
        let changes = after(&work, &other, "CREATE EXTENSION pg_trgm SCHEMA public").await;
        assert!(changes.len() > 50, "{}", changes.len());
        for change in &changes {
            let expected =
                (change.class != "extension").then(|| Explained::Extension("pg_trgm".into()));
            assert_eq!(change.explained_by, expected, "{change:?}");
        }
        let owner = format!("SET LOCAL ROLE \"{}\"; ", place.owner);
        let sql = "ALTER TABLE public.logs ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public.patients; SET LOCAL ROLE NONE";
        let changes = after(&work, &other, &format!("{owner}{sql}")).await;
        assert_eq!(changes.len(), 4, "{changes:#?}");
        let constraint = Explained::Constraint {
            name: "fk".into(),
            tables: vec!["public.logs".into()],
            referenced: vec!["public.patients".into()],
        };
        for change in &changes {
            assert_eq!((change.class, &change.how), ("trigger", &How::Added));
            assert_eq!(change.explained_by.as_ref(), Some(&constraint));
        }
        for (sql, itself) in [
            ("CREATE VIEW public.v AS SELECT 1 AS a", "public.v"),
            (
                "CREATE TABLE public.made (a serial, b integer GENERATED ALWAYS AS IDENTITY, c text)",
                "public.made",
            ),
            (
                "CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS a",
                "public.m",
            ),
        ] {
            let changes = after(&work, &other, sql).await;
            for change in &changes {
                let expected = (change.what != itself || change.class != "relation")
                    .then(|| Explained::Relation(itself.into()));
                assert_eq!(
                    (&change.how, &change.explained_by),
                    (&How::Added, &expected),
                    "{change:?}"
                );
            }
            assert!(changes.len() > 2, "{changes:?}");
        }
        let changes = after(&work, &other, "CREATE TYPE public.mood AS ENUM ('a')").await;
        let explained: Vec<_> = changes
            .iter()
            .map(|change| change.explained_by.clone())
            .collect();
        assert_eq!(explained.len(), 2, "{changes:?}");
        assert!(
            explained.contains(&Some(Explained::Type("public.mood".into()))),
            "{changes:?}"
        );
    }
}

/// Nothing of a granted extension is read in full but itself; what came beside it is.
#[tokio::test]
async fn what_comes_with_a_granted_extension_is_left_out_to_its_last_member() {
    let place = Place::with(OBJECTS).await;
    let (work, other) = (place.superuser().await, place.superuser().await);
    for extension in ["pg_trgm", "citext", "hstore"] {
        begin(&work).await;
        let sql = format!(
            "CREATE EXTENSION {extension} SCHEMA public; CREATE FUNCTION public.beside() RETURNS integer \
             LANGUAGE sql AS 'SELECT 1'"
        );
        work.batch(&sql).await.unwrap();
        let scope = Scope {
            beside: vec![extension],
            written: Some(comparison::written(&work).await.unwrap()),
        };
        let changes = comparison::changes_in(&work, &other, &scope).await.unwrap();
        let seen: Vec<String> = changes.iter().map(ToString::to_string).collect();
        let expected = [
            "function public.beside() is new".to_owned(),
            format!("extension {extension} is new"),
        ];
        assert_eq!(seen, expected);
        work.batch("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_change_of_these_is_none() {
    let place = Place::with(OBJECTS).await;
    let other = place.superuser().await;
    for work in place.both().await {
        let owner = format!("SET LOCAL ROLE \"{}\"; ", place.owner);
        let sql = "CREATE INDEX ON public.logs (a); ALTER TABLE public.logs ADD COLUMN c integer NOT NULL DEFAULT 1; \
            INSERT INTO public.logs (a) VALUES (1); ANALYZE public.logs; ALTER TABLE public.logs ALTER b TYPE varchar(9); \
            ALTER TABLE public.logs ADD CHECK (a > 0); LOCK TABLE public.seen, public.patients; SET LOCAL ROLE NONE";
        let changes = after(
            &work,
            &other,
            &format!(
                "DROP TABLE IF EXISTS public.none; {owner}{}",
                sql.replace("ALTER TABLE public.logs ALTER b TYPE varchar(9);", "")
            ),
        )
        .await;
        assert_eq!(changes, []);

        begin(&work).await;
        let privileges = Privileges {
            tables: vec![
                TablePrivilege {
                    schema: "public".into(),
                    name: "logs".into(),
                    verb: Verb::Insert,
                    columns: vec![],
                },
                TablePrivilege {
                    schema: "public".into(),
                    name: "logs".into(),
                    verb: Verb::Select,
                    columns: vec!["a".into()],
                },
                TablePrivilege {
                    schema: "public".into(),
                    name: "patients".into(),
                    verb: Verb::Delete,
                    columns: vec![],
                },
            ],
            ..Privileges::default()
        };
        let Entered::Role(role) = work
            .enter_role(&privileges, "wasmigrate_run_7_7")
            .await
            .unwrap()
        else {
            panic!("no role");
        };
        assert_ne!(
            seen(&work, &other).await,
            [],
            "our own grants show while they stand"
        );
        work.drop_role(&role).await.unwrap();
        assert_eq!(seen(&work, &other).await, []);
        work.batch("COMMIT").await.unwrap();
    }
}

#[tokio::test]
async fn what_others_do_is_not_ours() {
    let place = Place::with(OBJECTS).await;
    let (work, other, third) = (
        place.superuser().await,
        place.superuser().await,
        place.superuser().await,
    );
    begin(&work).await;
    work.batch("CREATE FUNCTION public.ours() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        .await
        .unwrap();
    third
        .batch(
            "CREATE FUNCTION public.theirs() RETURNS integer LANGUAGE sql AS 'SELECT 1'; \
            DROP POLICY old ON public.logs; ALTER FUNCTION public.plain(integer) SECURITY DEFINER",
        )
        .await
        .unwrap();
    // not yet committed: seen by neither
    begin(&third).await;
    third
        .batch("DROP TRIGGER old ON public.logs; GRANT SELECT ON public.logs TO PUBLIC; CREATE ROLE third")
        .await
        .unwrap();
    let changes = seen(&work, &other).await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].what, "public.ours()");
    third.batch("ROLLBACK").await.unwrap();
    assert_eq!(seen(&work, &other).await, changes);
    work.batch("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn the_least_login_sees_what_it_can_change() {
    let place = Place::with(OBJECTS).await;
    let (work, other) = (place.least().await, place.least().await);
    let changes = after(&work, &other, "CREATE ROLE made").await;
    assert!(
        changes
            .iter()
            .any(|change| change.class == "role" && change.what == "made"),
        "{changes:?}"
    );
    let owner = format!("SET LOCAL ROLE \"{}\"; ", place.owner);
    for (sql, class) in [
        ("GRANT SELECT ON public.logs TO PUBLIC", "relation"),
        (
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
            "default acl",
        ),
        (
            "CREATE RULE r AS ON INSERT TO public.logs DO ALSO DELETE FROM public.patients",
            "rule",
        ),
        ("SELECT lo_create(0)", "large object"),
    ] {
        let sql = format!("{owner}{sql}; SET LOCAL ROLE NONE");
        let changes = after(&work, &other, &sql).await;
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0].class, class);
    }
}
