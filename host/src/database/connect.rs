//! Opens a connection: the servers of the address in turn, encrypted as sslmode says.

use super::address::{Address, Place, Session, Target};
use super::failure::{self, Attempt};
use super::tls::SslMode;
use crate::error::{Code, Error, Result};
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls, config};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use super::failure::{reason, server_error};

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
    canceller: Canceller,
    loss: Loss,
    driver: tokio::task::JoinHandle<()>,
}

impl Connection {
    /// The server's version.
    pub fn version(&self) -> ServerVersion {
        self.version
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
                let said = failure::plain(parameter.unwrap_or("nothing"));
                Err(
                    Error::new(Code::ServerTooOld, "failed to use the server").cause(format!(
                        "it says its version is {said}, and PostgreSQL {OLDEST} or newer is needed"
                    )),
                )
            }
        }
    }
}

/// What became of one attempt.
enum Failed {
    /// The next server of the list may do.
    Next(Error),
    /// A server answered, and no other attempt can be better.
    Final(Error),
    /// The server would not talk with this encryption; with another it may.
    Encryption(Error),
}

impl Address {
    /// Connects to the first server of the list that answers, logs in and checks its version.
    ///
    /// `application_name` is used where the address names no other. As in libpq, another server is
    /// tried when one cannot be reached, but not when one refuses the login.
    pub async fn connect(&self, application_name: &str) -> Result<Connection> {
        let name = self.application_name.as_deref().unwrap_or(application_name);
        let rounds: &[Session] = match self.session {
            Session::PreferStandby => &[Session::Standby, Session::Any],
            _ => &[self.session],
        };
        let mut failures = Vec::new();
        for wanted in rounds {
            failures.clear();
            for target in &self.targets {
                let ips = match self.lookup(target).await {
                    Ok(ips) => ips,
                    Err(error) => {
                        failures.push(error);
                        continue;
                    }
                };
                for ip in ips {
                    match self.limited(target, ip, name, *wanted).await {
                        Ok(connection) => return Ok(connection),
                        Err(Failed::Next(error)) => failures.push(error),
                        Err(Failed::Final(error) | Failed::Encryption(error)) => return Err(error),
                    }
                }
            }
        }
        if failures.len() == 1 {
            return Err(failures.remove(0));
        }
        let error = Error::new(
            Code::DatabaseUnreachable,
            "failed to connect to any of the servers",
        );
        Err(failures
            .iter()
            .fold(error, |error, failure| error.cause(failure)))
    }

    /// The IP addresses to try; `None` stands for the socket.
    async fn lookup(&self, target: &Target) -> Result<Vec<Option<IpAddr>>> {
        let name = match &target.place {
            Place::Socket(_) => return Ok(vec![None]),
            Place::Host { ip: Some(ip), .. } => return Ok(vec![Some(*ip)]),
            Place::Host { name, .. } => name,
        };
        let failed = |why: String| {
            Error::new(
                Code::DatabaseUnreachable,
                format!("failed to find host `{name}` (port {})", target.port),
            )
            .cause(why)
        };
        let found = tokio::net::lookup_host((name.as_str(), target.port));
        let found = match self.connect_timeout {
            Some(limit) => tokio::time::timeout(limit, found)
                .await
                .map_err(|_| failed("the name service did not answer".into()))?,
            None => found.await,
        };
        let mut ips = Vec::new();
        for found in found.map_err(|error| failed(error.to_string()))? {
            if !ips.contains(&Some(found.ip())) {
                ips.push(Some(found.ip()));
            }
        }
        if ips.is_empty() {
            Err(failed("it has no address".into()))
        } else {
            Ok(ips)
        }
    }

    async fn limited(
        &self,
        target: &Target,
        ip: Option<IpAddr>,
        name: &str,
        wanted: Session,
    ) -> Result<Connection, Failed> {
        let attempt = self.attempt(target, ip, name, wanted);
        match self.connect_timeout {
            Some(limit) => tokio::time::timeout(limit, attempt)
                .await
                .unwrap_or_else(|_| {
                    Err(Failed::Next(
                        Error::new(
                            Code::DatabaseUnreachable,
                            format!("failed to connect to {target}"),
                        )
                        .cause(format!("no answer within {} s", limit.as_secs()))
                        .hint("connect_timeout, or PGCONNECT_TIMEOUT, sets the limit"),
                    ))
                }),
            None => attempt.await,
        }
    }

    /// One server, with the encryptions of sslmode in turn.
    async fn attempt(
        &self,
        target: &Target,
        ip: Option<IpAddr>,
        name: &str,
        wanted: Session,
    ) -> Result<Connection, Failed> {
        use config::SslMode::{Disable, Prefer, Require};
        let plan: &[config::SslMode] = match (ip, self.tls.options.mode) {
            // as libpq: a Unix socket is never encrypted
            (None, _) | (_, SslMode::Disable) => &[Disable],
            (_, SslMode::Allow) => &[Disable, Require],
            (_, SslMode::Prefer) => &[Prefer, Disable],
            _ => &[Require],
        };
        let mut first: Option<Error> = None;
        for (index, encryption) in plan.iter().enumerate() {
            let error = match self.once(target, ip, name, wanted, *encryption).await {
                Err(Failed::Encryption(error)) => error,
                done => return done,
            };
            if index + 1 == plan.len() {
                return Err(Failed::Final(match first {
                    Some(first) => {
                        first.cause(format!("and the other way, encrypted or not: {error}"))
                    }
                    None => error,
                }));
            }
            tracing::debug!("trying {target} with other encryption: {error}");
            first = Some(error);
        }
        Err(Failed::Final(Error::new(
            Code::Internal,
            "failed to choose an encryption",
        )))
    }

    async fn once(
        &self,
        target: &Target,
        ip: Option<IpAddr>,
        name: &str,
        wanted: Session,
        encryption: config::SslMode,
    ) -> Result<Connection, Failed> {
        let config = self.config(target, ip, name, encryption);
        let tls = encryption != config::SslMode::Disable;
        let attempt = Attempt {
            address: self,
            target,
            tls,
        };
        if tls {
            let connector = self.tls.connector().map_err(Failed::Final)?;
            match config.connect(connector.clone()).await {
                Ok((client, connection)) => {
                    open(client, connection, Some(connector), wanted, target)
                }
                Err(error) => Err(attempt.sorted(&error)),
            }
        } else {
            match config.connect(NoTls).await {
                Ok((client, connection)) => open(client, connection, None, wanted, target),
                Err(error) => Err(attempt.sorted(&error)),
            }
        }
    }

    fn config(
        &self,
        target: &Target,
        ip: Option<IpAddr>,
        name: &str,
        encryption: config::SslMode,
    ) -> Config {
        let mut config = Config::new();
        match (&target.place, ip) {
            (Place::Socket(folder), _) => config.host_path(folder),
            (Place::Host { name, .. }, Some(ip)) => config.host(name).hostaddr(ip),
            (Place::Host { name, .. }, None) => config.host(name),
        };
        config
            .port(target.port)
            .user(&self.user)
            .dbname(&self.database)
            .application_name(name)
            .ssl_mode(encryption)
            .channel_binding(self.channel_binding)
            .keepalives(!self.keepalives.off);
        if let Some(password) = &target.password {
            config.password(&password.bytes);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if let Some(limit) = self.connect_timeout {
            config.connect_timeout(limit); // the canceller's; the whole attempt has it too
        }
        if let Some(idle) = self.keepalives.idle {
            config.keepalives_idle(idle);
        }
        if let Some(interval) = self.keepalives.interval {
            config.keepalives_interval(interval);
        }
        if let Some(count) = self.keepalives.count {
            config.keepalives_retries(count);
        }
        if let Some(limit) = self.keepalives.user_timeout {
            config.tcp_user_timeout(limit);
        }
        config
    }
}

impl Attempt<'_> {
    fn sorted(&self, error: &tokio_postgres::Error) -> Failed {
        let failed = self.failed(error);
        match failed.code() {
            // pg_hba.conf may have a rule for the other; a refused password is never tried again in the clear
            Code::DatabaseAuth
                if error.code()
                    == Some(
                        &tokio_postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    ) =>
            {
                Failed::Encryption(failed)
            }
            Code::DatabaseTls if self.tls => Failed::Encryption(failed),
            Code::DatabaseUnreachable => Failed::Next(failed),
            _ => Failed::Final(failed),
        }
    }
}

type Driven<S, T> = tokio_postgres::Connection<S, T>;

/// Checks the server and starts the driver.
fn open<S, T>(
    client: Client,
    connection: Driven<S, T>,
    tls: Option<MakeRustlsConnect>,
    wanted: Session,
    target: &Target,
) -> Result<Connection, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version =
        ServerVersion::check(connection.parameter("server_version")).map_err(Failed::Final)?;
    // Both are reported by every server since 14, so no query is needed.
    let standby = connection.parameter("in_hot_standby") == Some("on");
    let read_only = standby || connection.parameter("default_transaction_read_only") == Some("on");
    let unfit = match wanted {
        Session::ReadWrite if read_only => Some("it is read-only"),
        Session::ReadOnly if !read_only => Some("it is not read-only"),
        Session::Primary if standby => Some("it is a standby"),
        Session::Standby if !standby => Some("it is no standby"),
        _ => None,
    };
    if let Some(why) = unfit {
        let message = format!("failed to use the server at {target} as target_session_attrs asks");
        return Err(Failed::Next(
            Error::new(Code::DatabaseUnreachable, message).cause(why),
        ));
    }
    let canceller = Canceller {
        token: client.cancel_token(),
        tls,
    };
    let loss = Loss::default();
    let driver = tokio::spawn(drive(connection, loss.clone()));
    Ok(Connection {
        client,
        version,
        canceller,
        loss,
        driver,
    })
}

/// Moves the bytes, logs the notices, and keeps the reason when the connection breaks.
async fn drive<S, T>(mut connection: Driven<S, T>, loss: Loss)
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
    let text = failure::plain(notice.message());
    match notice.severity() {
        "WARNING" => tracing::warn!(target: "wasmigrate::server", "{text}"),
        "NOTICE" | "INFO" => tracing::info!(target: "wasmigrate::server", "{text}"),
        _ => tracing::debug!(target: "wasmigrate::server", "{text}"),
    }
}

#[cfg(test)]
mod tests;
