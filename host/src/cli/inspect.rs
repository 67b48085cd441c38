use std::path::{Path, PathBuf};

use crate::cli::database::Target;
use crate::cli::{Context, block_on};
use crate::component;
use crate::error::Result;
use crate::migration::Digest;
use crate::operate::reached;
use crate::report::{difference_markdown, difference_text, review_markdown, review_text};
use crate::review::{Difference, Review};
use crate::source;

/// Show on one page what a component may touch; nothing of it is run
///
/// With --database, what else the grants reach there is told too: cascades, triggers, the tables behind a view. It is
/// asked in a transaction that is rolled back. Without it nothing connects.
#[derive(Debug, clap::Args)]
#[command(mut_arg("database_url", |arg| arg.requires("connect")))]
#[command(mut_arg("embedded", |arg| arg.conflicts_with_all(["connect", "diff"])))]
pub struct Args {
    /// The component
    #[arg(required_unless_present = "diff")]
    file: Option<PathBuf>,
    /// Show in what NEW differs from OLD
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "file")]
    diff: Option<Vec<PathBuf>>,
    /// Write Markdown, to paste into a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Ask the database what the grants reach there
    #[arg(long = "database", id = "connect", conflicts_with = "diff")]
    connect: bool,
    #[command(flatten)]
    target: Target,
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        let screen = context.screen;
        if let Some([old, new]) = self.diff.as_deref() {
            let difference = Difference::between(&review(old)?, &review(new)?);
            match self.markdown {
                true => screen.text(difference_markdown(&difference))?,
                false => screen.data(&difference, || difference_text(&difference))?,
            }
        }
        if let Some(file) = &self.file {
            let mut review = review(file)?;
            if self.connect || self.target.is_embedded() {
                let place = self.target.open(context, &context.project()?)?;
                review.reached = Some(block_on(async {
                    place.load().await?;
                    reached::find(&place.address, &review).await
                })?);
            }
            match self.markdown {
                true => screen.text(review_markdown(&review))?,
                false => screen.data(&review, || review_text(&review))?,
            }
        }
        Ok(0)
    }
}

fn review(path: &Path) -> Result<Review> {
    let file = path.display().to_string();
    let bytes = source::read_one(path)?;
    let component = component::read(&file, &bytes)?;
    component::validate(&file, &bytes)?;
    let (digest, texts) = (Digest::of(&bytes), component::texts(&bytes));
    Ok(Review::of(file, digest, bytes.len(), component, texts))
}
