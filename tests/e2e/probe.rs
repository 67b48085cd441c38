//! The guest `probe`, which does what a test writes down for it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::guests::{change_manifest, file_of};
use crate::support::{Database, Ended, build};

/// Its version.
pub const VERSION: &str = "20990102000000";

/// The folder with its component, which is granted all that the tests try.
pub fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = build("probe", &["migrations-wasm/probe"]);
        change_manifest(&file_of(&folder, VERSION), |manifest| {
            let (head, _) = manifest.split_once("[grants]").unwrap();
            let list = grants().join("', '");
            let phases = ["up", "down", "verify"].map(|phase| format!("{phase} = ['{list}']\n"));
            format!("{head}[grants]\n{}", phases.concat())
        });
        folder
    });
    &FOLDER
}

/// What every phase of the probe is granted: the tables that the tests make, and two functions.
fn grants() -> Vec<String> {
    let tables = [
        "t",
        "n",
        "many",
        "two",
        "big",
        "wide",
        "small",
        "part",
        "parts",
        "wide_again",
        "unique_late",
        "u",
        "other",
        "one",
        "many_returned",
        "many_again",
        "loops",
        "kinds",
        "probe_step",
        "probe_answer",
        "\"none\"",
        "\"Odd \"\" table\"",
        "\"t\"\"; DROP TABLE public.t; --\"",
    ];
    let numbered = |kind: &'static str| (0..100).map(move |number| format!("{kind}{number}"));
    let readable = tables.map(str::to_owned).into_iter().chain(numbered("v"));
    let writable = readable.clone().chain(numbered("t")).chain(numbered("b"));
    let mut lines: Vec<String> = readable
        .map(|table| format!("read public.{table}"))
        .collect();
    lines.extend(writable.map(|table| format!("insert public.{table}")));
    for verb in ["update", "delete"] {
        lines.extend(numbered("v").map(|table| format!("{verb} public.{table}")));
    }
    let types = [
        "citext", "cube", "even", "given", "hstore", "isbn", "ltree", "mood", "place", "positive",
        "seg", "short", "span", "twice", "word",
    ];
    lines.extend(types.map(|name| format!("use-type public.{name}")));
    lines.extend(
        [
            "catalog",
            "update public.t",
            "update public.many",
            "delete public.t",
            "truncate public.t",
            "index public.t",
            "alter public.t: add-column",
            "drop table public.t",
            "create table public.v",
            "insert public.v",
            "create table public.u",
            "reference public.parent",
            "alter public.child: add-constraint, validate-constraint, drop-constraint",
            "use-sequence public.s",
            "fires public.nothing()",
            "extension pg_trgm in ext",
            "call public.insert_one()",
            "call public.sly()",
            "call public.setting(text)",
            "call public.pause(double precision)",
        ]
        .map(str::to_owned),
    );
    lines
}

/// What the probe is to do, phase by phase.
#[derive(Default)]
pub struct Script {
    sql: String,
    steps: usize,
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub step: usize,
    pub line: usize,
    pub place: usize,
    pub name: String,
    pub type_name: String,
    pub kind: String,
    pub value: Option<String>,
}

/// A text as an SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Script {
    /// Adds a step of `up`; its number counts from 1.
    pub fn up(self, verb: &str, args: &[&str]) -> Self {
        let args: Vec<_> = args.iter().map(|arg| Some(*arg)).collect();
        self.step("up", verb, &args)
    }

    /// Adds a step whose arguments may be NULL.
    pub fn step(mut self, phase: &str, verb: &str, args: &[Option<&str>]) -> Self {
        self.steps += 1;
        let args: Vec<_> = args
            .iter()
            .map(|arg| arg.map_or("NULL".to_owned(), literal))
            .collect();
        self.sql += &format!(
            "INSERT INTO public.probe_step VALUES ('{phase}', {}, {}, ARRAY[{}]::text[]);\n",
            self.steps,
            literal(verb),
            args.join(", ")
        );
        self
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps
    }

    /// The statements that write it down.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Writes it down, and nothing of an earlier one stays.
    pub fn write(&self, database: &Database) {
        database.sql(&self.text());
    }

    /// The statements that make what the probe needs, and write the script down.
    pub fn text(&self) -> String {
        format!(
            "DROP TABLE IF EXISTS public.probe_step, public.probe_answer;
             CREATE TABLE public.probe_step (phase text, step int, verb text, args text[]);
             CREATE TABLE public.probe_answer (step int, line int, place int, name text, type_name text,
                 kind text, value text);
             CREATE OR REPLACE FUNCTION public.setting(text) RETURNS text STABLE LANGUAGE sql
                 AS 'SELECT pg_catalog.current_setting($1)';
             CREATE OR REPLACE FUNCTION public.pause(double precision) RETURNS text LANGUAGE sql
                 AS 'SELECT pg_catalog.pg_sleep($1)::text';
             {}",
            self.sql
        )
    }

    /// Runs `up` with it.
    pub fn run(&self, database: &Database) -> Ended {
        self.write(database);
        database.run(folder(), &["up", "--verbose"])
    }

    /// Runs `up`, which must do well, and gives the answers; `down` makes room for the next script.
    #[track_caller]
    pub fn answers(&self, database: &Database) -> Vec<Answer> {
        self.run(database).ok();
        let answers = answers(database);
        database.run(folder(), &["down"]).ok();
        answers
    }

    /// The same as words: the values of each step, NULL as `NULL`.
    #[track_caller]
    pub fn words(&self, database: &Database) -> Vec<Vec<String>> {
        let mut words = vec![Vec::new(); self.steps];
        for answer in self.answers(database) {
            words[answer.step - 1].push(answer.value.unwrap_or("NULL".into()));
        }
        words
    }

    /// Runs `up`, which must fail with this status and code, and leave nothing of the run behind.
    #[track_caller]
    pub fn fails(&self, database: &Database, status: i32, code: &str, words: &str) -> Ended {
        self.write(database);
        let before = database.schema();
        let ended = database
            .run(folder(), &["up", "--verbose"])
            .failed(status, code);
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
        assert_eq!(database.schema(), before);
        assert_eq!(
            database.value("SELECT count(*) FROM wasmigrate.migration"),
            "0"
        );
        let run =
            "SELECT concat_ws(' ', state, error_code) FROM wasmigrate.run ORDER BY id DESC LIMIT 1";
        assert_eq!(database.value(run), format!("failed {code}"));
        ended
    }
}

/// What the probe wrote down.
pub fn answers(database: &Database) -> Vec<Answer> {
    let rows = database.sql(
        "SELECT step, line, place, name, type_name, kind, value FROM public.probe_answer
         ORDER BY step, line, place",
    );
    let number = |text: &Option<String>| text.as_ref().unwrap().parse().unwrap();
    rows.iter()
        .map(|row| Answer {
            step: number(&row[0]),
            line: number(&row[1]),
            place: number(&row[2]),
            name: row[3].clone().unwrap(),
            type_name: row[4].clone().unwrap(),
            kind: row[5].clone().unwrap(),
            value: row[6].clone(),
        })
        .collect()
}
