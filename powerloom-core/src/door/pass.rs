//! One pass of one action: what it checks and would write.

use crate::door::action::api_token::{NewToken, create_api_token, revoke_api_token};
use crate::door::action::archive::archive;
use crate::door::action::attach::{Attachment, attach};
use crate::door::action::cancel_approval::cancel_approval;
use crate::door::action::consent::{Consent, grant, revoke};
use crate::door::action::create::create;
use crate::door::action::credential::rotate;
use crate::door::action::erase::erase;
use crate::door::action::invoke::{Invocation, cancel, invoke};
use crate::door::action::move_ou::move_ou;
use crate::door::action::publish::publish;
use crate::door::action::reset::reset;
use crate::door::action::rewrap::rewrap;
use crate::door::action::submit_plan::submit_plan;
use crate::door::action::update::update;
use crate::door::action::vote::{Cast, vote};
use crate::door::marks::Marks;
use crate::door::mutation::{Action, Mutation};
use crate::door::work::{Draft, Step, Work};
use crate::resource::agent::SkillPin;

/// One pass: what the change checks and would write.
pub(crate) async fn pass(work: &mut Work<'_>, mutation: &Mutation) -> Step<Draft> {
    work.marks = Marks::of(mutation)?;
    match &mutation.action {
        Action::Create { kind, ou, name, spec } => create(work, kind, *ou, name.as_deref(), spec).await,
        Action::Update { target, expect, patch } => update(work, target, *expect, patch).await,
        Action::Archive { target, expect } => archive(work, target, *expect).await,
        Action::AttachSkill { agent, skill, version, expect } => {
            let pin = version.map_or(SkillPin::Current, SkillPin::Pinned);
            attach(work, *agent, *expect, Attachment::Skill(*skill, pin)).await
        }
        Action::DetachSkill { agent, skill, expect } => {
            attach(work, *agent, *expect, Attachment::NoSkill(*skill)).await
        }
        Action::AttachMcpServer { agent, mcp_server, expect } => {
            attach(work, *agent, *expect, Attachment::McpServer(*mcp_server)).await
        }
        Action::DetachMcpServer { agent, mcp_server, expect } => {
            attach(work, *agent, *expect, Attachment::NoMcpServer(*mcp_server)).await
        }
        Action::PublishSkillVersion { skill, files } => publish(work, *skill, files).await,
        Action::MoveOu { ou, to, expect } => move_ou(work, *ou, *to, *expect).await,
        Action::RotateCredential { credential, expect } => rotate(work, *credential, *expect).await,
        Action::RewrapSecrets {} => rewrap(work).await,
        Action::ResetSync { target } => reset(work, target).await,
        Action::Invoke { agent, prompt, mode, title, timeout_seconds } => {
            let asked = Invocation {
                agent: *agent,
                prompt,
                mode: *mode,
                title: title.as_deref(),
                timeout_seconds: *timeout_seconds,
            };
            invoke(work, asked).await
        }
        Action::CancelSession { session } => cancel(work, *session).await,
        Action::CreateApiToken { token, principal, name, scopes, expires_at, digest } => {
            let (token, expires_at, digest) = (*token, *expires_at, *digest);
            create_api_token(work, NewToken { token, principal, name, scopes, expires_at, digest }).await
        }
        Action::RevokeApiToken { token } => revoke_api_token(work, *token).await,
        Action::EraseAuditPayload { seq } => erase(work, *seq).await,
        Action::Vote { request, ballot, payload_hash, comment, requirements } => {
            let cast = Cast {
                request: *request,
                ballot: *ballot,
                payload_hash: *payload_hash,
                comment: comment.as_deref(),
                requirements,
            };
            vote(work, cast).await
        }
        Action::CancelApproval { request, reason } => {
            cancel_approval(work, *request, reason.as_deref()).await
        }
        Action::GrantConsent { ou, verbs, uses, expires_at, delegated } => {
            let consent =
                Consent { ou: *ou, verbs, uses: *uses, expires_at: *expires_at, delegated: *delegated };
            grant(work, consent).await
        }
        Action::SubmitPlan { plan, justification } => submit_plan(work, plan, justification.as_deref()).await,
        Action::RevokeConsent { consent } => revoke(work, *consent).await,
    }
}
