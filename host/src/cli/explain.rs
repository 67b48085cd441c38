use serde::Serialize;

use crate::cli::Context;
use crate::error::{Code, Error, Result};
use crate::text::did_you_mean;

/// Say what an error's code means and what to do; without a code, list all
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, as in `error[CODE]`
    code: Option<String>,
}

#[derive(Serialize)]
struct Explanation {
    code: &'static str,
    exit: u8,
    help: &'static str,
}

impl Explanation {
    fn of(code: Code) -> Self {
        Explanation {
            code: code.name(),
            exit: code.exit(),
            help: code.help(),
        }
    }
}

impl Args {
    pub fn run(self, context: &Context) -> Result<u8> {
        match self.code {
            Some(name) => {
                let explanation = Explanation::of(find(&name)?);
                context.screen.data(&explanation, || {
                    format!(
                        "{} (exit status {})\n{}",
                        explanation.code, explanation.exit, explanation.help
                    )
                })?;
            }
            None => {
                let all: Vec<_> = Code::ALL.iter().copied().map(Explanation::of).collect();
                context.screen.data(&all, || {
                    let lines: Vec<_> = all
                        .iter()
                        .map(|one| format!("{:>3}  {}", one.exit, one.code))
                        .collect();
                    lines.join("\n")
                })?;
            }
        }
        Ok(0)
    }
}

fn find(name: &str) -> Result<Code> {
    Code::from_name(name).ok_or_else(|| {
        let error = Error::new(Code::Usage, format!("no error has the code `{name}`"));
        match did_you_mean(name, Code::ALL.iter().map(|code| code.name())) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`wasmigrate explain` lists all"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_and_a_typo_gets_a_suggestion() {
        assert_eq!(find("history-late"), Ok(Code::HistoryLate));
        let error = find("histroy-late").unwrap_err();
        assert_eq!(error.code(), Code::Usage);
        assert_eq!(error.hint_text(), Some("did you mean `history-late`?"));
        assert!(
            find("zzz")
                .unwrap_err()
                .hint_text()
                .unwrap()
                .contains("lists all")
        );
    }
}
