//! The schema and its versions.

use crate::sqlite::error::Class;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

/// What the header of our files bears: `PLom`.
pub(super) const APPLICATION_ID: i64 = 0x504c_6f6d;

/// Every step from an empty file to the newest schema; the n-th leads to version n.
const STEPS: [&str; 2] = [
    include_str!("../../migrations/sqlite/0001_store.sql"),
    include_str!("../../migrations/sqlite/0002_audit_ous.sql"),
];

/// The newest schema this version knows.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// What was found instead of a file that can be used.
#[derive(Debug)]
pub(super) enum Mismatch {
    /// It belongs to another program.
    Foreign(i64),
    /// It was written by a newer version.
    Newer(i64),
    /// SQLite refused.
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Mismatch {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// Whether the schema is the newest; reads only.
pub(super) async fn is_current(connection: &mut SqliteConnection) -> Result<bool, Mismatch> {
    let application = number(connection, "PRAGMA application_id").await?;
    let version = number(connection, "PRAGMA user_version").await?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_master").await?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(Mismatch::Foreign(application));
    }
    if version > NEWEST {
        return Err(Mismatch::Newer(version));
    }
    Ok(tables > 0 && version == NEWEST)
}

/// Brings the file to the newest schema, in one transaction, so that two programs may do it at the same time.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), Mismatch> {
    if is_current(connection).await? {
        return Ok(());
    }
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let outcome = migrate_locked(connection).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = sqlx::raw_sql(end).execute(&mut *connection).await;
    outcome?;
    ended?;
    Ok(())
}

async fn migrate_locked(connection: &mut SqliteConnection) -> Result<(), Mismatch> {
    if is_current(connection).await? {
        return Ok(());
    }
    let version = usize::try_from(number(connection, "PRAGMA user_version").await?).unwrap_or(0);
    for step in STEPS.iter().skip(version) {
        sqlx::raw_sql(*step).execute(&mut *connection).await?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {NEWEST}");
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(&mut *connection).await?;
    Ok(())
}

/// The first complaint of SQLite's own check, if there is one.
pub(super) async fn damage(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let found = match sqlx::query("PRAGMA quick_check(1)").fetch_one(connection).await {
        Ok(row) => row.try_get::<String, _>(0)?,
        Err(error) if Class::of(&error) == Class::Damaged => error.to_string(),
        Err(error) => return Err(error),
    };
    Ok((found != "ok").then_some(found))
}

/// How many bytes the database has.
pub(super) async fn size(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let pages = number(connection, "PRAGMA page_count").await?;
    Ok(pages.saturating_mul(number(connection, "PRAGMA page_size").await?))
}

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}
