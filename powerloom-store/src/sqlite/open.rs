//! Opens a file, or says exactly why not.

use crate::open_error::OpenError;
use crate::sqlite::config::SqliteConfig;
use crate::sqlite::error::Class;
use crate::sqlite::schema::{self, Mismatch};
use crate::sqlite::store::SqliteStore;
use crate::sqlite::writer::{self, MAX_QUEUE};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Most connections that read at the same time.
const READERS: u32 = 4;
/// A file up to this size is checked as a whole when it is opened; of a larger one, what is read is checked.
const CHECKED_BYTES: i64 = 64 << 20;
const PAGE_BYTES: u64 = 4096;

impl SqliteStore {
    /// Opens or makes the file of `config`, brings its schema up to date and starts the writer on the current tokio
    /// runtime.
    ///
    /// # Errors
    /// [`OpenError`] says which of the many ways to fail it was. A file that is locked by another process is waited
    /// for up to the busy timeout.
    pub async fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        look(&config.path)?;
        let began = Instant::now();
        let connection = loop {
            match connect(config).await {
                Err(OpenError::Locked { .. }) if began.elapsed() < config.busy_timeout => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                other => break other?,
            }
        };
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options(config).read_only(true).create_if_missing(false));
        let (writer, queue) = mpsc::channel(MAX_QUEUE);
        tokio::spawn(writer::run(connection, queue));
        Ok(Self { readers, writer })
    }
}

/// What can be said without SQLite, in words of the file system.
fn look(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(OpenError::MissingFolder { folder: folder.to_owned() });
    }
    let unwritable =
        |source: std::io::Error| OpenError::Unwritable { path: path.to_owned(), source: source.into() };
    let existed = path.exists();
    // Not truncating, and not reading more than the header: an existing file stays as it is.
    let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut header = Vec::new();
    file.map_err(unwritable)?.take(16).read_to_end(&mut header).map_err(unwritable)?;
    if existed && !header.is_empty() && header != b"SQLite format 3\0" {
        return Err(OpenError::NotADatabase { path: path.to_owned() });
    }
    Ok(())
}

fn options(config: &SqliteConfig) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .busy_timeout(config.busy_timeout)
        .foreign_keys(true)
        .statement_cache_capacity(128)
        .row_buffer_size(512)
        .disable_statement_logging()
}

async fn connect(config: &SqliteConfig) -> Result<SqliteConnection, OpenError> {
    let path = &config.path;
    let mut options = options(config)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("recursive_triggers", "ON")
        // So many pages wait in the log before they go to their place: most of them change again before that.
        .pragma("wal_autocheckpoint", "8192")
        // A log that has grown beyond this is cut to it once it is written back.
        .pragma("journal_size_limit", "67108864")
        // What a statement may have to undo, and pages that are read again, stay in memory (the latter up to 64 MiB).
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", "-65536");
    if let Some(bytes) = config.max_bytes {
        options = options.pragma("max_page_count", (bytes / PAGE_BYTES).to_string());
    }
    let mut connection = options.connect().await.map_err(|error| open_error(path, error))?;
    let outcome = prepare(&mut connection, path).await;
    if let Err(error) = outcome {
        drop(connection.close().await);
        return Err(error);
    }
    Ok(connection)
}

async fn prepare(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| open_error(path, error);
    if schema::size(connection).await.map_err(failed)? <= CHECKED_BYTES
        && let Some(detail) = schema::damage(connection).await.map_err(failed)?
    {
        return Err(OpenError::Corrupt { path: path.to_owned(), detail });
    }
    schema::migrate(connection).await.map_err(|mismatch| match mismatch {
        Mismatch::Foreign(application_id) => OpenError::Foreign { path: path.to_owned(), application_id },
        Mismatch::Newer(found) => {
            OpenError::NewerSchema { path: path.to_owned(), found, known: schema::NEWEST }
        }
        Mismatch::Failed(error) => open_error(path, error),
    })
}

fn open_error(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match Class::of(&error) {
        Class::Busy => OpenError::Locked { path },
        Class::Forbidden => OpenError::Unwritable { path, source: Box::new(error) },
        Class::NotADatabase => OpenError::NotADatabase { path },
        Class::Damaged | Class::Contradiction => OpenError::Corrupt { path, detail: error.to_string() },
        Class::Full | Class::Broken | Class::Other => OpenError::Failed { path, source: Box::new(error) },
    }
}
