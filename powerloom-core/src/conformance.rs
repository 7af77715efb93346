//! The contract of [`crate::store`] as executable cases, for whoever writes a backend.
//!
//! Each case is a plain `async fn(&dyn Store)` that needs a fresh, empty store and panics where a guarantee is not kept.
//! [`store_conformance!`](crate::store_conformance) makes a test of every one:
//!
//! ```
//! # fn main() {}
//! mod tests {
//!     use powerloom_core::store::Store;
//!     use std::sync::Arc;
//!
//!     // Gives a fresh store of yours (here: ours), and whatever must live as long as it does.
//!     async fn fresh() -> (Arc<dyn Store>, ()) {
//!         (powerloom_store::open("memory:").await.unwrap(), ())
//!     }
//!
//!     powerloom_core::store_conformance!(my_store, fresh());
//! }
//! ```
//!
//! The crate that uses it needs tokio with `macros` and `rt-multi-thread`. One guarantee is not here: that a commit
//! survives a crash, for which a process must die.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a case is a test: it stops at the first surprise"
)]

pub mod audit_log;
pub mod commits;
pub mod consumed;
pub mod event_log;
pub mod fake_runtime;
pub mod isolation;
pub mod puppet_runtime;
pub mod races;
pub mod records;
pub mod session_queue;
pub mod sync_queue;
pub mod world;

/// Makes a module of the given name with one `#[tokio::test]` for each case; see [`crate::conformance`].
///
/// The expression gives a future of `(store, guard)`, where `store` dereferences to `dyn Store` and `guard` is anything
/// that must outlive it, such as a temporary folder.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $fresh:expr) => {
        mod $name {
            use super::*;

            $crate::store_conformance! { @each $fresh;
                commits:
                    a_commit_happens_as_a_whole
                    a_refused_commit_leaves_no_trace
                    the_first_condition_that_does_not_hold_is_named
                    a_record_has_the_version_that_was_read
                    a_record_is_live_or_not
                    referrers_are_exactly_these
                    an_ou_is_empty_or_not
                    the_authorization_epoch_is_raised_and_compared
                    a_session_has_the_version_that_was_read
                    a_name_is_held_until_its_record_is_archived
                    names_move_within_one_commit
                    an_organization_is_made_once
                    nothing_is_committed_to_an_organization_that_does_not_exist
                    sync_states_follow_the_writes
                    secrets_and_blobs_are_kept_until_replaced
                    a_put_session_cannot_undo_a_claim;
                consumed:
                    a_ticket_is_good_for_its_session_until_it_expires
                    a_taken_ticket_is_gone
                    a_stream_has_one_holder
                    an_idempotent_answer_is_kept_until_it_expires
                    a_fence_must_be_the_current_one;
                audit_log:
                    audit_entries_make_one_chain
                    audit_bytes_come_back_verbatim
                    an_erased_payload_keeps_the_chain
                    a_change_that_cannot_be_hashed_is_refused_with_all_it_came_with
                    audit_queries_filter_and_show_the_newest_first
                    audit_queries_find_what_touches_an_ou;
                event_log:
                    events_are_numbered_without_gaps
                    an_event_id_is_kept_once
                    events_for_no_session_are_refused
                    events_are_read_from_a_cursor
                    sessions_are_listed_newest_first;
                records:
                    a_record_reads_as_it_was_written
                    records_are_listed_in_order_page_by_page
                    lists_are_filtered
                    referrers_are_listed_in_order
                    secrets_are_listed_in_order_page_by_page
                    organizations_are_found_by_slug;
                sync_queue:
                    a_claim_is_exclusive_and_durable
                    a_lapsed_claim_is_taken_over_and_unsure
                    a_settlement_of_an_older_claim_changes_nothing
                    settlements_of_one_batch_stand_alone
                    a_renewal_of_an_older_claim_is_refused
                    organizations_are_served_in_turn
                    the_longest_due_comes_first
                    a_paused_organization_is_not_served
                    kinds_can_be_left_out
                    a_sweep_pages_through_what_is_in_sync
                    an_observation_of_an_older_state_is_dropped
                    the_next_due_moment_is_known;
                session_queue:
                    a_session_is_claimed_by_one
                    a_settled_session_is_never_claimed
                    a_settled_session_is_claimed_while_something_of_it_must_go
                    a_session_claim_is_prolonged_and_given_back
                    the_oldest_session_is_claimed_first;
                isolation:
                    another_organization_reads_nothing
                    another_organization_writes_nothing
                    chains_and_logs_are_apart;
                races:
                    concurrent_commits_make_one_chain
                    one_of_many_updates_with_one_version_wins
                    one_of_many_takers_gets_the_ticket
                    one_of_many_gets_the_name
                    concurrent_claims_share_no_row
                    concurrent_events_leave_no_gap
                    a_refused_commit_does_not_touch_its_neighbours
                    a_dropped_commit_is_done_or_not_done;
            }
        }
    };
    (@each $fresh:expr; $($group:ident: $($case:ident)*;)*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, guard) = $fresh.await;
            $crate::conformance::$group::$case(&*store).await;
            drop((store, guard));
        }
    )*)*};
}
