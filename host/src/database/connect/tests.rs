use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn versions_are_read_from_what_servers_say() {
    for (text, expected) in [
        ("18.6 (Debian 18.6-1.pgdg13+1)", Some((18, 6))),
        ("15.18", Some((15, 18))),
        ("15beta1", Some((15, 0))),
        ("19devel", Some((19, 0))),
        ("16rc2", Some((16, 0))),
        ("9.6.24", Some((9, 6))),
        ("14.0", Some((14, 0))),
        ("", None),
        ("beta", None),
        ("99999999999", None),
    ] {
        let expected = expected.map(|(major, minor)| ServerVersion { major, minor });
        assert_eq!(ServerVersion::parse(text), expected, "{text}");
    }
}

#[test]
fn versions_below_the_oldest_are_refused() {
    assert!(ServerVersion::check(Some("14.0")).is_ok());
    for said in [
        Some("13.23 (Debian)"),
        Some("9.6.24"),
        Some("nonsense"),
        None,
    ] {
        assert_eq!(
            ServerVersion::check(said).unwrap_err().code(),
            Code::ServerTooOld
        );
    }
}

/// A listener that answers a client's first message with the given bytes, and its address.
async fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut message = [0; 1024];
                let _ = stream.read(&mut message).await;
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    let _ = stream.read(&mut message).await;
                }
            });
        }
    });
    format!("host=127.0.0.1 port={port} user=u sslmode=disable connect_timeout=2")
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

async fn refusal(text: &str) -> Error {
    let address = Address::resolve(Some(text), None, &|_| None).unwrap();
    match address.connect("test").await {
        Ok(_) => panic!("{text}: connected"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_old_server_is_refused_after_its_first_messages() {
    let login = message(b'R', &0u32.to_be_bytes());
    let version = message(b'S', b"server_version\x0013.23 (Debian)\0");
    let ready = message(b'Z', b"I");
    let error = refusal(&answering([login, version, ready].concat()).await).await;
    assert_eq!(error.code(), Code::ServerTooOld);
    assert!(error.to_string().contains("13.23 (Debian)"), "{error}");
}

#[tokio::test]
async fn what_is_no_server_is_unreachable() {
    for (answer, said) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "protocol"),
        (message(b'~', b""), "protocol"),
        (Vec::new(), "no answer within 2 s"),
    ] {
        let error = refusal(&answering(answer).await).await;
        assert_eq!(error.code(), Code::DatabaseUnreachable, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_starting_says_so() {
    let body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let error = refusal(&answering(message(b'E', body)).await).await;
    assert_eq!(error.code(), Code::DatabaseUnreachable);
    assert!(error.to_string().contains("starting up"), "{error}");
    assert_eq!(error.server_report().unwrap().sqlstate, "57P03");
}
