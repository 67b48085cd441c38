use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::database::{Target, compiler};
use crate::cli::{Context, block_on};
use crate::component;
use crate::error::{Code, Error, Result};
use crate::guard::grants::Need;
use crate::guard::statement;
use crate::migration::Migration;
use crate::migrator::Options;
use crate::operate::grants;
use crate::report::{Needed, Telling, needed_json, needed_text};
use crate::source;

/// Show which grants SQL or a whole migration needs, or why it can never run
///
/// With --component, on a scratch database that has the schema which the migration expects, `up`, `verify` and
/// `down` run one after the other in one transaction, which is rolled back: once with the defaults of all
/// settings, and once with each other value of each, the others at their default. Tables are locked meanwhile,
/// and sequences do not give back the values that they gave out.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Args {
    /// A file of statements, or - for standard input
    #[arg(long, value_name = "FILE", group = "what", conflicts_with_all = ["database_url", "embedded", "load"])]
    sql: Option<PathBuf>,
    /// A built component: run it on a scratch database, roll back, and print the `[grants]` that it needed
    #[arg(long, value_name = "FILE", group = "what")]
    component: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// The longest input, in bytes.
const MAX_BYTES: u64 = 1 << 20;

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        match (&self.sql, &self.component) {
            (Some(sql), _) => of_sql(sql, context),
            (None, Some(component)) => of_component(component, &self.target, context),
            (None, None) => Err(Error::new(
                Code::Usage,
                "say --sql FILE or --component FILE",
            )),
        }
    }
}

fn of_component(file: &Path, target: &Target, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let shown = file.display().to_string();
    let bytes = source::read_one(file)?;
    let manifest = component::read(&shown, &bytes)?.manifest;
    let migration = Migration::new(shown, bytes, manifest);
    let place = target.open(context, &project)?;
    let telling = Arc::new(Telling::new(context.screen));
    let lock_timeout = Options::default().lock_timeout;
    let found = block_on(async {
        place.load().await?;
        grants::find(
            &place.address,
            &migration,
            &mut compiler(),
            lock_timeout,
            telling,
        )
        .await
    })?;
    context.screen.recorded(&migration, &found)
}

fn of_sql(file: &Path, context: &Context) -> Result<u8> {
    let text = text(file)?;
    let failed = |denial: statement::Denial| unreadable(file).cause(denial);
    let statements = statement::split(&text).map_err(failed)?;
    let (mut any_denied, mut any_open) = (false, false);
    for sql in &statements {
        let demand = statement::required(sql);
        any_denied |= !demand.denied.is_empty();
        any_open |= demand.needs.iter().any(Need::is_open);
        let needed = Needed {
            sql,
            demand: &demand,
        };
        context
            .screen
            .piece(&needed_json(&needed), || needed_text(&needed))?;
    }
    if any_open {
        context.screen.say(
            "? stands for what only the server knows: the columns that are read, the types of arguments, the extension \
             and its schema; `wasmigrate grants --component` asks it",
        );
    }
    Ok(if any_denied { Code::Denied.exit() } else { 0 })
}

fn unreadable(file: &Path) -> Error {
    let what = match is_stdin(file) {
        true => "failed to read standard input".to_owned(),
        false => format!("failed to read `{}`", file.display()),
    };
    Error::new(Code::Usage, what)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn text(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| unreadable(path).cause(error);
    let mut text = String::new();
    let read = if is_stdin(path) {
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text)
    };
    match read.map_err(failed)? as u64 {
        0..=MAX_BYTES => Ok(text),
        _ => Err(Error::new(
            Code::Usage,
            "failed to read the statements: at most 1 MiB is taken",
        )
        .hint("give them in several files")),
    }
}
