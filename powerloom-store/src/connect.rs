//! From a URL to a store.

use crate::memory::MemoryStore;
use crate::open_error::OpenError;
use powerloom_core::invalid::Invalid;
use powerloom_core::store::Store;
use std::sync::Arc;

#[cfg(feature = "sqlite")]
use crate::sqlite::{SqliteConfig, SqliteStore};

#[cfg(feature = "sqlite")]
const ALLOWED: &str = "`memory:` or `sqlite://<path>`";
#[cfg(not(feature = "sqlite"))]
const ALLOWED: &str = "`memory:` (this build has no SQLite)";

/// Opens the store a URL names.
///
/// | URL | what it opens |
/// |---|---|
/// | `memory:` | a fresh [`MemoryStore`] |
/// | `sqlite://loom.db`, `sqlite:loom.db` | a file relative to the working directory |
/// | `sqlite:///var/lib/loom.db` | a file by its full path |
///
/// The path is taken as it stands, up to the first `?`. After that may follow, joined by `&`:
/// `busy_timeout_ms` (how long a write waits for another process, 0 to 600000, by default 5000) and `max_bytes` (the
/// file never grows above it, at least 1048576, by default no bound).
///
/// Must be called inside a tokio runtime, which then runs the writer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = powerloom_store::open("memory:").await?;
/// assert!(store.orgs().await?.is_empty());
/// let refused = powerloom_store::open("mysql://localhost").await.unwrap_err();
/// assert_eq!(refused.kind(), powerloom_core::error_kind::ErrorKind::Invalid);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`OpenError`] says which of the many ways to fail it was.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let unknown = || Invalid::new("store url", before_userinfo(url), ALLOWED);
    match url.split_once(':') {
        Some(("memory", "" | "//")) => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "sqlite")]
        Some(("sqlite", rest)) => Ok(Arc::new(SqliteStore::open(&sqlite_config(rest)?).await?)),
        _ => Err(unknown().into()),
    }
}

/// The scheme and no more: what follows may hold a password.
fn before_userinfo(url: &str) -> &str {
    url.split_once(':').map_or(url, |(scheme, _)| scheme)
}

#[cfg(feature = "sqlite")]
fn sqlite_config(rest: &str) -> Result<SqliteConfig, Invalid> {
    use std::time::Duration;

    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() || path == ":memory:" {
        return Err(Invalid::new(
            "store url",
            path,
            "a path after `sqlite://`; for a store in memory, `memory:`",
        ));
    }
    let mut config = SqliteConfig::new(path);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let number = |least: u64, most: u64| {
            let number = value.parse().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| {
                Invalid::new(format!("store url option {name}"), value, format!("{least} to {most}"))
            })
        };
        match name {
            "busy_timeout_ms" => config.busy_timeout = Duration::from_millis(number(0, 600_000)?),
            "max_bytes" => config.max_bytes = Some(number(1 << 20, 1 << 47)?),
            _ => return Err(Invalid::new("store url option", name, nearest(name))),
        }
    }
    Ok(config)
}

#[cfg(feature = "sqlite")]
fn nearest(name: &str) -> String {
    const OPTIONS: [&str; 2] = ["busy_timeout_ms", "max_bytes"];
    let close = |option: &&str| (strsim::jaro_winkler(name, option) * 1000.0) as u32;
    match OPTIONS.into_iter().max_by_key(close).filter(|option| close(option) > 700) {
        Some(option) => format!("an option such as `{option}`, the nearest to it"),
        None => format!("one of `{}`", OPTIONS.join("`, `")),
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn a_url_says_where_the_file_is_and_how_it_is_used() {
        let config = sqlite_config("///var/lib/loom.db?busy_timeout_ms=50&max_bytes=1048576").unwrap();
        assert_eq!(config.path, Path::new("/var/lib/loom.db"));
        assert_eq!((config.busy_timeout, config.max_bytes), (Duration::from_millis(50), Some(1_048_576)));
        assert_eq!(sqlite_config("loom.db").unwrap(), sqlite_config("//loom.db").unwrap());
    }

    #[test]
    fn an_unknown_option_is_refused_and_the_nearest_named() {
        let refused = sqlite_config("//loom.db?busy_timeout=50").unwrap_err().to_string();
        assert!(refused.contains("busy_timeout_ms"), "{refused}");
        assert!(sqlite_config("//loom.db?cache=1").unwrap_err().allowed.contains("max_bytes"));
        assert!(sqlite_config("//loom.db?max_bytes=1").is_err());
        assert!(sqlite_config(":memory:").is_err() && sqlite_config("").is_err());
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_refused_without_showing_a_password() {
        for url in ["postgres://ada:hush@db/loom", "loom.db", "", "memory:x"] {
            let refused = open(url).await.unwrap_err();
            let text = format!("{refused:?}");
            assert!(text.contains("sqlite://") && !text.contains("hush"), "{text}");
        }
    }
}
