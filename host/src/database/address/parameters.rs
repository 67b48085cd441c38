//! The parameters that were found, and what they come to.

use super::keys::{self, Use};
use super::{Address, Keepalives, Password, Place, Session, Target, syntax};
use crate::database::passfile;
use crate::database::tls::{self, SslMode};
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::config::ChannelBinding;

/// How long one attempt to connect may take where `connect_timeout` does not say.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server without `host` is looked for: the folders of Debian and of PostgreSQL's sources.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Where a parameter was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Given,
    Variable(&'static str),
    Project,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Given => "the connection string (--database-url or DATABASE_URL)",
            Origin::Variable(name) => name,
            Origin::Project => "wasmigrate.toml",
        })
    }
}

pub(super) fn invalid(origin: Origin) -> Error {
    Error::new(Code::ConfigInvalid, format!("failed to read {origin}"))
}

#[derive(Default)]
pub(super) struct Parameters(BTreeMap<&'static str, (String, Origin)>);

impl Parameters {
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Reads a connection string; what is there already stays.
    pub(super) fn add(
        &mut self,
        text: &str,
        origin: Origin,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let pairs = syntax::parse(text).map_err(|why| invalid(origin).cause(why))?;
        let mut read = Parameters::default();
        for (name, value) in pairs {
            let Some(key) = keys::find(&name) else {
                let name = if syntax::is_word(&name) {
                    &name
                } else {
                    "of an odd name"
                };
                return Err(invalid(origin).cause(format!("there is no parameter {name}")));
            };
            read.0.remove(key.name);
            read.set(key.name, value, origin)?;
        }
        for (key, found) in read.0 {
            if wanted(key) {
                self.0.entry(key).or_insert(found);
            }
        }
        Ok(())
    }

    /// Sets what is not set yet, and refuses what cannot be honoured.
    pub(super) fn set(&mut self, name: &'static str, value: String, origin: Origin) -> Result<()> {
        let refuse = |why: String| {
            let place = match origin {
                Origin::Variable(_) => String::new(),
                _ => format!("{name}: "),
            };
            Err(invalid(origin).cause(format!("{place}{why}")))
        };
        if value.contains('\0') {
            return refuse("it holds a zero byte".into());
        }
        match keys::find(name).map(|key| &key.usage) {
            Some(Use::Yes) => {
                self.0.entry(name).or_insert((value, origin));
                Ok(())
            }
            Some(Use::Only(values)) if !values.contains(&value.as_str()) => {
                refuse(format!("only {} is supported", values.join(" or ")))
            }
            Some(Use::Refused(why)) => refuse((*why).to_owned()),
            Some(Use::Only(_) | Use::Ignored) | None => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(|(value, _)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn wrong(&self, key: &str, why: impl fmt::Display) -> Error {
        match self.0.get(key) {
            Some((_, origin @ Origin::Variable(_))) => invalid(*origin).cause(why),
            Some((_, origin)) => invalid(*origin).cause(format!("{key}: {why}")),
            None => Error::new(Code::ConfigInvalid, format!("failed to read {key}")).cause(why),
        }
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> Result<T> {
        let Some(value) = self.text(key) else {
            return Ok(default);
        };
        match choices.iter().find(|(name, _)| *name == value) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                Err(self.wrong(key, format_args!("it must be one of {}", names.join(", "))))
            }
        }
    }

    fn number(&self, key: &str) -> Result<Option<i64>> {
        self.text(key)
            .map(|value| value.trim().parse())
            .transpose()
            .map_err(|_| self.wrong(key, "it must be a whole number"))
    }

    fn seconds(&self, key: &str) -> Result<Option<Duration>> {
        let number = self
            .number(key)?
            .and_then(|number| u64::try_from(number).ok());
        Ok(number.filter(|number| *number > 0).map(Duration::from_secs))
    }

    fn list(&self, key: &str) -> Vec<&str> {
        self.text(key)
            .map(|value| value.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }

    pub(super) fn address(&self, env: &impl Fn(&str) -> Option<String>) -> Result<Address> {
        let user = match self.text("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().map_err(|error| {
                Error::new(
                    Code::ConfigInvalid,
                    "failed to find out the name to log in with",
                )
                .cause(error)
                .hint("give the user in the connection string or PGUSER")
            })?,
        };
        let database = self.text("dbname").unwrap_or(&user).to_owned();
        let home = env("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        let home = home.or_else(std::env::home_dir);
        let mut targets = self.targets()?;
        self.passwords(&mut targets, &user, &database, home.as_deref());
        let connect_timeout = match self.number("connect_timeout")? {
            None => Some(CONNECT_TIMEOUT),
            Some(_) => self.seconds("connect_timeout")?,
        };
        let name = self
            .text("application_name")
            .or(self.text("fallback_application_name"));
        Ok(Address {
            targets,
            options: self.text("options").map(str::to_owned),
            application_name: name.map(str::to_owned),
            connect_timeout,
            channel_binding: self.choice(
                "channel_binding",
                &[
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ],
                ChannelBinding::Prefer,
            )?,
            session: self.choice(
                "target_session_attrs",
                &[
                    ("any", Session::Any),
                    ("read-write", Session::ReadWrite),
                    ("read-only", Session::ReadOnly),
                    ("primary", Session::Primary),
                    ("standby", Session::Standby),
                    ("prefer-standby", Session::PreferStandby),
                ],
                Session::Any,
            )?,
            keepalives: Keepalives {
                off: self.number("keepalives")? == Some(0),
                idle: self.seconds("keepalives_idle")?,
                interval: self.seconds("keepalives_interval")?,
                count: self
                    .number("keepalives_count")?
                    .and_then(|count| u32::try_from(count).ok()),
                user_timeout: self
                    .number("tcp_user_timeout")?
                    .and_then(|number| u64::try_from(number).ok())
                    .filter(|number| *number > 0)
                    .map(Duration::from_millis),
            },
            tls: tls::Lazy::new(self.tls(home)?),
            user,
            database,
        })
    }

    fn tls(&self, home: Option<PathBuf>) -> Result<tls::Options> {
        let system = self.text("sslrootcert") == Some("system");
        let default = if system {
            SslMode::VerifyFull
        } else {
            SslMode::Prefer
        };
        let mode = self.choice("sslmode", SslMode::NAMES, default)?;
        if system && mode != SslMode::VerifyFull {
            return Err(self.wrong(
                "sslmode",
                "with sslrootcert=system only verify-full is strong enough",
            ));
        }
        let file = |key| self.text(key).map(PathBuf::from);
        Ok(tls::Options {
            mode,
            roots: match file("sslrootcert") {
                Some(_) if system => Some(tls::Roots::System),
                file => file.map(tls::Roots::File),
            },
            certificate: file("sslcert"),
            key: file("sslkey"),
            send_certificate: self.choice(
                "sslcertmode",
                &[("allow", true), ("disable", false)],
                true,
            )?,
            server_name: self.choice("sslsni", &[("1", true), ("0", false)], true)?,
            only_tls13: self.choice(
                "ssl_min_protocol_version",
                &[
                    ("TLSv1", false),
                    ("TLSv1.1", false),
                    ("TLSv1.2", false),
                    ("TLSv1.3", true),
                ],
                false,
            )?,
            home,
        })
    }

    fn targets(&self) -> Result<Vec<Target>> {
        let (hosts, ips, ports) = (self.list("host"), self.list("hostaddr"), self.list("port"));
        let count = hosts.len().max(ips.len()).max(1);
        if !hosts.is_empty() && !ips.is_empty() && hosts.len() != ips.len() {
            return Err(self.wrong(
                "hostaddr",
                "it must list as many addresses as there are hosts",
            ));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(self.wrong("port", "it must list one port, or one for each host"));
        }
        let one = |index: usize| {
            let text = ports
                .get(index)
                .or(ports.first())
                .copied()
                .unwrap_or_default();
            let port = match text {
                "" => 5432,
                digits => match digits.parse::<u16>() {
                    Ok(port) if port > 0 => port,
                    _ => return Err(self.wrong("port", "it must be a number from 1 to 65535")),
                },
            };
            let ip = match ips.get(index).copied().unwrap_or_default() {
                "" => None,
                ip => Some(
                    ip.parse::<IpAddr>()
                        .map_err(|_| self.wrong("hostaddr", "it must be an IP address"))?,
                ),
            };
            let host = hosts.get(index).copied().unwrap_or_default();
            let place = match (host, ip) {
                ("", None) => default_place(port),
                ("", Some(ip)) => Place::Host {
                    name: ip.to_string(),
                    ip: Some(ip),
                },
                (folder, None) if folder.starts_with('/') => Place::Socket(folder.into()),
                (host, _)
                    if host.contains(|c: char| {
                        c == '@' || c == '/' || c.is_whitespace() || c.is_control()
                    }) =>
                {
                    return Err(self.wrong(
                        "host",
                        "it is neither a host's name nor a folder that starts with /",
                    ));
                }
                (host, ip) => Place::Host {
                    name: host.to_owned(),
                    ip,
                },
            };
            Ok(Target {
                place,
                port,
                password: None,
            })
        };
        (0..count).map(one).collect()
    }

    fn passwords(&self, targets: &mut [Target], user: &str, database: &str, home: Option<&Path>) {
        if let Some((password, origin)) =
            self.0.get("password").filter(|(text, _)| !text.is_empty())
        {
            let bytes = password.as_bytes().to_vec();
            let password = Password {
                bytes,
                origin: origin.to_string(),
            };
            targets
                .iter_mut()
                .for_each(|target| target.password = Some(password.clone()));
            return;
        }
        let path = match self.text("passfile") {
            Some(path) => Some(PathBuf::from(path)),
            None => home.map(|home| home.join(".pgpass")),
        };
        let Some((path, file)) = path
            .and_then(|path| Some((passfile::read(&path)?, path)))
            .map(|(file, path)| (path, file))
        else {
            return;
        };
        for target in targets {
            let host = match &target.place {
                Place::Socket(folder)
                    if SOCKET_FOLDERS
                        .iter()
                        .any(|usual| folder.as_os_str() == *usual) =>
                {
                    "localhost".into()
                }
                Place::Socket(folder) => folder.to_string_lossy(),
                Place::Host { name, .. } => name.as_str().into(),
            };
            let login = passfile::Login {
                host: &host,
                port: target.port,
                database,
                user,
            };
            target.password = passfile::password(&file, &login).map(|bytes| Password {
                bytes,
                origin: path.display().to_string(),
            });
        }
    }
}

/// The socket folder that holds a socket of that port, or else localhost.
fn default_place(port: u16) -> Place {
    let folder = SOCKET_FOLDERS
        .iter()
        .map(PathBuf::from)
        .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists());
    match folder {
        Some(folder) => Place::Socket(folder),
        None => Place::Host {
            name: "localhost".into(),
            ip: None,
        },
    }
}
