//! All of a snapshot but its bindings: numbered OUs, numbered subjects, and whom each subject stands for.

use crate::authz::data::AgentKind;
use crate::authz::label::Label;
use crate::id::{OrgId, ResourceId};
use crate::name::Name;
use crate::ou_path::OuPath;
use crate::permission::PermissionSet;
use crate::principal::Principal;
use std::collections::HashMap;

pub(super) type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Number of an OU: its place in a pre-order walk of the tree, so that a subtree is a [`Span`].
pub(super) type OuIx = u32;

/// Number of a subject. The first are the OUs, under their own numbers, then groups, users, agents, services.
pub(super) type SubjectIx = u32;

/// Consecutive numbers, the end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) const NONE: Self = Self { start: 0, end: 0 };

    pub(super) const fn contains(self, number: u32) -> bool {
        (self.start <= number) & (number < self.end)
    }

    /// What both have; spans of OUs nest or are disjoint.
    pub(super) fn common(self, other: Self) -> Self {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        if start < end { Self { start, end } } else { Self::NONE }
    }

    /// Whether all of this is in `other`; nothing is in anything.
    pub(super) const fn is_within(self, other: Self) -> bool {
        self.start >= self.end || other.start <= self.start && self.end <= other.end
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ou {
    pub(super) id: ResourceId,
    pub(super) parent: Option<OuIx>,
    /// Itself and all below.
    pub(super) span: Span,
    pub(super) path: OuPath,
    pub(super) label: Label,
}

#[derive(Debug, Clone)]
pub(super) struct Role {
    pub(super) permissions: PermissionSet,
    /// Where it is usable.
    pub(super) usable: Span,
    pub(super) label: Label,
}

/// What a check needs of a subject.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Whose bindings count: a span of [`Ground::reach`].
    pub(super) reach: Span,
    /// Whose denies count besides: an agent's own, where `reach` is its owner's.
    pub(super) own: Span,
    /// It never exceeds these.
    pub(super) within: PermissionSet,
    /// Where it holds the runtime role unasked.
    pub(super) runtime: Span,
    pub(super) standing: Standing,
}

/// Whether a subject may do anything at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Live,
    Disabled,
    Archived,
    OwnerPowerless,
    NestedTooDeep,
}

/// What an explanation needs of a subject.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) principal: Principal,
    pub(super) label: Label,
    /// For an agent: its kind and its owner, if known.
    pub(super) agent: Option<(AgentKind, Option<SubjectIx>)>,
}

#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) org: OrgId,
    pub(super) ous: Vec<Ou>,
    pub(super) by_path: FastMap<Label, OuIx>,
    pub(super) actors: Vec<Actor>,
    pub(super) identities: Vec<Identity>,
    pub(super) by_id: FastMap<ResourceId, SubjectIx>,
    pub(super) by_name: FastMap<Label, SubjectIx>,
    /// For each subject, itself and all it stands for, nearest first.
    pub(super) reach: Vec<SubjectIx>,
    /// Beside `reach`: through which entry of the same span it was reached; its own place for the first.
    pub(super) via: Vec<u32>,
    /// For each group, and each subject in a group: the groups that contain it directly.
    pub(super) groups_of: Vec<Vec<SubjectIx>>,
    pub(super) groups: Span,
    pub(super) users: Span,
    pub(super) agents: Span,
    /// Built-in roles under their own numbers, then custom ones.
    pub(super) roles: Vec<Role>,
    pub(super) role_numbers: FastMap<ResourceId, u32>,
    pub(super) agent_runtime: PermissionSet,
}

impl Ground {
    pub(super) fn ou(&self, id: ResourceId) -> Option<OuIx> {
        self.by_id.get(&id).copied().filter(|&number| (number as usize) < self.ous.len())
    }

    pub(super) fn ou_span(&self, number: OuIx) -> Span {
        self.ous.get(number as usize).map_or(Span::NONE, |ou| ou.span)
    }

    pub(super) fn all_ous(&self) -> Span {
        self.ou_span(0)
    }

    pub(super) fn subject(&self, principal: &Principal) -> Option<SubjectIx> {
        let (id, kind) = match principal {
            Principal::User(id) => (id, self.users),
            Principal::Group(id) => (id, self.groups),
            Principal::Ou(id) => (id, self.all_ous()),
            Principal::Agent(id) => (id, self.agents),
            Principal::Service(name) => return self.service(name),
        };
        self.by_id.get(id).copied().filter(|&number| kind.contains(number))
    }

    fn service(&self, name: &Name) -> Option<SubjectIx> {
        let mut text = [0u8; 72];
        let (start, end) = (b"service:", name.as_str().as_bytes());
        let whole = text.get_mut(..start.len() + end.len())?;
        let (head, tail) = whole.split_at_mut(start.len());
        head.copy_from_slice(start);
        tail.copy_from_slice(end);
        self.by_name.get(std::str::from_utf8(whole).ok()?).copied()
    }

    pub(super) fn actor(&self, subject: SubjectIx) -> Option<&Actor> {
        self.actors.get(subject as usize)
    }

    pub(super) fn identity(&self, subject: SubjectIx) -> Option<&Identity> {
        self.identities.get(subject as usize)
    }

    pub(super) fn reached(&self, span: Span) -> &[SubjectIx] {
        self.reach.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The subjects through which entry `place` of `span` was reached, the nearest first and itself last; the first
    /// entry of the span is left out.
    pub(super) fn chain(&self, span: Span, place: u32) -> Vec<SubjectIx> {
        let mut chain = Vec::new();
        let mut at = place;
        while at != 0 {
            let index = (span.start + at) as usize;
            let (Some(&subject), Some(&before)) = (self.reach.get(index), self.via.get(index)) else { break };
            chain.push(subject);
            at = before.min(at - 1);
        }
        chain.reverse();
        chain
    }
}
