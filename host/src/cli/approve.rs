use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

use crate::cli::Context;
use crate::error::{Code, Error, Result};
use crate::migration::{Migration, Version};
use crate::operate::approve::{self, Request, Signer};
use crate::project::Project;
use crate::report::{CheckedLine, approved_text, checked_text};
use crate::source;

/// Approve migrations after a review: only what wasmigrate.lock names may then run
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these versions [default: all that are not approved yet]
    versions: Vec<Version>,
    /// Approve a component that was built again or changed, and show what differs
    #[arg(
        long,
        value_name = "VERSION",
        requires = "reason",
        conflicts_with = "versions"
    )]
    again: Option<Version>,
    /// Why, for the records
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Who approves [default: the name of the user]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
    /// Sign with this private key of OpenSSH (ed25519)
    #[arg(long, value_name = "FILE", conflicts_with = "sign_with")]
    key: Option<PathBuf>,
    /// Sign with a command: it gets the text on standard input and writes an OpenSSH signature, as
    /// `ssh-keygen -Y sign -n wasmigrate -f KEY.pub` does with a key of the agent
    #[arg(long, value_name = "COMMAND")]
    sign_with: Option<String>,
    /// Approve nothing: only tell whether every migration is approved, and exit with 5 where one is not
    #[arg(long, conflicts_with_all = ["versions", "again", "reason", "by", "key", "sign_with"])]
    check: bool,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let project = context.project()?;
        let migrations = source::read(&context.migrations(&project)?)?;
        if self.check {
            return check(context, &project, &migrations);
        }
        let approver = match self.by {
            Some(by) => by,
            None => whoami::username().map_err(|error| {
                Error::new(Code::Usage, "failed to find the user's name")
                    .cause(error)
                    .hint("say who approves, with --by NAME")
            })?,
        };
        let request = Request {
            versions: self.versions,
            again: self.again,
            approver,
            reason: self.reason.unwrap_or_default(),
            signer: (self.key.map(Signer::File)).or(self.sign_with.map(Signer::Command)),
        };
        let done = approve::approve(&project, &migrations, &request)?;
        let wanted = project.keys.threshold();
        context
            .screen
            .data(&done, || approved_text(&done, wanted))?;
        Ok(0)
    }
}

fn check(context: &Context, project: &Project, migrations: &[Migration]) -> Result<u8> {
    let judged = approve::check(project, migrations)?;
    let lines: Vec<CheckedLine> = judged.iter().map(CheckedLine::new).collect();
    context.screen.data(&lines, || checked_text(&lines))?;
    let mut wrong = judged
        .iter()
        .filter_map(|judged| judged.approval.as_ref().err());
    Ok(wrong.next().map_or(0, |error| error.code().exit()))
}
