//! Voting on an approval request (sem. 2.8, Vote, Exclusions, Quorum; rows P98, P101, M38).

use crate::approval::electorate::{Ineligible, entitled, person};
use crate::approval::notifier::ApprovalEvent;
use crate::approval::tally::{Tally, tally};
use crate::approval::{ApprovalId, ApprovalRequest, ApprovalState, Ballot, Purpose, Requirement, Vote};
use crate::audit::Change;
use crate::digest::Digest;
use crate::door::request_row::{decide, expire, put, voters};
use crate::door::work::{Draft, Parked, Step, Work};
use crate::error::{Conflict, Error, Result};
use crate::id::ResourceId;
use crate::invalid::{Invalid, is_plain};
use crate::permission::Permission;
use crate::record::Record;
use serde_json::json;

/// Longest comment, in characters.
const MAX_COMMENT: usize = 2000;

/// A vote as it is cast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cast<'a> {
    pub(crate) request: ApprovalId,
    pub(crate) ballot: Ballot,
    pub(crate) payload_hash: Digest,
    pub(crate) comment: Option<&'a str>,
    pub(crate) requirements: &'a [ResourceId],
}

/// Checks and writes a `vote`. The one that decides also carries what it decides.
pub(crate) async fn vote(work: &mut Work<'_>, cast: Cast<'_>) -> Step<Draft> {
    check_words("comment", cast.comment)?;
    let (row, mut request) = work.record::<ApprovalRequest>(cast.request.record()).await?;
    work.about_request(&request, "vote");
    let voter = person(work.caller).map_err(Error::from)?;
    let somewhere =
        request.spec.requirements.iter().any(|need| work.may(Permission::APPROVAL_DECIDE, need.ou));
    if !somewhere {
        let place = request.spec.requirements.first().map_or(row.meta.ou, |need| need.ou);
        work.require(Permission::APPROVAL_DECIDE, place)?;
    }
    let asked = asked(&request, cast.requirements)?;
    let mine = entitled_to(work, &request, &asked, voter, cast.requirements.is_empty())?;
    work.replay().await?;

    match request.state_at(work.now) {
        ApprovalState::Pending => {}
        ApprovalState::Expired if request.status.state == ApprovalState::Pending => {
            return Ok(expire(work, row, request)?);
        }
        state => {
            return Err(Conflict::ApprovalDecided { request: cast.request, state }.into());
        }
    }
    if cast.payload_hash != request.spec.payload_hash {
        return Err(Conflict::ApprovalHashMismatch { request: cast.request }.into());
    }
    let names: Vec<String> = mine.iter().map(|requirement| requirement.name.clone()).collect();
    let before = earlier(&request, voter, &mine);
    for requirement in &mine {
        request.status.votes.retain(|vote| vote.voter != voter || vote.requirement != requirement.policy);
        request.status.votes.push(Vote {
            requirement: requirement.policy,
            voter,
            written: work.actor(),
            ballot: cast.ballot,
            payload_hash: cast.payload_hash,
            comment: cast.comment.map(str::to_owned),
            at: work.now,
        });
    }
    let mut draft = Draft::new(
        None,
        Change {
            before,
            after: json!({
                "ballot": cast.ballot, "policies": names, "payload_hash": cast.payload_hash, "comment": cast.comment,
            }),
            ..Change::default()
        },
    );
    draft.ungated = true;
    draft.approval = Some(cast.request);
    match outcome(work, &request, voter) {
        Tally::Open => put(work, &row, &request, ApprovalEvent::Voted, &mut draft)?,
        Tally::Rejected => {
            let after = json!({ "votes": voters(&request) });
            decide(work, &row, &mut request, ApprovalState::Rejected, after, &mut draft)?;
        }
        Tally::Approved if request.spec.purpose == Purpose::Change => {
            draft.parked = Some(Box::new(Parked { row, request }));
        }
        Tally::Approved => {
            let after = json!({ "votes": voters(&request) });
            decide(work, &row, &mut request, ApprovalState::Approved, after, &mut draft)?;
        }
    }
    Ok(draft)
}

/// The requirements the vote is for.
fn asked(request: &Record<ApprovalRequest>, wanted: &[ResourceId]) -> Result<Vec<Requirement>> {
    let requirements = &request.spec.requirements;
    if let Some(unknown) =
        wanted.iter().find(|policy| !requirements.iter().any(|known| known.policy == **policy))
    {
        let known: Vec<String> = requirements.iter().map(|known| known.policy.to_string()).collect();
        let allowed = format!("policies of the request: {}", known.join(", "));
        return Err(Invalid::new("requirements", unknown, allowed).into());
    }
    let for_it = |known: &&Requirement| wanted.is_empty() || wanted.contains(&known.policy);
    Ok(requirements.iter().filter(for_it).cloned().collect())
}

/// Those of them the voter may vote on: all, or, if none was named, as many as there are.
fn entitled_to(
    work: &Work<'_>,
    request: &Record<ApprovalRequest>,
    asked: &[Requirement],
    voter: ResourceId,
    any: bool,
) -> Result<Vec<Requirement>> {
    let mut mine = Vec::new();
    let mut refused: Option<Ineligible> = None;
    for requirement in asked {
        match entitled(&work.snapshot, request, requirement, voter, work.now) {
            Ok(()) if work.may(Permission::APPROVAL_DECIDE, requirement.ou) => mine.push(requirement.clone()),
            Ok(()) => refused = refused.or(Some(Ineligible::NotAnApprover)),
            Err(Ineligible::OwnRequest) => refused = Some(Ineligible::OwnRequest),
            Err(other) => refused = refused.or(Some(other)),
        }
    }
    match refused {
        Some(refused) if mine.is_empty() || !any => Err(refused.into()),
        None if mine.is_empty() => Err(Ineligible::NotAnApprover.into()),
        _ => Ok(mine),
    }
}

/// What the voter said before about the same requirements.
fn earlier(request: &Record<ApprovalRequest>, voter: ResourceId, mine: &[Requirement]) -> serde_json::Value {
    let mut votes = request.status.votes.iter();
    votes
        .find(|vote| vote.voter == voter && mine.iter().any(|of| of.policy == vote.requirement))
        .map_or(serde_json::Value::Null, |vote| json!({ "ballot": vote.ballot }))
}

/// Counts: the right to vote is judged again for every vote, by the data of this pass.
fn outcome(work: &Work<'_>, request: &Record<ApprovalRequest>, voter: ResourceId) -> Tally {
    tally(&request.spec.requirements, &request.status.votes, |requirement, vote| {
        let may = if vote.voter == voter {
            work.may(Permission::APPROVAL_DECIDE, requirement.ou)
        } else {
            work.person_may(vote.voter, Permission::APPROVAL_DECIDE, requirement.ou)
        };
        may && vote.payload_hash == request.spec.payload_hash
            && entitled(&work.snapshot, request, requirement, vote.voter, work.now).is_ok()
    })
}

/// Words of a person: 1 to 2000 characters, none of them for control.
pub(crate) fn check_words(field: &str, words: Option<&str>) -> Result<()> {
    let Some(words) = words else { return Ok(()) };
    let length = words.chars().count();
    if words.trim().is_empty() || length > MAX_COMMENT || !is_plain(words) {
        let allowed = format!("1 to {MAX_COMMENT} characters, none of them for control");
        return Err(Invalid::new(field, format!("{length} characters"), allowed).into());
    }
    Ok(())
}
