//! What a call out of a session may do, against what its starter may (sem. 2.10; rows M11, M24–M27).

use crate::world::{compile, questions, worlds};
use powerloom_core::door::authorizer::{AccessRequest, Authorizer, Rbac};
use powerloom_core::door::caller::{Caller, TokenKind};
use powerloom_core::id::SessionId;
use powerloom_core::permission::{Permission, PermissionSet};
use powerloom_core::token::{META_PERMISSIONS, MetaTool};
use proptest::prelude::*;
use uuid::Uuid;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Architecture, invariant 4: exactly what is the starter's, in the ceiling, and of some tool; never more.
    #[test]
    fn a_delegated_call_has_what_is_its_starters_and_its_ceilings(data in worlds(), bits: u128, tool in 0usize..11) {
        let snapshot = compile(&data);
        let session = SessionId::from_uuid(Uuid::from_u128(5));
        let tool = MetaTool::ALL[tool].permissions();
        let any: PermissionSet = Permission::ALL.iter().zip(0..).filter(|(_, n)| bits & 1 << n != 0).map(|(p, _)| *p).collect();
        for (who, permission, ou, at) in questions(&data) {
            let person = Caller::new(snapshot.org(), who);
            let may = |caller: &Caller| Rbac.decide(&snapshot, &AccessRequest { caller, permission, ou, at }).is_allowed();
            for ceiling in [tool, any, PermissionSet::ALL] {
                let delegated = person.clone().delegated(session, ceiling);
                let both = may(&person) && ceiling.intersection(META_PERMISSIONS).contains(permission);
                prop_assert_eq!(may(&delegated), both);
            }
            prop_assert!(!may(&person.by(TokenKind::Delegated)), "a delegated caller without a ceiling may do nothing");
        }
    }
}
