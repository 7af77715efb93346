//! Manifests as large as they may be, and larger, within bounds of time and memory (row Y).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]
#![allow(unsafe_code, reason = "an allocator that counts can only be written so")]

use powerloom_core::control_plane::ControlPlane;
use powerloom_core::manifest::{MAX_BYTES, MAX_DOCUMENTS, ParseMode, SetOptions, Through, parse};
use powerloom_core::resource::catalogue::Catalogue;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The tests of this program count the same bytes: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What `work` took: bytes above what was there before, at most, and time.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, Duration) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let start = Instant::now();
    let answer = work();
    (answer, PEAK.load(Ordering::Relaxed).saturating_sub(before), start.elapsed())
}

/// A stream as long and with as many documents as may be.
fn largest() -> String {
    let mut text = String::with_capacity(MAX_BYTES);
    let each = MAX_BYTES / MAX_DOCUMENTS;
    for n in 0..MAX_DOCUMENTS {
        let start = text.len();
        write!(text, "---\nkind: Skill\nmetadata: {{name: s{n}, ou_path: /acme}}\nspec: {{description: '")
            .unwrap();
        let rest = each.saturating_sub(text.len() - start + 5);
        text.push_str(&"x".repeat(rest));
        text.push_str("'}\n");
    }
    assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES * 9 / 10, "{}", text.len());
    text
}

/// The bounds are generous, for a debug build on a busy machine: what they forbid is growth out of proportion.
#[test]
fn the_largest_stream_is_read_and_planned_within_bounds() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = largest();
    let catalogue = Catalogue::default();
    let (parsed, bytes, took) =
        measured(|| parse("large.yaml", &text, ParseMode::Lenient, &catalogue).unwrap());
    assert_eq!(parsed.documents.len(), MAX_DOCUMENTS);
    assert!(bytes < 16 * MAX_BYTES, "reading 1 MiB took {} KiB", bytes >> 10);
    assert!(took < Duration::from_secs(20), "{took:?}");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (plan, bytes, took) = measured(|| {
        runtime.block_on(async {
            let cp = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap()).build();
            let org =
                cp.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
            let caller = org.admin_caller();
            let options = SetOptions::new("large").unwrap();
            Through::new(&cp, &caller).plan_set(parsed.documents, &options).await.unwrap()
        })
    });
    assert_eq!(plan.steps.len(), MAX_DOCUMENTS);
    assert!(bytes < 64 * MAX_BYTES, "planning 1 MiB took {} KiB", bytes >> 10);
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn what_is_too_large_is_refused_before_it_takes_memory() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let catalogue = Catalogue::default();
    let bombs = [
        ("too long", "x".repeat(MAX_BYTES + 1)),
        ("too many documents", "---\nkind: Skill\n".repeat(MAX_DOCUMENTS + 1)),
        (
            "aliases",
            (1..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |mut text, n| {
                let before = vec![format!("*a{}", n - 1); 10].join(",");
                writeln!(text, "a{n}: &a{n} [{before}]").unwrap();
                text
            }),
        ),
        ("nested", "[".repeat(100_000)),
        ("nested blocks", (0..2000).fold(String::new(), |text, n| text + &" ".repeat(n.min(500)) + "a:\n")),
        (
            "keys",
            (0..100_000).fold(String::new(), |mut text, n| {
                writeln!(text, "k{n}: 1").unwrap();
                text
            }),
        ),
    ];
    for (name, text) in bombs {
        let (answer, bytes, took) = measured(|| parse("bomb.yaml", &text, ParseMode::Lenient, &catalogue));
        assert!(answer.is_err(), "{name}");
        assert!(bytes < 64 * MAX_BYTES, "{name} took {} KiB", bytes >> 10);
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
    }
}
