//! What the grants of a component reach in a database beside what they name. Everything is asked in a transaction
//! that is rolled back, and nothing is run.

use crate::database::address::Address;
use crate::database::role::Actor;
use crate::database::{Failure, Session, qualified, quoted};
use crate::error::{Code, Error, Result};
use crate::guard::grants::name::Name;
use crate::guard::resolve::{Resolution, resolved};
use crate::migrator::{self, Options};
use crate::review::{Found, Granted, Question, Reached, Review};
use crate::touched::Touched;

/// Asks about each grant that has an effect.
pub async fn find(address: &Address, review: &Review) -> Result<Vec<Reached>> {
    let session = Session::new(address.connect("wasmigrate inspect").await?);
    let pins = migrator::pins(Options::default().lock_timeout, None);
    let begin = migrator::begin(&pins);
    session.batch(&begin).await.map_err(broken)?;
    let mut all = Vec::new();
    for granted in review.grants.iter().filter(|one| one.idle.is_none()) {
        if let Some(question) = Question::about(granted) {
            all.push(ask(&session, review, granted, &question).await?);
        }
    }
    // where even this fails the connection is gone, and the server has rolled back
    let _ = session.batch("ROLLBACK").await;
    session.close_connection().await;
    Ok(all)
}

async fn ask(
    session: &Session,
    review: &Review,
    granted: &Granted,
    question: &Question,
) -> Result<Reached> {
    if !session.is_relation(question.name()).await.map_err(broken)? {
        return Ok(Reached::new(granted, Found::Missing));
    }
    match resolve(session, question).await {
        Ok(resolution) => {
            let grants = review.manifest.grants.of(granted.phase);
            Ok(Reached::told(granted, &resolution, grants))
        }
        Err(failure @ Failure::Lost(_)) => Err(broken(failure)),
        // a column that is not there, for example
        Err(failure) => {
            let why = failure.to_string();
            Ok(Reached::new(granted, Found::Unknown { why }))
        }
    }
}

async fn resolve(session: &Session, question: &Question) -> Result<Resolution, Failure> {
    let (touched, writes) = match question {
        Question::Write(_, write) => (Touched::default(), vec![write.clone()]),
        Question::Read(Name { schema, name }, columns) => {
            let columns: Vec<_> = columns
                .iter()
                .map(|column| quoted(column.as_str()))
                .collect();
            let columns = match &columns[..] {
                [] => "*".to_owned(),
                columns => columns.join(", "),
            };
            let table = qualified(schema.as_str(), name.as_str());
            let sql = format!("SELECT {columns} FROM {table}");
            (session.touches(&sql, &[], Actor::Host).await?, Vec::new())
        }
    };
    let effects = session.effects(&writes).await?;
    Ok(resolved(&touched, &effects))
}

fn broken(failure: Failure) -> Error {
    failure.error(Code::Internal, "failed to ask what the grants reach")
}
