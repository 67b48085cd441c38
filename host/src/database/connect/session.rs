//! An open connection: its server's version, its driver, its cancellation, its end.

use super::failure::{plain, reason};
use crate::error::{Code, Error, Result};
use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, CancelToken, Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The oldest major version of PostgreSQL that is served.
pub const OLDEST: u32 = 14;

/// How many notices of one connection are logged.
const NOTICES: usize = 1000;

/// How long asking for a cancellation, and an orderly end, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open connection. Its driver runs as a task of the runtime that opened it.
pub struct Connection {
    /// To run statements by.
    pub client: Client,
    version: ServerVersion,
    superuser: Option<bool>,
    canceller: Canceller,
    loss: Loss,
    driver: tokio::task::JoinHandle<()>,
}

impl Connection {
    /// Starts the driver.
    pub(super) fn start<S, T>(
        client: Client,
        connection: tokio_postgres::Connection<S, T>,
        version: ServerVersion,
        tls: Option<MakeRustlsConnect>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let superuser = connection.parameter("is_superuser").map(|is| is == "on");
        let canceller = Canceller {
            token: client.cancel_token(),
            tls,
        };
        let loss = Loss::default();
        let driver = tokio::spawn(drive(connection, loss.clone()));
        Connection {
            client,
            version,
            superuser,
            canceller,
            loss,
            driver,
        }
    }

    /// The server's version.
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// Whether the login is a superuser, where the server said so as the session began; a pooler may keep it back.
    pub fn is_superuser(&self) -> Option<bool> {
        self.superuser
    }

    /// What cancels the statement that runs, from anywhere.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Why the connection broke, once it did.
    pub fn loss(&self) -> Loss {
        self.loss.clone()
    }

    /// Says goodbye to the server, so that its log shows no broken connection.
    pub async fn close(self) {
        drop(self.client);
        let _ = tokio::time::timeout(PATIENCE, self.driver).await;
    }
}

/// The reason for which a connection ended before its time.
#[derive(Clone, Default, Debug)]
pub struct Loss(Arc<OnceLock<String>>);

impl Loss {
    /// The reason; nothing while the connection stands.
    pub fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Cancels what runs on one connection, over a connection of its own that is as encrypted.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    tls: Option<MakeRustlsConnect>,
}

impl Canceller {
    /// Asks the server to end the statement. The statement then fails with SQLSTATE 57014, unless
    /// it was done first.
    pub async fn cancel(&self) -> Result<()> {
        let asked = async {
            match &self.tls {
                Some(tls) => self.token.cancel_query(tls.clone()).await,
                None => self.token.cancel_query(NoTls).await,
            }
        };
        let failed = || Error::new(Code::DatabaseUnreachable, "failed to cancel the statement");
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed().cause(reason(&error))),
            Err(_) => Err(failed().cause("the server did not answer")),
        }
    }
}

/// A server's version: 18.6 is `{ major: 18, minor: 6 }`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ServerVersion {
    /// The first number.
    pub major: u32,
    /// The second number; 0 for a beta.
    pub minor: u32,
}

impl ServerVersion {
    /// Reads the parameter `server_version`: `18.6 (Debian 18.6-1)`, `15beta1`, `9.6.24`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| {
            text.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        };
        let major = digits(text);
        let rest = text.get(major.len()..)?;
        let minor = rest.strip_prefix('.').map(digits).unwrap_or_default();
        Some(ServerVersion {
            major: major.parse().ok()?,
            minor: minor.parse().unwrap_or(0),
        })
    }

    /// An error for a server that is older than [`OLDEST`].
    pub fn check(parameter: Option<&str>) -> Result<Self> {
        match parameter.and_then(Self::parse) {
            Some(version) if version.major >= OLDEST => Ok(version),
            _ => {
                let said = plain(parameter.unwrap_or("nothing"));
                Err(Error::new(Code::ServerTooOld, "failed to use the server")
                    .cause(format!(
                        "it says its version is {said}, and PostgreSQL {OLDEST} or newer is needed"
                    ))
                    .hint("upgrade the server, or point DATABASE_URL at a newer one"))
            }
        }
    }
}

/// Moves the bytes, logs the notices, and keeps the reason when the connection breaks.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, loss: Loss)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut notices = 0;
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                notices += 1;
                if notices <= NOTICES {
                    log(&notice);
                } else if notices == NOTICES + 1 {
                    tracing::warn!("the server sends more notices than are logged");
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let _ = loss.0.set(reason(&error));
                return;
            }
            None => return,
        }
    }
}

fn log(notice: &tokio_postgres::error::DbError) {
    let text = plain(notice.message());
    match notice.severity() {
        "WARNING" => tracing::warn!(target: "wasmigrate::server", "{text}"),
        "NOTICE" | "INFO" => tracing::info!(target: "wasmigrate::server", "{text}"),
        _ => tracing::debug!(target: "wasmigrate::server", "{text}"),
    }
}
