//! What people call the kinds, and what they look at first.

use crate::api::segment;
use crate::failure::Usage;
use crate::output::plain;
use crate::weave::Weave;
use serde_json::Value;

/// A kind: how it is called, where it is, and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Its name: `Agent`.
    pub(crate) name: String,
    /// Where it is served: `/agents`.
    pub(crate) path: String,
    /// What people look at beside name and OU: a heading and a JSON pointer into the view.
    pub(crate) columns: &'static [(&'static str, &'static str)],
}

/// A kind this program knows.
struct Known {
    name: &'static str,
    /// The first is the path, too.
    words: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
}

static KNOWN: [Known; 13] = [
    Known {
        name: "Agent",
        words: &["agents", "agent"],
        columns: &[("MODEL", "/model"), ("KIND", "/agent_kind"), ("SYNC", "/sync/status")],
    },
    Known {
        name: "Skill",
        words: &["skills", "skill"],
        columns: &[("DISPLAY NAME", "/display_name"), ("SYNC", "/sync/status")],
    },
    Known {
        name: "MCPServerRegistration",
        words: &["mcp-servers", "mcp-server", "mcp", "mcpserverregistration", "mcpserverregistrations"],
        columns: &[("URL", "/url")],
    },
    Known {
        name: "MCPDeployment",
        words: &["mcp-deployments", "mcp-deployment", "mcpd", "mcpdeployment", "mcpdeployments"],
        columns: &[("TEMPLATE", "/template_kind")],
    },
    Known {
        name: "Credential",
        words: &["credentials", "credential", "cred", "creds"],
        columns: &[("AGENT", "/agent_id"), ("MCP SERVER", "/mcp_server_id"), ("SYNC", "/sync/status")],
    },
    Known { name: "OU", words: &["ous", "ou"], columns: &[("DISPLAY NAME", "/display_name")] },
    Known {
        name: "User",
        words: &["users", "user"],
        columns: &[("EMAIL", "/email"), ("DISABLED", "/disabled")],
    },
    Known { name: "Group", words: &["groups", "group"], columns: &[("DISPLAY NAME", "/display_name")] },
    Known {
        name: "GroupMembership",
        words: &["group-memberships", "group-membership", "gm", "groupmembership", "groupmemberships"],
        columns: &[("GROUP", "/group_id"), ("MEMBER", "/member_ref")],
    },
    Known { name: "Role", words: &["roles", "role"], columns: &[("PERMISSIONS", "/permissions")] },
    Known {
        name: "RoleBinding",
        words: &["role-bindings", "role-binding", "rb", "rolebinding", "rolebindings"],
        columns: &[("PRINCIPAL", "/principal_ref"), ("ROLE", "/role"), ("EFFECT", "/effect")],
    },
    Known {
        name: "SkillAccessGrant",
        words: &["skill-grants", "skill-grant", "sg", "skillaccessgrant", "skillaccessgrants"],
        columns: &[("SKILL", "/skill_id"), ("PRINCIPAL", "/principal_ref")],
    },
    Known {
        name: "ApprovalPolicy",
        words: &["approval-policies", "approval-policy", "ap", "approvalpolicy", "approvalpolicies"],
        columns: &[("MODE", "/mode"), ("APPROVERS", "/approvers"), ("QUORUM", "/quorum")],
    },
];

/// What people may write for a kind, for the help pages.
pub(crate) const KIND_HELP: &str = "\
Kinds: agents, skills, mcp-servers (mcp), mcp-deployments (mcpd), credentials (cred), ous, users, groups,
group-memberships (gm), roles, role-bindings (rb), skill-grants (sg), approval-policies (ap), and any kind
the server knows beside these by its own name. One or many, it is the same: `agent` is `agents`.";

/// The kind this program knows by a word, whatever its case.
pub(crate) fn known(word: &str) -> Option<Kind> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    KNOWN.iter().find(|kind| kind.words.contains(&word.as_str())).map(|kind| Kind {
        name: kind.name.to_owned(),
        path: format!("/{}", kind.words.first().copied().unwrap_or_default()),
        columns: kind.columns,
    })
}

impl Weave {
    /// The kind a word names: one of ours, or one of the server's own.
    ///
    /// # Errors
    /// [`Usage`] for a word nobody knows, with the nearest of the known ones.
    pub(crate) async fn kind(&self, word: &str) -> anyhow::Result<Kind> {
        if let Some(kind) = known(word) {
            return Ok(kind);
        }
        let answer = self.api.get("/kinds").send().await?.json()?;
        let kinds =
            answer.get("items").or(Some(&answer)).and_then(Value::as_array).cloned().unwrap_or_default();
        let names = kinds.iter().filter_map(|kind| kind.get("name").or(Some(kind)).and_then(Value::as_str));
        let names: Vec<&str> = names.collect();
        let singular = |text: &str| text.trim_end_matches('s').to_ascii_lowercase();
        if let Some(name) = names.iter().find(|name| singular(name) == singular(word)) {
            let path = format!("/resources/{}", segment(name));
            return Ok(Kind { name: (*name).to_owned(), path, columns: &[] });
        }
        let known = KNOWN.iter().filter_map(|kind| kind.words.first().copied());
        let all: Vec<&str> = known.chain(names.iter().copied().filter(|name| !is_ours(name))).collect();
        Err(Usage(format!("there is no kind `{}`: known are {}", plain::line(word), all.join(", "))).into())
    }
}

fn is_ours(name: &str) -> bool {
    KNOWN.iter().any(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_in_the_plural_the_singular_by_its_name_and_in_short() {
        for (word, path) in [
            ("agents", "/agents"),
            ("Agent", "/agents"),
            ("mcp", "/mcp-servers"),
            ("MCPServerRegistration", "/mcp-servers"),
            ("mcpd", "/mcp-deployments"),
            ("cred", "/credentials"),
            ("rb", "/role-bindings"),
            ("role_binding", "/role-bindings"),
            ("ap", "/approval-policies"),
            ("SkillAccessGrant", "/skill-grants"),
        ] {
            assert_eq!(known(word).map(|kind| kind.path).as_deref(), Some(path), "{word}");
        }
        assert_eq!(known("queue"), None);
    }

    #[test]
    fn no_word_names_two_kinds() {
        let mut words: Vec<&str> = KNOWN.iter().flat_map(|kind| kind.words).copied().collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
