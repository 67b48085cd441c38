//! Parameters of statements.

use crate::Timestamp;

#[doc(inline)]
pub use crate::bindings::wasmigrate::migration::types::Value;

/// Makes the parameters of a statement: `$1`, `$2` and so on, each anything that is `Into<Value>`.
///
/// PostgreSQL decides each parameter's type from the statement and a text reaches every type, so a uuid, a
/// numeric, an array or an enum label is passed as text. `None` is NULL.
///
/// ```
/// use wasmigrate_sdk::{Value, params};
///
/// let limit = 3_i64;
/// let nobody: Option<&str> = None;
/// assert_eq!(params![limit, "NURSE", nobody], &[Value::Int64(3), Value::Text("NURSE".into()), Value::Null]);
/// assert!(params![].is_empty());
/// ```
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::Value] };
    ($($value:expr),+ $(,)?) => { &[$($crate::Value::from($value)),+] as &[$crate::Value] };
}

macro_rules! from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Int64(i64::from(value))
            }
        }
    )+};
}
from_integers!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Value {
    /// As a number where it fits `bigint`, as text for `numeric` where it does not.
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::Text(value.to_string()), Self::Int64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Float64(f64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_past_bigint_travels_as_text() {
        assert_eq!(Value::from(7_u64), Value::Int64(7));
        assert_eq!(
            Value::from(u64::MAX),
            Value::Text("18446744073709551615".into())
        );
    }

    #[test]
    fn none_is_null_of_any_type() {
        assert_eq!(Value::from(None::<i32>), Value::Null);
        assert_eq!(Value::from(Some("x")), Value::Text("x".into()));
    }
}
