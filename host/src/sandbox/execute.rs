//! The interface `execute`.

use std::future::poll_fn;
use std::task::Poll;

use super::limits::{Meter, Stop};
use super::outside::is_outside;
use super::state::{Answer, Fault, State, excerpt, values};
use super::steps::Call;
use super::talk::{Events, Level, cut};
use super::wit::{execute, types};
use crate::database::{Failure, Session, Value};
use crate::guard::outside::inside;
use crate::guard::statement::Class;
use crate::migration::Mode;

/// How many steps are on their way to the server at most.
const MOST_SENT: usize = 64;

impl execute::Host for State {
    async fn execute(
        &mut self,
        sql: String,
        params: Vec<types::Value>,
    ) -> wasmtime::Result<Result<u64, types::Error>> {
        let answer = self.execute_statement(sql, params).await;
        self.answer(answer)
    }

    async fn execute_all(
        &mut self,
        steps: Vec<execute::Step>,
    ) -> wasmtime::Result<Result<Vec<u64>, types::Error>> {
        let answer = self.execute_steps(steps).await;
        self.answer(answer)
    }
}

/// A statement that may run, with what is sent ahead of it and behind it.
pub(super) struct Admitted {
    class: Class,
    pub(super) sql: String,
    params: Vec<Value>,
    ahead: String,
    behind: String,
    /// Whether the server judges it by the phase's grants: another that runs otherwise may be admitted meanwhile.
    confined: bool,
}

impl Admitted {
    async fn run(&self, session: &Session) -> Result<u64, Failure> {
        let Admitted {
            sql,
            params,
            ahead,
            behind,
            class,
            ..
        } = self;
        let running = async {
            match class {
                Class::Query => session.count(sql, params).await,
                _ => session.execute(sql, params).await,
            }
        };
        session.between(ahead, running, behind).await
    }
}

impl State {
    async fn execute_statement(&mut self, sql: String, params: Vec<types::Value>) -> Answer<u64> {
        self.ready_to_write()?;
        let params = values(params);
        let call = Call::changing("execute", &sql, &(&sql, &params));
        if let Some(rows) = self.begin_step(call).await? {
            return Ok(rows);
        }
        let statement = self.admitted(sql, params).await?;
        let rows = match is_outside(&statement.class) {
            // where nothing is kept, all is rolled back: a trial
            Some(_) if self.stepping.is_none() => run_inside(&self.session, &statement.sql).await,
            Some(change) => Ok(self.run_outside(&statement, change).await?),
            None => statement.run(&self.session).await,
        };
        let rows = self.counted(&statement, rows)?;
        self.end_step(&rows, statement.class != Class::Query)
            .await?;
        Ok(rows)
    }

    /// Each is a step of its own, and only what is done now is told.
    async fn execute_one_by_one(&mut self, steps: Vec<execute::Step>) -> Answer<Vec<u64>> {
        let total = steps.len() as u64;
        let mut affected = Vec::new();
        for execute::Step { sql, params, note } in steps {
            affected.push(self.execute_statement(sql, params).await?);
            if !self.was_repeated() {
                tell(&mut self.meter, &*self.events, &note, affected.len(), total)?;
            }
        }
        Ok(affected)
    }

    /// Sends as many at once as can be judged without knowing what the ones before have done.
    async fn execute_steps(&mut self, steps: Vec<execute::Step>) -> Answer<Vec<u64>> {
        self.ready_to_write()?;
        if self.mode == Mode::Stepwise {
            return self.execute_one_by_one(steps).await;
        }
        let total = steps.len() as u64;
        let texts: Vec<&str> = steps.iter().map(|step| &*step.sql).collect();
        self.read_ahead(&texts)?;
        let mut affected = Vec::new();
        let mut waiting = Vec::new();
        for execute::Step { sql, params, note } in steps {
            let alone = !self.is_told_by_text(&sql)?;
            if alone || waiting.len() == MOST_SENT {
                let sent = std::mem::take(&mut waiting);
                self.send(sent, total, &mut affected).await?;
            }
            waiting.push((self.admitted(sql, values(params)).await?, note));
        }
        self.send(waiting, total, &mut affected).await?;
        Ok(affected)
    }

    async fn admitted(&mut self, sql: String, params: Vec<Value>) -> Answer<Admitted> {
        let class = self.admit(&sql).await?;
        let (ahead, behind) = match is_outside(&class) {
            Some(_) => Default::default(),
            None => (self.ahead(&class).await?, self.acting.behind(&class)),
        };
        Ok(Admitted {
            confined: self.acting.is_confined(),
            ahead,
            behind,
            params,
            class,
            sql,
        })
    }

    fn counted(&mut self, statement: &Admitted, rows: Result<u64, Failure>) -> Answer<u64> {
        let rows =
            rows.map_err(|failure| self.fault_of(&statement.sql, statement.confined, failure))?;
        tracing::debug!(statement = excerpt(&statement.sql), rows, "ran");
        // of a SELECT the server tells how many rows it returned, which are not changed
        if statement.class != Class::Query {
            self.rows_affected = self.rows_affected.saturating_add(rows);
        }
        Ok(rows)
    }

    /// Sends the statements one behind the other, and waits for each.
    async fn send(
        &mut self,
        statements: Vec<(Admitted, String)>,
        total: u64,
        affected: &mut Vec<u64>,
    ) -> Answer<()> {
        let mut sent = Vec::with_capacity(statements.len());
        for (statement, _) in &statements {
            let mut running = Box::pin(statement.run(&self.session));
            // what is not asked for is not sent
            let answer = poll_fn(|context| Poll::Ready(running.as_mut().poll(context))).await;
            sent.push((running, answer));
        }
        let mut answers = Vec::with_capacity(sent.len());
        for ((_, note), (running, answer)) in statements.iter().zip(sent) {
            let answer = match answer {
                Poll::Ready(answer) => answer,
                Poll::Pending => running.await,
            };
            let failed = answer.is_err();
            answers.push(answer);
            if failed {
                break;
            }
            let done = affected.len() + answers.len();
            tell(&mut self.meter, &*self.events, note, done, total)?;
        }
        for ((statement, _), answer) in statements.iter().zip(answers) {
            affected.push(self.counted(statement, answer)?);
        }
        Ok(())
    }
}

/// Tells that a statement of several is done.
fn tell(meter: &mut Meter, events: &dyn Events, note: &str, done: usize, total: u64) -> Answer<()> {
    if !note.is_empty() {
        let noted = meter.add_log(note.len());
        noted.map_err(|error| Fault::Stop(Stop::Failed(error)))?;
        events.log(Level::Info, cut(note));
    }
    events.progress(done as u64, total);
    Ok(())
}

/// Runs a statement for outside of transactions in its form for inside, if it has one.
async fn run_inside(session: &Session, sql: &str) -> Result<u64, Failure> {
    match inside(sql) {
        Some(sql) => session.execute(&sql, &[]).await,
        None => Ok(0),
    }
}
