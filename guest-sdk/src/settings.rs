//! What the operator chose for this run.

use crate::bindings::wasmigrate::migration::settings as raw;
use crate::{Error, Result};

#[doc(inline)]
pub use crate::bindings::wasmigrate::migration::types::Mode;

/// How this migration runs: in one transaction, or step by step.
///
/// [`Index`](crate::Index) and [`ForeignKey`](crate::ForeignKey) ask for it by themselves.
///
/// ```no_run
/// use wasmigrate_sdk::{Mode, info, mode};
/// if mode() == Mode::Stepwise { info!("each statement commits by itself"); }
/// ```
#[must_use]
pub fn mode() -> Mode {
    raw::mode()
}

/// The text of a setting: the operator's choice, or the default of the manifest. See
/// [`setting!`](crate::setting!) for a setting as an enum.
///
/// ```no_run
/// # fn example() -> wasmigrate_sdk::Result<()> {
/// let amount = wasmigrate_sdk::setting("amount")?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the manifest declares no setting of that name.
pub fn setting(name: &str) -> Result<String> {
    raw::get(name).ok_or_else(|| Error::new(format!("the manifest declares no setting \"{name}\"")))
}

/// Defines a setting as an enum: its name and its values as they stand in the manifest.
///
/// ```no_run
/// wasmigrate_sdk::setting! {
///     /// What becomes of orphaned rows.
///     pub enum Orphans = "orphans" {
///         /// They go.
///         Delete = "delete",
///         /// The migration stops.
///         Refuse = "refuse",
///     }
/// }
///
/// fn up() -> wasmigrate_sdk::Result<()> {
///     if Orphans::get()? == Orphans::Refuse { wasmigrate_sdk::bail!("there are orphans"); }
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! setting {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident = $key:literal {
            $($(#[$variant_attribute:meta])* $variant:ident = $value:literal),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant),+
        }

        impl $name {
            /// What the operator chose, or the default of the manifest.
            ///
            /// # Errors
            /// When the manifest does not declare the setting, or with values that this enum lacks.
            $visibility fn get() -> $crate::Result<Self> {
                Self::from_text(&$crate::setting($key)?)
            }

            fn from_text(text: &str) -> $crate::Result<Self> {
                match text {
                    $($value => ::core::result::Result::Ok(Self::$variant),)+
                    other => ::core::result::Result::Err($crate::Error::new(::std::format!(
                        "the setting \"{}\" has the value \"{}\", which this migration does not know",
                        $key, other
                    ))),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    setting! {
        enum Orphans = "orphans" { Delete = "delete", Refuse = "refuse" }
    }

    #[test]
    fn a_value_is_known_or_named_in_the_error() {
        assert_eq!(Orphans::from_text("delete").unwrap(), Orphans::Delete);
        assert_eq!(Orphans::from_text("refuse").unwrap(), Orphans::Refuse);
        assert_eq!(
            Orphans::from_text("keep").unwrap_err().to_string(),
            "the setting \"orphans\" has the value \"keep\", which this migration does not know"
        );
    }

    #[allow(dead_code)]
    fn get_compiles() -> crate::Result<Orphans> {
        Orphans::get()
    }
}
