//! The trait that a migration implements and the macro that makes it the component's export.

use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::Result;
use crate::bindings::wasmigrate::migration::diag;

/// A migration: what it does, how it is undone, and what must be true afterwards.
///
/// All three must be written. A migration that can't be undone says so in `down` with
/// [`bail!`](crate::bail), which is better than one that is silently half undone; one that has nothing to
/// verify says so with `Ok(())`.
///
/// A migration must be deterministic: in stepwise mode an interrupted one is run again from the start and its
/// calls are answered from the journal. The sandbox sees to that (there is no clock, no randomness and no
/// I/O), as long as what the migration does depends on nothing but what the host's functions return.
///
/// ```no_run
/// use wasmigrate_sdk::prelude::*;
///
/// const USERS: Table = Table::new("public", "users");
///
/// struct AddEmailIndex;
///
/// fn by_email() -> Index {
///     Index::on(USERS, "idx_users_email").columns(["email"])
/// }
///
/// impl Migration for AddEmailIndex {
///     fn up() -> Result<()> {
///         by_email().ensure()?;
///         Ok(())
///     }
///     fn down() -> Result<()> {
///         by_email().drop()?;
///         Ok(())
///     }
///     fn verify() -> Result<()> {
///         by_email().require()
///     }
/// }
///
/// wasmigrate_sdk::export!(AddEmailIndex);
/// ```
pub trait Migration {
    /// Applies the migration.
    ///
    /// # Errors
    /// Any error rolls the run back (transactional) or stops it where it is (stepwise).
    fn up() -> Result<()>;

    /// Undoes the migration.
    ///
    /// # Errors
    /// As for `up`; also when the migration can't be undone.
    fn down() -> Result<()>;

    /// Checks, reading only, that what `up` was to bring about is so. It runs after `up` has committed, and
    /// whenever the operator asks.
    ///
    /// # Errors
    /// When a check is not met.
    fn verify() -> Result<()>;
}

/// Makes a [`Migration`] the component's export. Exactly one stands in a migration's crate.
///
/// It also installs a panic hook, so that a panic's message and place reach the operator.
///
/// ```no_run
/// # use wasmigrate_sdk::prelude::*;
/// struct Nothing;
///
/// impl Migration for Nothing {
///     fn up() -> Result<()> { Ok(()) }
///     fn down() -> Result<()> { Ok(()) }
///     fn verify() -> Result<()> { Ok(()) }
/// }
///
/// wasmigrate_sdk::export!(Nothing);
/// ```
#[macro_export]
macro_rules! export {
    ($migration:ty) => {
        const _: () = {
            #[doc(hidden)]
            struct Component;

            impl $crate::bindings::Guest for Component {
                fn up() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::run_phase(<$migration as $crate::Migration>::up)
                }
                fn down() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::run_phase(<$migration as $crate::Migration>::down)
                }
                fn verify() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::run_phase(<$migration as $crate::Migration>::verify)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// What [`export!`](crate::export) calls for each phase.
#[doc(hidden)]
pub fn run_phase(phase: fn() -> Result<()>) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(report)));
    phase().map_err(|error| error.to_string())
}

/// Without this a panic reaches the host as a bare `unreachable`.
fn report(info: &PanicHookInfo<'_>) {
    let message = info
        .payload_as_str()
        .unwrap_or("panicked without a message");
    diag::panicked(&match info.location() {
        Some(place) => format!(
            "{message}, at {}:{}:{}",
            place.file(),
            place.line(),
            place.column()
        ),
        None => message.to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_returns_the_errors_text() {
        assert_eq!(run_phase(|| Ok(())), Ok(()));
        assert_eq!(run_phase(|| Err("no".into())), Err("no".into()));
    }
}
