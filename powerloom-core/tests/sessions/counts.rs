use crate::scripted::{Act, idle, say};
use crate::stage::world;
use powerloom_core::session::tally::Tally;
use proptest::prelude::*;
use serde_json::json;

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        Just(say("word")),
        Just(Act::Say("agent.mcp_tool_use", json!({"name": "count", "input": {}}))),
        Just(Act::Say("session.error", json!({"error": {"type": "mcp_connection_failed_error"}}))),
        Just(Act::Say(
            "span.model_request_end",
            json!({"model_usage": {"input_tokens": 3, "output_tokens": 2}})
        )),
        Just(Act::Say("from.the.future", json!([1, 2]))),
        Just(Act::Mutter("agent.thinking", json!({}))),
        Just(Act::Again),
        Just(Act::Cut),
        (1u64..400).prop_map(|millis| Act::Rest(std::time::Duration::from_millis(millis))),
    ];
    prop::collection::vec(act, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Row P9: whatever the runtime says and however it is cut, the row is the fold of the log.
    #[test]
    fn the_row_is_what_the_log_adds_up_to(mut script in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            script.push(idle("end_turn"));
            let world = world(script).await;
            let record = world.settled().await;
            world.assert_whole(record.id).await;
            let log = world.log(record.id).await;
            let tally = Tally::of(log.iter().map(|event| &event.event));
            assert_eq!(
                (record.event_count, record.mcp_tool_use_count, record.mcp_error_count, record.usage),
                (tally.event_count, tally.mcp_tool_use_count, tally.mcp_error_count, tally.usage)
            );
        });
    }
}
