//! A plan that is kept: its digest, and the file it is written to and read from.

use crate::digest::Digest;
use crate::invalid::Invalid;
use crate::manifest::plan::{PLAN_VERSION, Plan};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands before the canonical JSON that is hashed.
const DOMAIN: &[u8] = b"powerloom/plan/v1\n";

/// A plan with its digest, as a file holds them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<P> {
    digest: Digest,
    plan: P,
}

impl Plan {
    /// What approvers sign and an application may insist on: `SHA-256("powerloom/plan/v1\n" ‖ JCS(content))`.
    ///
    /// The content is everything that will be done and everything people are shown of it: organization, targets, verbs,
    /// observed versions, fields, payloads, labels, dependencies, clashes. What the plan forecasts about permissions and
    /// approvals ([`Step::governance`](crate::manifest::Step::governance)) is left out: a policy or a binding added later
    /// changes who is asked, not what was agreed to.
    ///
    /// # Errors
    /// [`Invalid`] if a payload holds a number that has no exact canonical form.
    pub fn digest(&self) -> Result<Digest, Invalid> {
        let mut content = serde_json::to_value(self)
            .map_err(|error| Invalid::hidden("plan", format!("what JSON can hold: {error}")))?;
        let steps = content.get_mut("steps").and_then(Value::as_array_mut);
        for step in steps.into_iter().flatten().filter_map(Value::as_object_mut) {
            step.remove("governance");
        }
        Ok(Digest::of_parts(&[DOMAIN, &crate::canonical_json::to_vec(&content)?]))
    }

    /// The plan as the text of a file: `{"digest": …, "plan": …}`.
    ///
    /// Whoever can write the file can write another digest into it: to be sure of what is applied, keep the digest
    /// elsewhere and give it to [`ApplyOptions::digest`](crate::manifest::ApplyOptions::digest).
    ///
    /// # Errors
    /// As [`digest`](Self::digest).
    pub fn save(&self) -> Result<String, Invalid> {
        serde_json::to_string_pretty(&Saved { digest: self.digest()?, plan: self })
            .map_err(|error| Invalid::hidden("plan", format!("what JSON can hold: {error}")))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Invalid`] for what is no plan, has an unknown field or another version, or does not have the digest it claims.
    pub fn load(text: &str) -> Result<Self, Invalid> {
        let bad = |error: &serde_json::Error| {
            // What serde says quotes the text, which may hold anything.
            let place = format!("a saved plan; line {}, column {} is not", error.line(), error.column());
            Invalid::hidden("plan", place)
        };
        let version = serde_json::from_str::<Value>(text).map_err(|error| bad(&error))?;
        let version = version.pointer("/plan/v").and_then(Value::as_u64);
        if let Some(other) = version.filter(|version| *version != u64::from(PLAN_VERSION)) {
            return Err(Invalid::new("plan.v", other, format!("{PLAN_VERSION}: plan again")));
        }
        let Saved { digest, plan } =
            serde_json::from_str::<Saved<Self>>(text).map_err(|error| bad(&error))?;
        if plan.digest()? != digest {
            return Err(Invalid::new(
                "plan.digest",
                digest,
                "the digest of the plan: it was changed since it was saved",
            ));
        }
        Ok(plan)
    }
}
