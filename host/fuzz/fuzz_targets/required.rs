//! Whatever the text is, the statement wall answers, and soundly.
#![no_main]

use wasmigrate::guard::grants::{Grant, Kind};
use wasmigrate::guard::statement::{Class, Demand, required, split};

#[path = "../../src/guard/statement/tests/sound.rs"]
mod sound;

libfuzzer_sys::fuzz_target!(|sql: &str| {
    sound::answered(sql);
});
