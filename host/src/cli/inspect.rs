use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::component;
use crate::error::Result;
use crate::migration::Digest;
use crate::report::{difference_markdown, difference_text, review_markdown, review_text};
use crate::review::{Difference, Review};
use crate::source;

/// Show on one page what a component may touch; nothing of it is run
#[derive(Debug, clap::Args)]
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
            let review = review(file)?;
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
    Ok(Review::of(file, Digest::of(&bytes), bytes.len(), component))
}
