use super::parameters::CONNECT_TIMEOUT;
use super::*;
use crate::database::tls::SslMode;
use crate::error::Code;

/// What an address comes to, in words.
fn shown(address: &Address) -> String {
    let target = &address.targets[0];
    let password = target.password.as_ref();
    let password = password.map(|password| String::from_utf8(password.bytes.clone()).unwrap());
    format!("{address} {}", password.unwrap_or_default())
        .trim()
        .to_owned()
}

fn resolve(explicit: Option<&str>, project: Option<&str>, env: &[(&str, &str)]) -> Result<Address> {
    Address::resolve(explicit, project, &|name| match name {
        "HOME" if env.iter().all(|(key, _)| *key != "HOME") => Some("/nonexistent".into()),
        _ => env
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned()),
    })
}

fn given(text: &str) -> Address {
    resolve(Some(text), None, &[]).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_explicit_string_goes_before_the_variables_before_the_project() {
    let all = [
        ("PGHOST", "env"),
        ("PGPORT", "2"),
        ("PGUSER", "eve"),
        ("PGDATABASE", "edb"),
        ("PGPASSWORD", "epw"),
    ];
    for (explicit, project, env, expected) in [
        (
            Some("postgres://u:p@h:1/d"),
            None,
            &all[..],
            "postgres://u@h:1/d p",
        ),
        (
            Some("postgres://h"),
            None,
            &all,
            "postgres://eve@h:2/edb epw",
        ),
        (
            Some("postgres://h/d"),
            Some("postgres://u:p@x:9/y"),
            &all,
            "postgres://eve@h:2/d epw",
        ),
        (None, None, &all, "postgres://eve@env:2/edb epw"),
        (
            None,
            Some("postgres://u:p@h:1/d"),
            &[],
            "postgres://u@h:1/d p",
        ),
        (
            None,
            Some("postgres://u:p@h:1/d"),
            &all[2..3],
            "postgres://eve@h:1/d",
        ),
        (
            None,
            Some("postgres://u:p@h:1/d"),
            &all[3..4],
            "postgres://u@h:1/edb p",
        ),
        // the project's port and password are for its own host
        (
            None,
            Some("postgres://u:p@h:1/d"),
            &all[..1],
            "postgres://u@env:5432/d",
        ),
        (
            None,
            Some("host=h hostaddr=10.0.0.1 user=u dbname=d"),
            &all[..1],
            "postgres://u@env:5432/d",
        ),
        // nothing of the project's is added to an explicit string
        (
            Some("postgres://u@h/d"),
            Some("postgres://u:p@h/d?sslmode=disable"),
            &[],
            "postgres://u@h:5432/d",
        ),
        // an empty variable is not set
        (
            Some("postgres://u@h/d"),
            None,
            &[("PGPORT", ""), ("PGSSLMODE", "")],
            "postgres://u@h:5432/d",
        ),
    ] {
        let address = resolve(explicit, project, env).unwrap();
        assert_eq!(
            shown(&address),
            expected,
            "{explicit:?} {project:?} {env:?}"
        );
    }
}

#[test]
fn every_variable_is_used() {
    let address = resolve(
        Some("postgres://"),
        None,
        &[
            ("PGHOST", "a,b"),
            ("PGHOSTADDR", "10.0.0.1,10.0.0.2"),
            ("PGPORT", "1,2"),
            ("PGUSER", "u"),
            ("PGDATABASE", "d"),
            ("PGSSLMODE", "verify-ca"),
            ("PGSSLROOTCERT", "/ca"),
            ("PGSSLCERT", "/cert"),
            ("PGSSLKEY", "/key"),
            ("PGCONNECT_TIMEOUT", "3"),
            ("PGAPPNAME", "app"),
            ("PGOPTIONS", "-c x=y"),
            ("PGCHANNELBINDING", "require"),
            ("PGTARGETSESSIONATTRS", "read-write"),
        ],
    )
    .unwrap();
    assert_eq!(address.to_string(), "postgres://u@a:1,b:2/d");
    let Place::Host { ip, .. } = &address.targets[1].place else {
        panic!()
    };
    assert_eq!(*ip, Some("10.0.0.2".parse().unwrap()));
    let tls = &address.tls.options;
    assert_eq!(tls.mode, SslMode::VerifyCa);
    assert!(matches!(&tls.roots, Some(tls::Roots::File(path)) if path.as_os_str() == "/ca"));
    assert_eq!(tls.certificate.as_deref(), Some("/cert".as_ref()));
    assert_eq!(tls.key.as_deref(), Some("/key".as_ref()));
    assert_eq!(address.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(address.application_name.as_deref(), Some("app"));
    assert_eq!(address.options.as_deref(), Some("-c x=y"));
    assert_eq!(address.channel_binding, ChannelBinding::Require);
    assert_eq!(address.session, Session::ReadWrite);
}

#[test]
fn defaults_are_libpqs_but_for_the_timeout() {
    let address = resolve(Some("postgres://h"), None, &[]).unwrap();
    let user = whoami::username().unwrap();
    assert_eq!(
        (address.user(), address.database()),
        (user.as_str(), user.as_str())
    );
    assert_eq!(address.tls.options.mode, SslMode::Prefer);
    assert_eq!(address.connect_timeout, Some(CONNECT_TIMEOUT));
    assert_eq!(given("postgres://u@h").database(), "u");
    assert_eq!(given("host=h connect_timeout=0").connect_timeout, None);
    let nowhere = resolve(Some("port=64999 user=u"), None, &[]).unwrap();
    assert_eq!(nowhere.to_string(), "postgres://u@localhost:64999/u");
}

#[test]
fn addresses_are_printed_without_the_password() {
    for (text, expected) in [
        ("postgres://u:hunter2@h/d", "postgres://u@h:5432/d"),
        (
            "user=u password=hunter2 host=h dbname=d",
            "postgres://u@h:5432/d",
        ),
        (
            "postgres://u:hunter2@[::1]:1,h:2/d",
            "postgres://u@[::1]:1,h:2/d",
        ),
        (
            "postgres://u:hunter2@%2Frun%2Fpg/d",
            "postgres://u@/d?host=/run/pg",
        ),
        (
            "host=/run/pg port=5433 user=u password=hunter2 dbname=d",
            "postgres://u@/d?host=/run/pg&port=5433",
        ),
        (
            "host=/run/pg,h user=u password=hunter2 dbname=d",
            "postgres://u@%2Frun%2Fpg:5432,h:5432/d",
        ),
        (
            "hostaddr=10.0.0.1 user=u password=hunter2",
            "postgres://u@10.0.0.1:5432/u",
        ),
        (
            "host=h user='a b' dbname='c/d' password=hunter2",
            "postgres://a%20b@h:5432/c%2Fd",
        ),
    ] {
        let address = given(text);
        assert_eq!(address.to_string(), expected, "{text}");
        assert_eq!(format!("{address:?}"), expected, "{text}");
        assert!(!format!("{address:#?}").contains("hunter2"));
        // and what is printed is an address again
        assert_eq!(given(expected).to_string(), expected);
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name_and_without_the_password() {
    for (text, named) in [
        ("postgres://u:hunter2@h/d?sslmod=require", "sslmod"),
        ("postgres://u:hunter2@h/d?sslmode=on", "sslmode"),
        (
            "postgres://u:hunter2@h/d?channel_binding=yes",
            "channel_binding",
        ),
        (
            "postgres://u:hunter2@h/d?target_session_attrs=rw",
            "target_session_attrs",
        ),
        (
            "postgres://u:hunter2@h/d?connect_timeout=10s",
            "connect_timeout",
        ),
        ("postgres://u:hunter2@h:0/d", "port"),
        ("postgres://u:hunter2@h:70000/d", "port"),
        ("postgres://u:hunter2@a,b/d?port=1,2,3", "port"),
        ("postgres://u:hunter2@a,b/d?hostaddr=10.0.0.1", "hostaddr"),
        ("postgres://u:hunter2@a/d?hostaddr=a", "hostaddr"),
        ("postgres://u:hunter2@h/d?service=x", "service"),
        ("postgres://u:hunter2@h/d?sslcrl=/x", "sslcrl"),
        (
            "postgres://u:hunter2@h/d?require_auth=scram-sha-256",
            "require_auth",
        ),
        ("postgres://u:hunter2@h/d?gssencmode=require", "gssencmode"),
        (
            "postgres://u:hunter2@h/d?sslrootcert=system&sslmode=require",
            "sslmode",
        ),
        ("postgres://u:hunter2@h/d%00", "dbname"),
        ("host=a@b password=hunter2", "host"),
        ("password=hunter2 hunter2", "quotes"),
        ("password=hunter2 host=a hostt=b", "hostt"),
        ("postgres://u:hunter2@h/d?hunter2%20=x", "parameter"),
        ("", "empty"),
    ] {
        let error = resolve(Some(text), None, &[]).expect_err(text);
        assert_eq!(error.code(), Code::ConfigInvalid, "{text}");
        let said = format!("{error} {}", error.hint_text().unwrap_or_default());
        assert!(said.contains(named), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{text}: {said}");
    }
    for (name, value) in [
        ("PGSERVICE", "x"),
        ("PGSSLMODE", "on"),
        ("PGPORT", "x"),
        ("PGREQUIREAUTH", "md5"),
        ("PGCONNECT_TIMEOUT", "x"),
    ] {
        let error = resolve(Some("postgres://h"), None, &[(name, value)]).expect_err(name);
        assert_eq!(error.code(), Code::ConfigInvalid, "{name}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    let error = resolve(None, Some("postgres://h?sslmode=on"), &[]).unwrap_err();
    assert!(error.to_string().contains("wasmigrate.toml"), "{error}");
}

#[test]
fn system_roots_mean_verify_full() {
    let address = given("postgres://h?sslrootcert=system");
    assert_eq!(address.tls.options.mode, SslMode::VerifyFull);
}

#[test]
fn the_password_file_is_read_for_each_host() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".pgpass");
    std::fs::write(
        &path,
        "a:1:d:u:one\nb:*:*:*:two\nlocalhost:*:*:*:socket\n/run/pg:*:*:*:path\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let home = folder.path().to_str().unwrap();
    let elsewhere = path.to_str().unwrap();
    for (text, env, expected) in [
        ("postgres://u@a:1,b:2,c/d", ("HOME", home), "one two -"),
        ("postgres://u@a:1/other", ("HOME", home), "-"),
        ("postgres://u@a:1/d", ("PGPASSFILE", elsewhere), "one"),
        ("postgres://u:given@a:1/d", ("HOME", home), "given"),
        ("host=/tmp user=u", ("HOME", home), "socket"),
        ("host=/var/run/postgresql user=u", ("HOME", home), "socket"),
        ("host=/run/pg user=u", ("HOME", home), "path"),
        (
            "host=a hostaddr=10.0.0.1 port=1 user=u dbname=d",
            ("HOME", home),
            "one",
        ),
    ] {
        let address = resolve(Some(text), None, &[env]).unwrap();
        let found = address.targets.iter().map(|target| match &target.password {
            Some(password) => String::from_utf8(password.bytes.clone()).unwrap(),
            None => "-".into(),
        });
        assert_eq!(found.collect::<Vec<_>>().join(" "), expected, "{text}");
    }
}
