//! What goes on beside a running guest: the operator's signals, what the server does for it, and the sessions that
//! block it.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Observer;
use crate::database::Session;
use crate::database::doing::doing;
use crate::database::locks::{self, Holder};
use crate::error::{Code, Error, Result};

/// How often it is asked what goes on; a statement that is done sooner costs no question.
pub const ASK: Duration = Duration::from_secs(1);

/// Where and how often it is asked what goes on.
pub struct Asking<'a> {
    /// Another session than the one that works.
    pub session: &'a Session,
    /// How long to wait between two questions.
    pub every: Duration,
}

/// The signals that ask for an end: SIGINT and SIGTERM.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on the signals are heard here.
    pub fn hear() -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(Code::Internal, "failed to listen for signals").cause(error)
        };
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    /// Waits for a signal.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does the work unless a signal comes first; the work is then dropped.
    pub async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.heard() => Err(interrupted()),
            done = work => Ok(done),
        }
    }
}

/// The run was asked to end.
pub fn interrupted() -> Error {
    Error::new(
        Code::Interrupted,
        "failed to go on: the run was interrupted, and its transaction rolled back",
    )
    .hint("run again to go on; what was committed before stays")
}

/// Why work was dropped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A signal came.
    Signal,
    /// It took too long.
    TooLong,
}

/// Does the work while it is asked, on another session, what the backend `pid` does and who blocks it. It is dropped where a
/// signal comes first, or where it takes longer than `most`. With it come the last blockers that were seen.
pub async fn watched<T>(
    work: impl Future<Output = T>,
    most: Duration,
    signals: &mut Signals,
    asking: Option<Asking<'_>>,
    pid: i32,
    observer: &dyn Observer,
) -> (Result<T, Halt>, Vec<Holder>) {
    let mut work = pin!(work);
    let mut too_long = pin!(sleep(most));
    let mut ticks = interval(asking.as_ref().map_or(ASK, |asking| asking.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut seen: Vec<Holder> = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = signals.heard() => return (Err(Halt::Signal), seen),
            done = &mut work => return (Ok(done), seen),
            () = &mut too_long => return (Err(Halt::TooLong), seen),
            _ = ticks.tick(), if asking.is_some() => {
                let Some(asking) = &asking else { continue };
                // a failed question is no reason to disturb the work
                let (now, doing) =
                    tokio::join!(biased; locks::blockers(asking.session, pid), doing(asking.session, pid));
                let now = now.unwrap_or_default();
                observer.doing(doing.unwrap_or_default().as_ref());
                let news = now.iter().any(|holder| !seen.iter().any(|known| known.pid == holder.pid));
                if news {
                    observer.blocked(&now);
                }
                if !now.is_empty() {
                    seen = now;
                }
            }
        }
    }
}
