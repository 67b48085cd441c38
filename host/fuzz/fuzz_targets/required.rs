//! Whatever the text is, the statement wall answers.
#![no_main]

use wasmigrate::guard::statement::required;

libfuzzer_sys::fuzz_target!(|sql: &str| {
    let demand = required(sql);
    assert!(demand.needs.len() <= sql.len() || !demand.denied.is_empty());
});
