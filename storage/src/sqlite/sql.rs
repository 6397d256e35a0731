//! Statements on a connection of the thread that runs them: a whole transaction of them takes one way to that thread and back.

use rusqlite::{
    CachedStatement, Connection, Row,
    types::{ToSql, ToSqlOutput, Value},
};

use crate::error::StorageError;

/// A statement, or several with `;` between them, and what it takes.
#[derive(Debug)]
pub(super) struct Sql {
    text: &'static str,
    values: Vec<Value>,
}

/// Parameters with numbers are those of all the statements; those without go on from one statement to the next.
pub(super) fn sql(text: &'static str) -> Sql {
    Sql { text, values: Vec::new() }
}

impl Sql {
    pub(super) fn bind(mut self, value: impl ToSql) -> Self {
        let value = match value.to_sql() {
            Ok(ToSqlOutput::Borrowed(value)) => Value::try_from(value).ok(),
            Ok(ToSqlOutput::Owned(value)) => Some(value),
            _ => None,
        };
        self.values.push(value.expect("what we bind is a number, text, bytes or nothing, and none of these can fail"));
        self
    }

    /// The rows that were changed.
    pub(super) fn execute(self, db: &Connection) -> Result<usize, StorageError> {
        let (mut n_bound, mut n_changed) = (0, 0);
        for text in self.text.split(';') {
            n_changed += self.prepare(db, text, &mut n_bound)?.raw_execute()?;
        }
        Ok(n_changed)
    }

    /// All that is found.
    pub(super) fn all<T: Read>(self, db: &Connection) -> Result<Vec<T>, StorageError> {
        let mut statement = self.prepare(db, self.text, &mut 0)?;
        let (mut rows, mut all) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            all.push(T::read(row)?);
        }
        Ok(all)
    }

    /// The first that is found; a statement that writes is done with all of it.
    pub(super) fn optional<T: Read>(self, db: &Connection) -> Result<Option<T>, StorageError> {
        let mut statement = self.prepare(db, self.text, &mut 0)?;
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        let first = T::read(row)?;
        while rows.next()?.is_some() {}
        Ok(Some(first))
    }

    /// What is always found.
    pub(super) fn one<T: Read>(self, db: &Connection) -> Result<T, StorageError> {
        self.optional(db)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    fn prepare<'a>(&self, db: &'a Connection, text: &str, n_bound: &mut usize) -> Result<CachedStatement<'a>, StorageError> {
        let mut statement = db.prepare_cached(text)?;
        for place in 1..=statement.parameter_count() {
            let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('?')?.parse::<usize>().ok());
            let number = number.unwrap_or_else(|| {
                *n_bound += 1;
                *n_bound
            });
            if let Some(value) = self.values.get(number - 1) {
                statement.raw_bind_parameter(place, value)?;
            }
        }
        Ok(statement)
    }
}

/// What is read from a row: a struct by the names of its columns, all else by their order.
pub(super) trait Read: Sized {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error>;
}

macro_rules! read_in_order {
    ($($kind:ident),*) => {
        impl<$($kind: rusqlite::types::FromSql),*> Read for ($($kind,)*) {
            fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
                row.try_into()
            }
        }
    };
}
read_in_order!(A, B);
read_in_order!(A, B, C);

macro_rules! read_first {
    ($($kind:ty),*) => {
        $(impl Read for $kind {
            fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
                row.get(0)
            }
        })*
    };
}
read_first!(bool, u32, i64, Option<i64>, String, Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_where_their_numbers_say_and_else_on_from_one_statement_to_the_next() {
        let db = Connection::open_in_memory().expect("it opens");
        let row = |db: &Connection| sql("SELECT a, b, c FROM t ORDER BY rowid DESC LIMIT 1").one::<(Vec<u8>, u32, String)>(db);
        sql("CREATE TABLE t (a, b, c)").execute(&db).expect("made");
        sql("INSERT INTO t VALUES (?1, ?3, ?2); UPDATE t SET a = ?1, b = b + ?3")
            .bind(vec![7_u8])
            .bind("x")
            .bind(5)
            .execute(&db)
            .expect("written");
        assert_eq!(row(&db).expect("there"), (vec![7], 10, "x".to_owned()));
        let two = sql("INSERT INTO t VALUES (?, ?, ?); UPDATE t SET b = b + ? WHERE c = ?");
        assert_eq!(two.bind(vec![1_u8, 2]).bind(3).bind("y").bind(40).bind("y").execute(&db).expect("written"), 2);
        assert_eq!(row(&db).expect("there"), (vec![1, 2], 43, "y".to_owned()));
    }

    #[test]
    fn what_is_not_there_is_none_and_one_that_must_be_there_is_an_error() {
        let db = Connection::open_in_memory().expect("it opens");
        assert_eq!(sql("SELECT 1 WHERE 0").optional::<i64>(&db).expect("read"), None);
        assert!(sql("SELECT 1 WHERE 0").one::<i64>(&db).is_err());
        assert_eq!(sql("SELECT NULL").one::<Option<i64>>(&db).expect("read"), None);
        assert!(sql("SELECT NULL").one::<i64>(&db).is_err());
        assert_eq!(sql("SELECT value FROM json_each(?)").bind("[1,2]").all::<i64>(&db).expect("read"), [1, 2]);
        sql("CREATE TABLE t (a)").execute(&db).expect("made");
        sql("INSERT INTO t VALUES (1), (2) RETURNING a").one::<i64>(&db).expect("written");
        assert_eq!(sql("SELECT count(*) FROM t").one::<i64>(&db).expect("read"), 2, "all of it is written");
    }
}
