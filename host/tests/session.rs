//! What a session fetches from the server, and what it leaves there.
#![allow(clippy::unwrap_used)]

#[path = "support/wire.rs"]
mod wire;

use wasmigrate::database::address::Address;
use wasmigrate::database::{Session, Value};
use wasmigrate::embedded::{Embedded, Options};
use wire::Wire;

/// A guest may ask for rows of any size and only count them.
#[tokio::test]
async fn rows_that_are_counted_stay_on_the_server() {
    let server = Embedded::start(&Options::default()).unwrap();
    let wire = Wire::open(server.socket_dir());
    let address = Address::resolve(Some(&wire.url()), None, &|_: &str| None).unwrap();
    let session = Session::new(address.connect("session").await.unwrap());
    session.batch("BEGIN").await.unwrap();
    let before = (wire.bytes(), wire.turns());
    let sql = "SELECT repeat('x', 10000000) FROM generate_series(1, $1::integer)";
    assert_eq!(session.count(sql, &[Value::Int64(3)]).await.unwrap(), 3);
    assert!(wire.bytes() - before.0 < 1000, "{}", wire.bytes());
    assert_eq!(wire.turns() - before.1, 1);
    session.count("SELECT 1 / 0", &[]).await.unwrap_err();
    session.close_connection().await;
}
