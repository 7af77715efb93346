//! Every answer of the snapshot against the oracle's, over random organizations (R1).

use crate::naive;
use crate::world::{at, compile, principals, questions, worlds};
use powerloom_core::authz::Resolution;
use powerloom_core::permission::Permission;
use powerloom_core::principal::Principal;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_oracles(data in worlds()) {
        let snapshot = compile(&data);
        for (who, what, ou, now) in questions(&data) {
            let answer = snapshot.check(&who, what, ou, now);
            let expected = naive::check(&data, &who, what, ou, now);
            prop_assert_eq!(answer, expected, "{} {} at {} in {:?}", who, what, ou, now);
            let decision = snapshot.decide(&who, what, ou, now);
            prop_assert_eq!(decision.is_allowed(), expected, "{}", decision);
            prop_assert_eq!(snapshot.held(&who, ou, now).contains(what), expected);
        }
    }

    #[test]
    fn a_written_question_has_the_same_answer(data in worlds()) {
        let snapshot = compile(&data);
        for (who, what, ou, now) in questions(&data) {
            let decision = snapshot.decide(&who, what, ou, now);
            if matches!(decision.resolution, Resolution::UnknownPrincipal | Resolution::UnknownOu) {
                continue;
            }
            let written = snapshot.check_str(decision.name.as_str(), what.as_str(), decision.ou.as_str(), now);
            let archived = decision.resolution == Resolution::ArchivedAgent;
            prop_assert!(archived || written == Ok(decision.is_allowed()) || matches!(who, Principal::Service(_)));
        }
    }

    #[test]
    fn covering_is_being_among_the_subjects(data in worlds()) {
        let snapshot = compile(&data);
        for user in data.users.iter() {
            let who = Principal::User(user.id);
            let subjects = naive::subjects(&data, &who);
            for grantee in principals(&data) {
                let expected = !user.disabled && subjects.contains(&grantee);
                prop_assert_eq!(snapshot.covers(&who, &grantee), expected, "{} {}", who, grantee);
            }
        }
    }

    #[test]
    fn who_can_is_everyone_whom_a_check_allows(data in worlds()) {
        let snapshot = compile(&data);
        let (what, ou) = (Permission::AGENT_READ, data.ous[0].id);
        let mut told = snapshot.who_can(what, ou, at(1));
        let actors = |who: &Principal| matches!(who, Principal::User(_) | Principal::Agent(_));
        let mut expected: Vec<_> =
            principals(&data).into_iter().filter(actors).filter(|who| snapshot.check(who, what, ou, at(1))).collect();
        told.sort();
        expected.sort();
        prop_assert_eq!(told, expected);
    }
}
