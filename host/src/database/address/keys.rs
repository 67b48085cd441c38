//! The parameters of a connection string: which are used, and what happens to the others.

/// What is done with a parameter that libpq knows.
pub(super) enum Use {
    /// It is used.
    Yes,
    /// Only these values are what happens anyway; any other is refused.
    Only(&'static [&'static str]),
    /// It says nothing about what is done here.
    Ignored,
    /// Ignoring it would be wrong, so it is refused with this reason.
    Refused(&'static str),
}

pub(super) struct Key {
    pub(super) name: &'static str,
    /// The environment variable that sets it where the connection string does not.
    pub(super) variable: Option<&'static str>,
    pub(super) usage: Use,
}

const fn key(name: &'static str, variable: &'static str, usage: Use) -> Key {
    Key {
        name,
        variable: Some(variable),
        usage,
    }
}

const fn bare(name: &'static str, usage: Use) -> Key {
    Key {
        name,
        variable: None,
        usage,
    }
}

use Use::{Ignored, Only, Refused, Yes};

/// Source: PostgreSQL 18, "Parameter Key Words" and "Environment Variables" of libpq.
/// PGCLIENTENCODING is left out: it is for programs that print bytes, and this one speaks UTF-8.
pub(super) const KEYS: &[Key] = &[
    key("host", "PGHOST", Yes),
    key("hostaddr", "PGHOSTADDR", Yes),
    key("port", "PGPORT", Yes),
    key("dbname", "PGDATABASE", Yes),
    key("user", "PGUSER", Yes),
    key("password", "PGPASSWORD", Yes),
    key("passfile", "PGPASSFILE", Yes),
    key("options", "PGOPTIONS", Yes),
    key("application_name", "PGAPPNAME", Yes),
    bare("fallback_application_name", Yes),
    key("connect_timeout", "PGCONNECT_TIMEOUT", Yes),
    key("sslmode", "PGSSLMODE", Yes),
    key("sslrootcert", "PGSSLROOTCERT", Yes),
    key("sslcert", "PGSSLCERT", Yes),
    key("sslkey", "PGSSLKEY", Yes),
    key("sslsni", "PGSSLSNI", Yes),
    key("sslcertmode", "PGSSLCERTMODE", Yes),
    key("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Yes),
    key("channel_binding", "PGCHANNELBINDING", Yes),
    key("target_session_attrs", "PGTARGETSESSIONATTRS", Yes),
    bare("keepalives", Yes),
    bare("keepalives_idle", Yes),
    bare("keepalives_interval", Yes),
    bare("keepalives_count", Yes),
    bare("tcp_user_timeout", Yes),
    bare(
        "client_encoding",
        Only(&["UTF8", "utf8", "UTF-8", "utf-8", "auto"]),
    ),
    bare("replication", Only(&["false", "off", "no", "0"])),
    key("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"])),
    key("gssdelegation", "PGGSSDELEGATION", Only(&["0"])),
    key("krbsrvname", "PGKRBSRVNAME", Ignored),
    key("gsslib", "PGGSSLIB", Ignored),
    key("sslcompression", "PGSSLCOMPRESSION", Only(&["0"])),
    key("sslnegotiation", "PGSSLNEGOTIATION", Only(&["postgres"])),
    key(
        "ssl_max_protocol_version",
        "PGSSLMAXPROTOCOLVERSION",
        Only(&["TLSv1.3"]),
    ),
    key(
        "min_protocol_version",
        "PGMINPROTOCOLVERSION",
        Only(&["3.0"]),
    ),
    key(
        "max_protocol_version",
        "PGMAXPROTOCOLVERSION",
        Only(&["3.0", "3.2", "latest"]),
    ),
    key(
        "load_balance_hosts",
        "PGLOADBALANCEHOSTS",
        Only(&["disable"]),
    ),
    key(
        "service",
        "PGSERVICE",
        Refused("service files are not read; give the connection itself"),
    ),
    key(
        "sslcrl",
        "PGSSLCRL",
        Refused("revocation lists are not supported"),
    ),
    key(
        "sslcrldir",
        "PGSSLCRLDIR",
        Refused("revocation lists are not supported"),
    ),
    bare(
        "sslpassword",
        Refused(
            "encrypted keys are not supported; give a key without a password, readable by its owner only",
        ),
    ),
    key(
        "requirepeer",
        "PGREQUIREPEER",
        Refused("the server's user cannot be checked"),
    ),
    key(
        "require_auth",
        "PGREQUIREAUTH",
        Refused(
            "the way of logging in cannot be prescribed; channel_binding=require prescribes SCRAM over TLS",
        ),
    ),
    key("requiressl", "PGREQUIRESSL", Refused("use sslmode")),
    bare("scram_client_key", Refused("only a password is supported")),
    bare("scram_server_key", Refused("only a password is supported")),
];

/// The parameter of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether libpq knows the name.
pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some()
}
