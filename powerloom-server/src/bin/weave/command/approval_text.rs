//! A request for approval, as people see it before they decide.

use crate::age::{age, moment};
use crate::command::get::cell;
use crate::output::ink::Ink;
use crate::output::{plain, yaml};
use crate::reference::field;
use jiff::Timestamp;
use serde_json::Value;

/// What people see of a request before they decide.
pub(crate) fn text(request: &Value, ink: Ink, now: Timestamp) -> String {
    let mut out = format!(
        "{} {} {}\n",
        ink.strong(plain::line(field(request, "verb"))),
        ink.name(plain::line(field(request, "id"))),
        state(field(request, "state"), ink)
    );
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("  {}  {}\n", ink.dim(format!("{name:<14}")), plain::line(value)));
        }
    };
    line("for", field(request, "purpose"));
    line("what", [field(request, "resource_kind"), field(request, "resource_id")].join(" ").trim_end());
    line("in", field(request, "scope_ou"));
    line("asked by", &requester(request));
    line("because", field(request, "justification"));
    line("asked at", &moment(field(request, "created_at")));
    let end = field(request, "expires_at");
    if !end.is_empty() {
        line("expires", &format!("{} ({})", moment(end), age(end, now)));
    }
    line("signed is", field(request, "payload_hash"));
    for requirement in requirements(request) {
        let approvers = cell(requirement.get("approver_refs").or_else(|| requirement.get("approvers")))
            .replace(',', ", ");
        line("needs", &format!("{} of {approvers} ({})", tally(requirement), field(requirement, "name")));
    }
    for vote in request.get("votes").and_then(Value::as_array).into_iter().flatten() {
        let comment = field(vote, "comment");
        let comment = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        let who = cell(vote.get("written").or_else(|| vote.get("voter")));
        line("vote", &format!("{} by {who}{comment}", field(vote, "ballot")));
    }
    let outcome = request.get("outcome").filter(|outcome| !outcome.is_null());
    line("outcome", &outcome.map(|outcome| cell(Some(outcome))).unwrap_or_default());
    for (title, name, mark) in [("before", "before", "-"), ("after", "after", "+")] {
        // Of a plan, its steps say it better.
        let said = request.get(name).filter(|value| !value.is_null() && field(request, "purpose") != "plan");
        let Some(value) = said else { continue };
        out.push_str(&format!("  {}\n", ink.dim(title)));
        for line in yaml::text(value).lines() {
            let line = format!("    {mark} {line}\n");
            out.push_str(&if mark == "-" { ink.bad(line) } else { ink.good(line) });
        }
    }
    out
}

/// The state, in its colour.
pub(crate) fn state(word: &str, ink: Ink) -> String {
    let word = plain::line(word);
    match word.as_ref() {
        "approved" => ink.good(word),
        "pending" => ink.busy(word),
        _ => ink.bad(word),
    }
}

/// Who asked, as people write it.
pub(crate) fn requester(request: &Value) -> String {
    let written = request.pointer("/requester/written").or_else(|| request.get("requester_written"));
    let plain = request.pointer("/requester/principal").or_else(|| request.get("requester"));
    cell(written.filter(|written| written.is_string()).or(plain))
}

fn requirements(request: &Value) -> impl Iterator<Item = &Value> {
    request.get("requirements").and_then(Value::as_array).into_iter().flatten()
}

/// How many voted for it, of how many needed: one figure per requirement.
pub(crate) fn votes(request: &Value) -> String {
    requirements(request).map(tally).collect::<Vec<_>>().join(" ")
}

fn tally(requirement: &Value) -> String {
    let number = |pointer: &str| requirement.pointer(pointer).and_then(Value::as_u64);
    let given = number("/approvals").or_else(|| number("/tally/approvals")).unwrap_or_default();
    format!("{given}/{}", number("/quorum").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_shows_what_is_signed_and_what_it_needs() {
        let request = json!({ "id": "req_1", "state": "pending", "purpose": "change", "verb": "agent.create", "resource_kind": "Agent",
            "requester": { "principal": "user:0190", "written": "user:ada@acme.com" }, "scope_ou": "/acme/eng",
            "payload_hash": "sha256:ab", "before": null, "after": { "name": "bot\u{1b}[2J", "model": "m" },
            "justification": "we need it", "created_at": "2026-11-20T11:00:00Z", "expires_at": "2026-11-27T11:00:00Z",
            "requirements": [{ "policy": "0191", "name": "agents", "approver_refs": ["role:Approver", "user:grace@acme.com"],
                "quorum": 2, "approvals": 1 }],
            "votes": [{ "ballot": "approve", "written": "user:grace@acme.com", "comment": "fine" }] });
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&request, Ink::new(false), now));
    }
}
