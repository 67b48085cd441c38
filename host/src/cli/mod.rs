//! The command line: turns arguments into a call and a result into words. No logic.
//!
//! A verb is a file beside this one with a `pub struct Args` (its documentation is the help) and a
//! `pub fn run(self, context: &Context) -> Result<u8>`, and a line in `verbs!`.

use std::path::PathBuf;
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::builder::NonEmptyStringValueParser;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::error::{Code, Error, Result};
use crate::guard::STATEMENT_WALL;
use crate::project::{FILE, Project};
use crate::report::{Logs, Screen, Talk, escape, listen, without_passwords};

mod approval;
mod approve;
mod build;
mod completions;
mod database;
mod demo;
mod down;
mod explain;
mod grants;
mod init;
mod inspect;
mod repair;
mod status;
mod test;
mod up;
mod verify;

macro_rules! verbs {
    ($($verb:ident $module:ident;)*) => {
        #[derive(Debug, Subcommand)]
        enum Verb {
            $($verb($module::Args),)*
        }

        impl Verb {
            fn run(self, context: &Context) -> Result<u8> {
                match self { $(Verb::$verb(args) => args.run(context),)* }
            }
        }
    };
}

verbs! {
    Up up;
    Down down;
    Status status;
    Verify verify;
    Repair repair;
    Grants grants;
    Test test;
    Inspect inspect;
    Approve approve;
    Build build;
    Init init;
    Explain explain;
    Completions completions;
    Demo demo;
}

/// Migrations for PostgreSQL as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "wasmigrate",
    version,
    propagate_version = true,
    subcommand_required = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The project's file [default: wasmigrate.toml here or in a folder above]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run as [env.NAME] of the project's file says, in place of WASMIGRATE_ENV
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    env: Option<String>,
    /// The folder of built components [default: `migrations` in the project's file]
    #[arg(long, global = true, value_name = "DIR")]
    migrations: Option<PathBuf>,
    /// Write data and errors as JSON on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Say only warnings and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Use colours; NO_COLOR holds too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Write what goes to standard error as lines of text, or as a JSON object a line; RUST_LOG chooses what is logged
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The variable that names the environment where `--env` does not.
const ENVIRONMENT: &str = "WASMIGRATE_ENV";

/// What every verb gets: the screen, and what the global options say.
#[derive(Debug)]
pub struct Context {
    /// Where results and talk go.
    pub screen: Screen,
    config: Option<PathBuf>,
    environment: Option<String>,
    migrations: Option<PathBuf>,
}

impl Context {
    fn new(global: Global) -> Self {
        let talk = match (global.quiet, global.verbose) {
            (true, _) => Talk::Quiet,
            (_, true) => Talk::Verbose,
            _ => Talk::Normal,
        };
        let color = match global.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let screen = Screen {
            json: global.json,
            talk,
            color,
            logs: match global.log_format {
                LogFormat::Text => Logs::Text,
                LogFormat::Json => Logs::Json,
            },
        };
        Context {
            screen,
            config: global.config,
            environment: global.env,
            migrations: global.migrations,
        }
    }

    /// The project's file, in the environment that is chosen; the default project where there is none.
    pub fn project(&self) -> Result<Project> {
        let here = std::env::current_dir().map_err(|error| {
            Error::new(Code::ConfigInvalid, "failed to find the current folder").cause(error)
        })?;
        let project = Project::find(self.config.as_deref(), &here)?.unwrap_or_default();
        let variable = || std::env::var_os(ENVIRONMENT).filter(|name| !name.is_empty());
        let variable = || variable().map(|name| name.to_string_lossy().into_owned());
        match self.environment.clone().or_else(variable) {
            None => Ok(project),
            Some(name) => {
                let project = project.in_environment(&name)?;
                self.screen.say(format!("environment {}", escape(&name)));
                Ok(project)
            }
        }
    }

    /// The folder of built components.
    pub fn migrations(&self, project: &Project) -> Result<PathBuf> {
        self.migrations
            .clone()
            .or_else(|| project.migrations.clone())
            .ok_or_else(|| {
                Error::new(Code::ConfigInvalid, "no folder of migrations is named").hint(format!(
                    "say --migrations DIR, or `migrations = \"DIR\"` in {FILE}"
                ))
            })
    }
}

/// Parses the command line, runs the verb and shows what came of it.
pub fn main() -> ExitCode {
    if !STATEMENT_WALL {
        let words = b"warning: THIS IS A TEST BUILD WITHOUT THE STATEMENT WALL, never use it on data that matters\n";
        let _ = std::io::Write::write_all(&mut anstream::stderr().lock(), words);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let context = Context::new(cli.global);
    let screen = context.screen;
    if let Err(error) = listen(screen.logs, screen.talk) {
        screen.error(&error);
        return error.code().exit().into();
    }
    match cli.verb.run(&context) {
        Ok(status) => status.into(),
        Err(error) => {
            context.screen.error(&error);
            error.code().exit().into()
        }
    }
}

/// Runs a future to its end. Only verbs that talk to a database need it.
pub fn block_on<F: Future<Output = Result<T>>, T>(future: F) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Internal, "failed to start the runtime").cause(error))?
        .block_on(future)
}

/// Shows help, the version, or what is wrong with the arguments; these may hold a password.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let screen = Screen {
            json: true,
            talk: Talk::Quiet,
            color: ColorChoice::Never,
            logs: Logs::Text,
        };
        screen.error(&Error::new(Code::Usage, message));
    } else {
        let text = without_passwords(&error.render().ansi().to_string());
        let text = text.replacen("error:", &format!("error[{}]:", Code::Usage.name()), 1);
        let _ = std::io::Write::write_all(&mut anstream::stderr().lock(), text.as_bytes());
    }
    Code::Usage.exit().into()
}

/// The whole command line, for completions.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn global_options_go_before_and_after_the_verb() {
        for args in [
            ["wasmigrate", "--json", "inspect", "x"],
            ["wasmigrate", "inspect", "x", "--json"],
        ] {
            assert!(Cli::try_parse_from(args).unwrap().global.json);
        }
        assert!(Cli::try_parse_from(["wasmigrate", "-q", "-v", "explain"]).is_err());
    }

    #[test]
    fn the_folder_comes_from_the_option_before_the_file() {
        let context = |migrations| Context {
            screen: Screen {
                json: false,
                talk: Talk::Normal,
                color: ColorChoice::Never,
                logs: Logs::Text,
            },
            config: None,
            environment: None,
            migrations,
        };
        let project = Project {
            migrations: Some("file".into()),
            ..Project::default()
        };
        assert_eq!(
            context(Some("option".into())).migrations(&project),
            Ok("option".into())
        );
        assert_eq!(context(None).migrations(&project), Ok("file".into()));
        let error = context(None).migrations(&Project::default()).unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
}
