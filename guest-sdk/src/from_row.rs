//! Reading whole rows: tuples by position, structs by name.

use crate::{Error, FromCell, Result, Row};

/// A type that a whole row can be read as.
///
/// Tuples read by position and ask for as many columns as they have; [`from_row!`](crate::from_row) writes
/// it for a struct; a [`Row`] is itself.
///
/// ```no_run
/// # use wasmigrate_sdk::{FromRow, Result, Row};
/// # fn example(row: &Row) -> Result<()> {
/// let (id, email) = <(i64, Option<String>)>::from_row(row)?;
/// # Ok(()) }
/// ```
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// When a column is missing or its value does not fit.
    fn from_row(row: &Row) -> Result<Self>;
}

impl FromRow for Row {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(row.clone())
    }
}

macro_rules! tuples {
    ($($type:ident $position:tt),+) => {
        impl<$($type: for<'a> FromCell<'a>),+> FromRow for ($($type,)+) {
            #[inline]
            fn from_row(row: &Row) -> Result<Self> {
                const WANTED: usize = [$($position),+].len();
                if row.width() != WANTED {
                    return Err(Error::decode(format!(
                        "the result has {} columns where {WANTED} were expected", row.width()
                    )));
                }
                Ok(($(row.get::<$type>($position)?,)+))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

/// Defines a struct that is read from a row by the names of its fields; `= "name"` after a field names a
/// column that is called otherwise.
///
/// ```no_run
/// use wasmigrate_sdk::{Result, Table, from_row, params, query};
///
/// from_row! {
///     /// A user who is locked out.
///     pub struct Locked {
///         /// The user's id.
///         pub id: String,
///         /// How often the login failed.
///         pub failures: i32 = "failedLoginAttempts",
///     }
/// }
///
/// const USERS: Table = Table::new("public", "users");
///
/// fn locked() -> Result<Vec<Locked>> {
///     query(format!("SELECT * FROM {USERS}"), params![])?.typed().collect()
/// }
/// ```
#[macro_export]
macro_rules! from_row {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident : $type:ty $(= $column:literal)?),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type),+
        }

        impl $crate::FromRow for $name {
            fn from_row(row: &$crate::Row) -> $crate::Result<Self> {
                ::core::result::Result::Ok(Self {
                    $($field: row.get::<$type>($crate::from_row!(@name $field $($column)?))?),+
                })
            }
        }
    };
    (@name $field:ident $column:literal) => { $column };
    (@name $field:ident) => { ::core::stringify!($field) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::two;

    from_row! {
        #[derive(Debug, PartialEq)]
        struct User {
            id: i64,
            mail: Option<String> = "email",
        }
    }

    #[test]
    fn a_struct_reads_by_name() {
        assert_eq!(
            User::from_row(&two()).unwrap(),
            User {
                id: 70_000,
                mail: None
            }
        );
    }

    #[test]
    fn a_tuple_wants_its_number_of_columns() {
        assert_eq!(
            <(i64, Option<String>)>::from_row(&two()).unwrap(),
            (70_000, None)
        );
        let error = <(i64,)>::from_row(&two()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the result has 2 columns where 1 were expected"
        );
    }
}
