//! Opens a connection: the servers of the address in turn, encrypted as sslmode says.
//!
//! As libpq, but: prefer and allow try the other encryption after a failed handshake and after a
//! rule of pg_hba.conf (28000), never after a refused password, so that none is sent in the clear
//! because it was wrong; an address is given up after 10 s where connect_timeout says nothing.

mod failure;
mod session;

use super::address::{Address, Place, Session, Target};
use super::tls::SslMode;
use crate::error::{Code, Error, Result};
use failure::Attempt;
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Client, Config, NoTls, config};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use failure::{reason, server_error};
pub use session::{Canceller, Connection, Loss, OLDEST, ServerVersion};

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
        )
        .hint("is one of them running, and does it take connections from here?");
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
            .hint("check the host's name in DATABASE_URL or PGHOST")
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
                        let how = if *encryption == Disable {
                            "without TLS"
                        } else {
                            "with TLS"
                        };
                        first.cause(format!("{how}: {error}"))
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
        let attempt = Attempt {
            address: self,
            target,
        };
        if encryption != config::SslMode::Disable {
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
            Code::DatabaseTls => Failed::Encryption(failed),
            Code::DatabaseUnreachable => Failed::Next(failed),
            _ => Failed::Final(failed),
        }
    }
}

/// Checks that the server will do.
fn open<S, T>(
    client: Client,
    connection: tokio_postgres::Connection<S, T>,
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
    Ok(Connection::start(client, connection, version, tls))
}

#[cfg(test)]
mod tests;
