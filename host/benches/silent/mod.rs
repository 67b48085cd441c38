//! Hears what a run says, and says nothing.

use std::time::Duration;

use wasmigrate::database::doing::Doing;
use wasmigrate::database::locks::Holder;
use wasmigrate::error::Error;
use wasmigrate::finding::Finding;
use wasmigrate::migration::{Migration, Phase};
use wasmigrate::migrator::{Observer, Ran};
use wasmigrate::sandbox::{Events, Level};

pub struct Silent;

impl Events for Silent {
    fn unconfined(&self, _why: &str) {}
    fn log(&self, _: Level, _: &str) {}
    fn progress(&self, _: u64, _: u64) {}
    fn finding(&self, _: &Finding) {}
}

impl Observer for Silent {
    fn waiting(&self, _: &str, _: &Holder) {}
    fn started(&self, _: &Migration, _: Phase, _: usize, _: usize) {}
    fn blocked(&self, _: &[Holder]) {}
    fn doing(&self, _: Option<&Doing>) {}
    fn retrying(&self, _: &Error, _: Duration) {}
    fn ended(&self, _: &Ran) {}
}
