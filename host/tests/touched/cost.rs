//! What a look-up costs: round trips, counted on the wire, and no time.

use std::collections::BTreeSet;

use super::wire::Wire;
use super::{SERVER, run};
use wasmigrate::database::role::Actor;
use wasmigrate::touched::{Verb, Write};

#[test]
fn a_look_up_of_what_is_plain_is_one_round_trip() {
    let wire = Wire::open(SERVER.socket_dir());
    run(wire.url(), async |session| {
        session.open_temporary().await.unwrap();
        session
            .batch("BEGIN; SET LOCAL search_path = pg_catalog, pg_temp")
            .await
            .unwrap();
        let sql = "UPDATE s.plain SET v = $1 WHERE id = $2";
        let types = session.parameter_types(sql, Actor::Host).await.unwrap();
        let writes = [Write {
            schema: "s".into(),
            table: "plain".into(),
            verb: Verb::Update(None),
        }];
        let defined = ["plain", "defined"].map(|table| Write {
            schema: "s".into(),
            table: table.into(),
            verb: Verb::Define,
        });
        // the first of a session is prepared
        session.touches(sql, &types, Actor::Host).await.unwrap();
        session.effects(&writes).await.unwrap();
        for _ in 0..2 {
            let before = wire.turns();
            session.touches(sql, &types, Actor::Host).await.unwrap();
            let between = wire.turns();
            session.effects(&writes).await.unwrap();
            assert_eq!((between - before, wire.turns() - between), (1, 1));
            // a table that is known to be quiet costs its commands nothing more
            let before = wire.turns();
            let found = session.surroundings(&defined).await.unwrap();
            assert_eq!(wire.turns() - before, 1);
            let quiet = BTreeSet::from([("s".to_owned(), "plain".to_owned())]);
            assert_eq!((found.quiet, found.triggers), (quiet, Vec::new()));
            session
                .touches("SELECT nothing FROM s.a", &[], Actor::Host)
                .await
                .unwrap_err();
            let before = wire.turns();
            let (touched, effects) = tokio::join!(biased; session.touches(sql, &types, Actor::Host), session.effects(&writes));
            touched.unwrap();
            effects.unwrap();
            assert_eq!(wire.turns() - before, 1, "both at once");
        }
    });
}
