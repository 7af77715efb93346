//! What SQLite's refusals mean to a caller.

use powerloom_core::store::StoreError;

/// The few classes of failure that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Another connection writes.
    Busy,
    /// No room is left.
    Full,
    /// The file may not be opened or written.
    Forbidden,
    /// What is stored cannot be read.
    Damaged,
    /// The file is no database at all.
    NotADatabase,
    /// What is stored contradicts what should be.
    Contradiction,
    /// The disk, or the connection's own thread, failed: what was under way may have happened.
    Broken,
    /// Anything else.
    Other,
}

impl Class {
    /// Judges by SQLite's result code (<https://www.sqlite.org/rescode.html>).
    pub(super) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
                match code & 0xff {
                    5 | 6 => Self::Busy,
                    13 => Self::Full,
                    3 | 8 | 14 | 23 => Self::Forbidden,
                    11 => Self::Damaged,
                    26 => Self::NotADatabase,
                    19 => Self::Contradiction,
                    10 => Self::Broken,
                    _ => Self::Other,
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Damaged,
            sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => Self::Broken,
            _ => Self::Other,
        }
    }
}

/// What the caller is told; `writing` if a commit was under way.
pub(super) fn store_error(error: sqlx::Error, writing: bool) -> StoreError {
    let class = Class::of(&error);
    let message = match class {
        Class::Busy => "another process is writing",
        Class::Full => "no room is left",
        Class::Forbidden => "the file may not be opened or written",
        Class::Broken => "reading or writing failed",
        Class::Other => "SQLite refused",
        Class::Damaged | Class::NotADatabase => return damaged("the file cannot be read", error),
        Class::Contradiction => return damaged("a change contradicts what is stored", error),
    };
    StoreError::Unavailable {
        message: message.to_owned(),
        maybe_applied: writing && class == Class::Broken,
        source: Some(Box::new(error)),
    }
}

/// A failure to read.
pub(super) fn read_error(error: sqlx::Error) -> StoreError {
    store_error(error, false)
}

/// Something stored that cannot be understood.
pub(super) fn damaged(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt { message: what.to_owned(), source: Some(source.into()) }
}
