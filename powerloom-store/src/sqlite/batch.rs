//! Several statements that make one round trip.

use crate::sqlite::error::damaged;
use bytes::Bytes;
use powerloom_core::store::StoreResult;
use serde::Serialize;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Error, SqliteConnection};

enum Argument {
    Text(String),
    Number(i64),
    Bytes(Bytes),
}

/// Statements and their arguments. A set of rows travels as one argument, a JSON array that the statement
/// reads with `jsonb_each(?)`; so the text of a statement does not depend on how many rows there are, and its plan is
/// prepared once.
///
/// Only texts of this program become SQL; whatever a caller gave is an argument.
#[derive(Default)]
pub(super) struct Batch {
    sql: String,
    arguments: Vec<Argument>,
}

impl Batch {
    /// A statement without arguments.
    pub(super) fn run(&mut self, sql: &'static str) {
        self.sql.push_str(sql);
        self.sql.push_str(";\n");
    }

    /// A statement with one argument, the rows; nothing if there are none.
    pub(super) fn rows<T: Serialize>(
        &mut self,
        sql: &'static str,
        rows: impl IntoIterator<Item = T>,
    ) -> StoreResult<()> {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut text = Vec::with_capacity(1024);
        let mut before = b'[';
        for row in rows {
            text.push(before);
            serde_json::to_writer(&mut text, &row)
                .map_err(|error| damaged("a row cannot be written", error))?;
            before = b',';
        }
        text.push(b']');
        let text = String::from_utf8(text).map_err(|error| damaged("a row cannot be written", error))?;
        self.run(sql);
        self.arguments.push(Argument::Text(text));
        Ok(())
    }

    /// The next argument of the statement before.
    pub(super) fn number(&mut self, number: i64) {
        self.arguments.push(Argument::Number(number));
    }

    /// The next argument of the statement before.
    pub(super) fn text(&mut self, text: String) {
        self.arguments.push(Argument::Text(text));
    }

    /// The next argument of the statement before.
    pub(super) fn bytes(&mut self, bytes: Bytes) {
        self.arguments.push(Argument::Bytes(bytes));
    }

    /// Runs all of it, one statement after the other, up to the first that fails.
    pub(super) async fn execute(self, connection: &mut SqliteConnection) -> Result<Vec<SqliteRow>, Error> {
        let mut arguments = SqliteArguments::default();
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => arguments.add(text),
                Argument::Number(number) => arguments.add(number),
                Argument::Bytes(bytes) => arguments.add(Vec::from(bytes)),
            }
            .map_err(Error::Encode)?;
        }
        sqlx::query_with(AssertSqlSafe(self.sql), arguments).fetch_all(connection).await
    }
}
