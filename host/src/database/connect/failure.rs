//! Turns what tokio-postgres, rustls and the server say into errors that a user can act on.

use crate::database::address::{Address, Target};
use crate::error::{Code, Error, ServerReport};
use crate::text::is_hidden;
use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use tokio_postgres::error::DbError;

/// The longest text of a server that is repeated, in characters.
const TEXT_LIMIT: usize = 2000;

/// A server's text, fit to be printed: control and direction characters escaped, cut to a limit.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == TEXT_LIMIT {
            plain.push_str(" [cut]");
            break;
        }
        match c {
            '\n' | '\t' => plain.push(c),
            c if is_hidden(c) => plain.extend(c.escape_default()),
            c => plain.push(c),
        }
    }
    plain
}

/// What the server said beside its message, if it was the server that refused.
pub fn server_error(error: &tokio_postgres::Error) -> Option<ServerReport> {
    error.as_db_error().map(|error| ServerReport {
        sqlstate: error.code().code().to_owned(),
        detail: error.detail().map(plain),
        hint: error.hint().map(plain),
    })
}

/// Why, in one line: the server's message, or the chain of causes.
pub fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return plain(error.message());
    }
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    plain(&text)
}

/// How an attempt to connect was made.
pub(super) struct Attempt<'a> {
    pub(super) address: &'a Address,
    pub(super) target: &'a Target,
}

impl Attempt<'_> {
    pub(super) fn failed(&self, error: &tokio_postgres::Error) -> Error {
        if let Some(refusal) = error.as_db_error() {
            let failed = self.refused(refusal).cause(plain(refusal.message()));
            return match server_error(error) {
                Some(report) => failed.server(report),
                None => failed,
            };
        }
        let mut next = error.source();
        while let Some(cause) = next {
            if let Some(tls) = tls_error(cause) {
                return self.tls(tls);
            }
            next = cause.source();
        }
        let cause = error.source().map(|cause| plain(&cause.to_string()));
        // tokio-postgres keeps its kinds to itself; their texts are what there is to tell them by.
        match (error.to_string().as_str(), cause.as_deref()) {
            ("invalid configuration", Some("password missing")) => self
                .login()
                .cause("the server asks for a password, and none is given")
                .hint("give it by PGPASSWORD, in the password file ~/.pgpass (mode 600), or in DATABASE_URL"),
            ("authentication error", Some("server did not use channel binding")) => self
                .login()
                .cause("channel_binding=require, but the server did not use channel binding")
                .hint("channel binding needs TLS and the method scram-sha-256 in pg_hba.conf"),
            ("authentication error", Some("unsupported authentication method")) => self
                .login()
                .cause("the server asks for a method other than a password, SCRAM or a certificate")
                .hint("GSSAPI and SSPI are not supported; the method is chosen in pg_hba.conf"),
            ("authentication error", why) => {
                self.login().cause(why.unwrap_or("the server's answer is wrong"))
            }
            ("error performing TLS handshake", Some("server does not support TLS")) => self.encrypted(
                "the server does not offer TLS",
                "set ssl = on in postgresql.conf; or, on a network that you trust, sslmode=prefer",
            ),
            ("error performing TLS handshake", why) => self.encrypted(
                why.unwrap_or("the handshake failed"),
                "is it a PostgreSQL server that answers at this address?",
            ),
            ("error communicating with the server", Some(why))
                if why == "bytes remaining on stream" || why.starts_with("unknown message tag") =>
            {
                self.unreachable()
                    .cause("what answers there does not speak PostgreSQL's protocol")
            }
            ("error communicating with the server" | "connection closed", None | Some("early eof")) => {
                self.unreachable().cause("the connection was closed before it was ready")
            }
            ("error connecting to server" | "error communicating with the server", Some(why)) => {
                self.unreachable().cause(why)
            }
            ("error parsing response from server" | "unexpected message from server", _) => self
                .unreachable()
                .cause("what answers there does not speak PostgreSQL's protocol"),
            _ => self.unreachable().cause(reason(error)),
        }
    }

    fn unreachable(&self) -> Error {
        Error::new(
            Code::DatabaseUnreachable,
            format!("failed to connect to {}", self.target),
        )
        .hint("is the server running there, and does it take connections from here? DATABASE_URL or the PG* variables name it")
    }

    fn login(&self) -> Error {
        let message = format!(
            "failed to log in to {} as `{}`",
            self.target, self.address.user
        );
        Error::new(Code::DatabaseAuth, message).hint(
            "check the user and the password; they are read from the URL, PGUSER and PGPASSWORD, and the password file",
        )
    }

    /// What a refusal of the server means. Source: PostgreSQL, "PostgreSQL Error Codes".
    fn refused(&self, error: &DbError) -> Error {
        let open = |code| {
            let database = &self.address.database;
            Error::new(
                code,
                format!("failed to open database `{database}` at {}", self.target),
            )
        };
        match error.code().code() {
            "28P01" => match &self.target.password {
                Some(password) => self
                    .login()
                    .hint(format!("the password that was refused came from {}", password.origin)),
                None => self.login(),
            },
            "28000" if error.message().contains("certificate") => self
                .login()
                .hint("the server wants a client certificate that is made out to this user: sslcert and sslkey"),
            "28000" if error.message().contains("pg_hba.conf") => self
                .login()
                .hint("pg_hba.conf on the server decides who may log in from where, to which database, and whether with TLS"),
            "28000" => self.login(),
            "3D000" => open(Code::DatabaseMissing)
                .hint("create it first, or correct the name in DATABASE_URL or PGDATABASE"),
            "42501" => open(Code::DatabasePrivilege)
                .hint("grant CONNECT on the database to this login"),
            "53300" => self
                .unreachable()
                .hint("no connection is left for this login; wait, or raise the server's or the role's limit"),
            "57P03" => self
                .unreachable()
                .hint("the server is starting up, shutting down or recovering; try again in a moment"),
            "22023" | "42704" | "42601" if self.address.options.is_some() => {
                Error::new(Code::ConfigInvalid, "failed to connect with the given options")
                    .hint("`options` (or PGOPTIONS) holds something that the server does not take")
            }
            _ => self.unreachable(),
        }
    }

    fn encrypted(&self, why: &str, hint: &str) -> Error {
        let message = format!("failed to make an encrypted connection to {}", self.target);
        Error::new(Code::DatabaseTls, message).cause(why).hint(hint)
    }

    fn tls(&self, error: &rustls::Error) -> Error {
        use rustls::CertificateError as Bad;
        let text = plain(&error.to_string());
        let hint = match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                Bad::UnknownIssuer | Bad::BadSignature => {
                    "no root certificate of sslrootcert (or ~/.postgresql/root.crt) has signed the server's; name the right one"
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "connect by a name that the certificate holds, or say sslmode=verify-ca where the name does not matter"
                }
                Bad::Expired
                | Bad::ExpiredContext { .. }
                | Bad::NotValidYet
                | Bad::NotValidYetContext { .. } => {
                    "the server needs a new certificate, or a clock is wrong"
                }
                _ => {
                    "rustls does not take the server's certificate; it must be of X.509 version 3, and a server's certificate, not an authority's"
                }
            },
            rustls::Error::AlertReceived(_) => {
                "the server ended the handshake: it may ask for a client certificate (sslcert, sslkey), or does not trust the one it got"
            }
            _ => "the server and rustls (TLS 1.2 and 1.3) do not agree",
        };
        self.encrypted(&text, hint)
    }
}

/// The TLS error inside an I/O error, or itself.
fn tls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref::<rustls::Error>().or_else(|| {
        let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        inner
            .downcast_ref::<rustls::Error>()
            .or_else(|| tls_error(inner.source()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_cannot_steer_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2J\r\u{202e}b\nc"),
            "a\\u{1b}[2J\\r\\u{202e}b\nc"
        );
        assert_eq!(plain(&"x".repeat(3000)).len(), TEXT_LIMIT + " [cut]".len());
    }
}
