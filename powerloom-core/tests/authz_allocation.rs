//! A check allocates nothing, and neither does asking for policies where none is met.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test stops at the first surprise"
)]
#![allow(unsafe_code, reason = "an allocator that counts can only be written so")]

use powerloom_core::approval::policy_set::{PolicyQuestion, PolicySet};
use powerloom_core::authz::{
    AuthzData, AuthzSnapshot, BindingData, Effect, GroupData, MembershipData, OuData, RoleRef, UserData,
};
use powerloom_core::clock::Timestamp;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use powerloom_core::record::{KindName, RecordRow};
use powerloom_core::role::BuiltinRole;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use uuid::Uuid;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn a_check_allocates_nothing() {
    let id = |number| ResourceId::from_uuid(Uuid::from_u128(number));
    let (root, eng, ada, group, service) =
        (id(1), id(2), id(3), id(4), Principal::Service("ci".parse().unwrap()));
    let bind = |number, principal, effect| BindingData {
        id: id(number),
        principal,
        role: RoleRef::Builtin(BuiltinRole::AgentBuilder),
        scope: eng,
        effect,
        expires_at: None,
    };
    let data = AuthzData {
        ous: vec![
            OuData { id: root, parent: None, name: "acme".parse().unwrap() },
            OuData { id: eng, parent: Some(root), name: "eng".parse().unwrap() },
        ],
        users: vec![UserData {
            id: ada,
            email: "ada@acme.com".parse().unwrap(),
            home_ou: eng,
            disabled: false,
        }],
        groups: vec![GroupData { id: group, ou: root, name: "g".parse().unwrap() }],
        memberships: vec![MembershipData { group, member: Principal::User(ada) }],
        bindings: vec![
            bind(10, Principal::Group(group), Effect::Allow),
            bind(11, service.clone(), Effect::Allow),
            bind(12, Principal::Ou(root), Effect::Allow),
        ],
        ..AuthzData::default()
    };
    let authz = AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, data).unwrap();
    let now = Timestamp::default();
    assert!(allocations(|| drop(Box::new(1))) > 0, "the counter counts");
    let counted = allocations(|| {
        assert!(authz.check(&Principal::User(ada), Permission::AGENT_CREATE, eng, now));
        assert!(authz.check(&service, Permission::AGENT_CREATE, eng, now));
        assert!(!authz.check(&Principal::User(id(99)), Permission::AGENT_CREATE, eng, now));
        assert!(matches!(authz.check_str("user:ada@acme.com", "agent:create", "/acme/eng", now), Ok(true)));
        assert!(matches!(authz.check_str("user:ada@acme.com", "skill:delete", "/acme", now), Ok(false)));
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_change_that_meets_no_policy_allocates_nothing() {
    let id = |number| ResourceId::from_uuid(Uuid::from_u128(number));
    let ous = vec![
        OuData { id: id(1), parent: None, name: "acme".parse().unwrap() },
        OuData { id: id(2), parent: Some(id(1)), name: "eng".parse().unwrap() },
        OuData { id: id(3), parent: Some(id(1)), name: "sales".parse().unwrap() },
    ];
    let authz =
        AuthzSnapshot::compile(OrgId::from_uuid(Uuid::nil()), 1, AuthzData { ous, ..AuthzData::default() })
            .unwrap();
    let policy = |number: u128, ou, matches: &str| -> RecordRow {
        serde_json::from_str(&format!(
            r#"{{"kind": "ApprovalPolicy", "meta": {{"id": "{}", "org": "{}", "ou": "{}", "name": "p", "version": 1,
                "generation": 1, "stage": "live", "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z"}}, "spec": {{"match": {matches}, "approvers": ["role:OrgAdmin"]}},
                "status": null, "unique_key": "", "refs": []}}"#,
            id(number),
            OrgId::from_uuid(Uuid::nil()),
            id(ou)
        ))
        .unwrap()
    };
    let rows = [
        policy(10, 1, r#"{"resource_kinds": ["Skill"], "condition": "true"}"#),
        policy(11, 1, r#"{"actions": ["archive"], "condition": "true"}"#),
        policy(12, 1, r#"{"ou_depth": "exact"}"#),
        policy(13, 3, r#"{"resource_kinds": ["Agent"], "actions": ["create"]}"#),
    ];
    let set = PolicySet::compile(&rows).unwrap();
    let question = PolicyQuestion {
        kind: &KindName::known("Agent"),
        verb: "agent.create",
        action: "create",
        ous: &[id(2)],
        record: None,
        before: &serde_json::Value::Null,
        actor: "user:ada@acme.com",
        delegated: false,
    };
    let counted = allocations(|| assert!(set.matching(&authz, &question).is_empty()));
    assert_eq!(counted, 0);
    assert_eq!(set.matching(&authz, &PolicyQuestion { ous: &[id(3)], ..question }).len(), 1);
}
