//! What a reviewer approved: `wasmigrate.lock`, a chain of entries that are only ever added to, and the judgement
//! whether a component is what the newest entry of its version approves. Pure functions on data.
//!
//! Each entry is sealed by the SHA-256 of its canonical text, and names the seal of the entry before it: an entry
//! that was edited, moved or taken out is noticed. Whoever can write the file can also seal it anew; signatures are
//! against that.

mod entry;
mod keys;
mod lock;
mod pin;

pub use entry::{Approval, Entry, Granted};
pub use keys::{Keys, SIGNATURE_NAMESPACE, Signature, WrongKeys, made, sign};
pub use lock::{FILE, Lock, MAX_BYTES};
pub use pin::{difference, judge, pin};
