//! The journal: the steps of a run in stepwise mode, so that it can be gone on with after any crash.
//!
//! A row is a call of the guest that has had its effect, with its answer, written in the transaction of that
//! effect. A row without an answer stands for a statement that the server runs outside of transactions and
//! that was begun: what became of it, the database itself must be asked. Only open runs have rows, as the
//! answers may hold protected data: they go when the run closes.

use serde::Deserialize;

use super::failure::Failure;
use super::session::Session;
use super::values::Value;

/// How many rows a page holds at most, and how many bytes of answers, but for one row.
const PAGE: (usize, usize) = (500, 4 << 20);

/// A step, as a guest's call makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its place in the run, from 1.
    pub ordinal: i64,
    /// The digest of the call with all that it was given, in hexadecimal.
    pub call: String,
    /// What it is, in words for the operator.
    pub what: String,
    /// Whether it changes the database.
    pub changes: bool,
}

/// A step that an earlier attempt has done or begun.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// Its place in the run.
    pub ordinal: i64,
    /// The digest of the call.
    pub call: String,
    /// What it is.
    pub what: String,
    /// The answer; none where the statement was begun outside of a transaction and not seen to its end.
    #[serde(deserialize_with = "from_hex")]
    pub answer: Option<Vec<u8>>,
}

fn from_hex<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text: Option<String> = Option::deserialize(text)?;
    let decoded = text.map(|text| hex::decode(text).map_err(serde::de::Error::custom));
    decoded.transpose()
}

/// Writes that a step is begun. A twin of this runner that were alive would fail on the key.
pub async fn begin(session: &Session, run: i64, step: &Step) -> Result<(), Failure> {
    let sql = "INSERT INTO wasmigrate.journal (run_id, ordinal, call, what, changes) \
        VALUES ($1, $2, $3, $4, $5)";
    session.execute(sql, &row(run, step)).await.map(drop)
}

/// Writes that a step is done, whether it was written that it is begun or not.
pub async fn end(session: &Session, run: i64, step: &Step, answer: &[u8]) -> Result<(), Failure> {
    let sql = "INSERT INTO wasmigrate.journal (run_id, ordinal, call, what, changes, answer) \
        VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (run_id, ordinal) DO UPDATE SET changes = excluded.changes, answer = excluded.answer";
    let mut params = row(run, step).to_vec();
    params.push(Value::Bytes(answer.to_vec()));
    session.execute(sql, &params).await.map(drop)
}

fn row(run: i64, step: &Step) -> [Value; 5] {
    [
        Value::Int64(run),
        Value::Int64(step.ordinal),
        Value::Text(step.call.clone()),
        Value::Text(step.what.clone()),
        Value::Boolean(step.changes),
    ]
}

/// Takes back that a step is begun, where nothing of it is left.
pub async fn take_back(session: &Session, run: i64, ordinal: i64) -> Result<(), Failure> {
    let sql =
        "DELETE FROM wasmigrate.journal WHERE run_id = $1 AND ordinal = $2 AND answer IS NULL";
    let params = [Value::Int64(run), Value::Int64(ordinal)];
    session.execute(sql, &params).await.map(drop)
}

/// Removes the steps of a run, in the transaction that closes it.
pub async fn close(session: &Session, run: i64) -> Result<(), Failure> {
    let sql = "DELETE FROM wasmigrate.journal WHERE run_id = $1";
    session.execute(sql, &[Value::Int64(run)]).await.map(drop)
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Reached {
    /// The place of the last step that is done or begun; 0 where there is none.
    pub last: i64,
    /// Whether one of them changed the database, or may have.
    pub changed: bool,
}

/// How far a run has come.
pub async fn reached(session: &Session, run: i64) -> Result<Reached, Failure> {
    let sql = "SELECT json_build_object('last', coalesce(max(ordinal), 0), \
          'changed', coalesce(bool_or(changes), false))::text \
        FROM wasmigrate.journal WHERE run_id = $1::bigint";
    Ok(session
        .json(sql, &[&run.to_string()])
        .await?
        .unwrap_or_default())
}

/// The steps of a run from that place on, as many as fit a page; none where there are no more.
pub async fn page(session: &Session, run: i64, from: i64) -> Result<Vec<Kept>, Failure> {
    let (rows, bytes) = PAGE;
    let sql = format!(
        "SELECT json_agg(json_build_object('ordinal', ordinal, 'call', call, 'what', what, \
            'answer', encode(answer, 'hex')) ORDER BY ordinal)::text \
         FROM (SELECT j.*, sum(octet_length(coalesce(j.answer, ''))) OVER (ORDER BY j.ordinal) AS bytes \
           FROM (SELECT * FROM wasmigrate.journal WHERE run_id = $1::bigint AND ordinal >= $2::bigint \
             ORDER BY ordinal LIMIT {rows}) j) p \
         WHERE bytes <= {bytes} OR ordinal = $2::bigint"
    );
    let params = [run.to_string(), from.to_string()];
    let kept = session.json(&sql, &[&params[0], &params[1]]).await?;
    Ok(kept.unwrap_or_default())
}
