//! The only room that talks to PostgreSQL.

pub mod address;
mod buffer;
mod catalog;
mod columns;
pub mod comparison;
pub mod connect;
mod copy;
pub mod doing;
mod failure;
mod found;
pub mod history;
pub mod journal;
pub mod locks;
mod named;
mod outside;
mod passfile;
mod planned;
pub mod role;
pub mod runs;
pub mod schema;
mod session;
mod standing;
mod timestamps;
mod tls;
mod touched;
mod values;
mod wanted;
mod warm;

pub use catalog::ExtensionInfo;
pub use columns::{Batch, Column, Data, Var};
pub use connect::{Canceller, Connection};
pub use copy::{CopyIn, check as check_batch};
pub use failure::{Failure, Refusal};
pub use outside::{Attached, Built, Duplicates};
pub use planned::IndexUse;
pub use session::{Reading, Rows, Session};
pub use standing::{Expected, Lookup, Standing};
pub use values::Value;
pub use wanted::{ForeignKeySpec, IndexKey, IndexSpec, Target};

use crate::error::{Code, Result};

/// Runs files of the operator's own SQL, each as a whole; a file is its name and its text.
pub async fn load(address: &address::Address, files: &[(String, String)]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let session = Session::new(address.connect("wasmigrate").await?);
    for (name, sql) in files {
        session.batch(sql).await.map_err(|failure| {
            let place =
                line_of(&failure, sql).map_or(String::new(), |line| format!(", line {line}"));
            let what = format!("failed to load `{name}`{place}");
            failure
                .error(Code::Usage, what)
                .hint("a file is plain SQL, without psql's own commands")
        })?;
    }
    session.close_connection().await;
    Ok(())
}

/// The line of a text at which the server refused it.
fn line_of(failure: &Failure, sql: &str) -> Option<usize> {
    let Failure::Server(refusal) = failure else {
        return None;
    };
    let before = usize::try_from(refusal.position?).ok()?.saturating_sub(1);
    Some(1 + sql.chars().take(before).filter(|c| *c == '\n').count())
}

/// A name as SQL writes it. Quoting always is right, also for the many keywords.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A schema and a name as SQL writes them.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// A schema and a name for a reader: quoted only where they hold more than letters, digits and `_`.
pub fn label(schema: &str, name: &str) -> String {
    let part = |name: &str| {
        let plain = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if plain && !name.is_empty() {
            name.to_owned()
        } else {
            quoted(name)
        }
    };
    format!("{}.{}", part(schema), part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_sql_and_readable_for_people() {
        assert_eq!(
            qualified("public", "current_user"),
            "\"public\".\"current_user\""
        );
        assert_eq!(quoted("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(label("public", "medication_logs"), "public.medication_logs");
        assert_eq!(label("public", "Logs"), "public.\"Logs\"");
    }
}
