//! Rows as structs, without sqlx's derive: its macros would compile SQLite a second time, for the compiler.

/// A struct that is read from the columns of the same names.
macro_rules! from_row {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field_visibility:vis $field:ident: $kind:ty,)* }) => {
        $(#[$attribute])*
        $visibility struct $name { $($field_visibility $field: $kind,)* }

        impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                Ok(Self { $($field: row.try_get(stringify!($field))?,)* })
            }
        }

        impl crate::sqlite::sql::Read for $name {
            fn read(row: &rusqlite::Row<'_>) -> Result<Self, rusqlite::Error> {
                Ok(Self { $($field: row.get(stringify!($field))?,)* })
            }
        }
    };
}
