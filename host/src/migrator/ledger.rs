//! The lock session, on which run events are written in their order while the work session works.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::workplace::given_up;
use crate::database::runs::Event;
use crate::database::{Session, schema};
use crate::error::{Error, Result};

enum Entry {
    /// The schema `wasmigrate` is brought from that layout to the newest.
    Layout(usize),
    Event(Event),
    Settle(oneshot::Sender<Result<()>>),
}

/// The session that holds the run lock, and what is still to be written on it.
pub struct Ledger {
    session: Arc<Session>,
    entries: mpsc::UnboundedSender<Entry>,
    writer: JoinHandle<()>,
}

impl Ledger {
    /// Opens a ledger on the session that holds the run lock.
    pub fn open(session: Session) -> Self {
        let session = Arc::new(session);
        let (entries, queue) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write(Arc::clone(&session), queue));
        Ledger {
            session,
            entries,
            writer,
        }
    }

    /// The session itself, for questions.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session itself, for who outlives a borrow.
    pub fn shared(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// Has the schema `wasmigrate` brought from that layout to the newest. Does not wait for it.
    pub fn upgrade(&self, from: usize) {
        self.enter(Entry::Layout(from));
    }

    /// Has an event written after all that was asked for before. Does not wait for it:
    /// [`Ledger::settled`] tells whether it was.
    pub fn record(&self, event: Event) {
        self.enter(Entry::Event(event));
    }

    /// Waits until everything is written; the first failure since the last call.
    pub async fn settled(&self) -> Result<()> {
        let (answer, told) = oneshot::channel();
        self.enter(Entry::Settle(answer));
        told.await.map_err(|_| given_up())?
    }

    /// Waits until everything is written, and says goodbye to the server: the run lock is free.
    pub async fn close(self) -> Result<()> {
        let settled = self.settled().await;
        drop(self.entries);
        let _ = self.writer.await;
        if let Some(session) = Arc::into_inner(self.session) {
            session.close_connection().await;
        }
        settled
    }

    fn enter(&self, entry: Entry) {
        // where the writer is gone, `settled` says so
        let _ = self.entries.send(entry);
    }
}

async fn write(session: Arc<Session>, mut queue: mpsc::UnboundedReceiver<Entry>) {
    let mut failed: Option<Error> = None;
    while let Some(entry) = queue.recv().await {
        match entry {
            Entry::Settle(answer) => {
                let _ = answer.send(failed.take().map_or(Ok(()), Err));
            }
            // what comes after a failure may rely on what failed
            _ if failed.is_some() => {}
            Entry::Layout(from) => failed = schema::upgrade(&session, from).await.err(),
            Entry::Event(event) => failed = event.write(&session).await.err(),
        }
    }
}
