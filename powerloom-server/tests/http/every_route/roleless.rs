//! Somebody of the organization who has no role is told what is missing and where, and the trail says that they tried.

use crate::every_route::house::House;
use crate::every_route::rows::Does;
use crate::world::Answer;
use powerloom_core::audit::AuditDecision;
use serde_json::json;

/// What everybody may, and why it says nothing that is not for them.
const OPEN: [(&str, &str); 8] = [
    ("GET /healthz", "anybody may: nothing but that it runs"),
    ("GET /readyz", "anybody may: nothing but that it is ready"),
    ("GET /.well-known/jwks.json", "anybody may: public keys"),
    ("GET /whoami", "who they are themselves"),
    ("GET /kinds", "which kinds there are: the same in every organization"),
    ("GET /manifests/schema", "how documents are written: the same in every organization"),
    ("POST /manifests/plan", "what they themselves would be refused"),
    ("POST /authz/what-if", "what they themselves would be refused"),
];

/// It takes back each request the caller may take back: none.
const NONE_TO_TAKE_BACK: &str = "POST /approvals/cancel";

/// It answers 200 whatever became of the steps.
const STEP_BY_STEP: &str = "POST /manifests/apply";

/// Whether a refusal names what is missing and where, in its message and for programs.
fn names_what_is_missing(answer: &Answer) -> bool {
    let error = &answer.body["error"];
    let said = |field: &str| error["detail"][field].as_str().unwrap_or_default().to_owned();
    let (permission, ou, message) = (said("permission"), said("ou"), error["message"].as_str().unwrap());
    answer.code() == "denied"
        && permission.contains(':')
        && ou.starts_with("/acme")
        && message.contains(&format!("`{permission}`"))
        && message.contains(&format!("`{ou}`"))
}

/// Row M33, over all there is.
#[tokio::test]
async fn whoever_has_no_role_changes_nothing_and_every_attempt_is_in_the_trail() {
    let house = House::new().await;
    let world = house.world();
    let (_, eve) = world.person("eve@acme.com", &[]).await;
    let watching = house.watch(&eve, &house.stream().path).await;
    assert_eq!((watching.status, watching.code()), (403, "denied"));
    assert_eq!(watching.body["error"]["detail"]["permission"], "session:stream");
    let mut before = house.print().await;
    for row in house.plain() {
        let (what, head) = (row.operation.as_str(), world.trail().await);
        let answer = house.ask(&eve, row).await;
        let tried = house.trail_behind(world.acme.id, head).await;
        let after = house.print().await;
        assert_eq!(after[1..], before[1..], "{what} has changed something");
        before = after;
        let is_empty_list = answer.body["items"] == json!([]);
        if OPEN.iter().any(|(open, _)| *open == what) || (row.method() == "GET" && is_empty_list) {
            assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        } else if what == NONE_TO_TAKE_BACK {
            assert!(answer.status == 200 && is_empty_list, "{what}: {}", answer.text);
        } else if what == STEP_BY_STEP {
            assert_eq!((answer.status, &answer.body["is_complete"]), (200, &json!(false)), "{}", answer.text);
            assert_eq!(answer.body["lines"][0]["kind"], "denied", "{}", answer.text);
        } else {
            assert_eq!(answer.status, 403, "{what}: {}", answer.text);
            assert!(names_what_is_missing(&answer), "{what}: {}", answer.text);
        }
        if row.does == Does::Changes && what != NONE_TO_TAKE_BACK {
            assert!(!tried.is_empty(), "{what} did not pass the door: the trail says nothing");
        } else {
            assert!(tried.is_empty(), "{what} is no change: {tried:?}");
        }
        for entry in tried {
            let said = (entry.row.decision, entry.row.actor.as_str());
            assert_eq!(said, (AuditDecision::Deny, "user:eve@acme.com"), "{what}");
        }
    }
}
