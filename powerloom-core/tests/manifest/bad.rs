//! The bad set: every fault has a place, a field and a way out, echoes no secret, and is bounded.

use powerloom_core::manifest::{ManifestErrors, ParseMode, parse};
use powerloom_core::resource::catalogue::Catalogue;
use std::fmt::Write;

fn errors(text: &str) -> ManifestErrors {
    parse("bad.yaml", text, ParseMode::Lenient, &Catalogue::default()).map(|p| p.documents).expect_err(text)
}

fn agent(spec: &str) -> String {
    format!(
        "apiVersion: powerloom/v1\nkind: Agent\nmetadata:\n  name: a\n  ou_path: /acme\nspec:\n  {spec}\n"
    )
}

fn snapshot(name: &str, cases: &[(&str, String)]) {
    let mut out = String::new();
    for (case, text) in cases {
        writeln!(out, "# {case}\n{}\n", errors(text)).unwrap();
    }
    insta::assert_snapshot!(name, out);
}

#[test]
fn yaml_that_is_refused() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(1..9)
            .map(|n| {
                let (this, last) = ((b'a' + n) as char, (b'a' + n - 1) as char);
                format!("{this}: &{this} [*{last},*{last},*{last},*{last},*{last},*{last},*{last},*{last},*{last}]\n")
            })
            .collect::<String>();
    snapshot(
        "yaml_that_is_refused",
        &[
            (
                "duplicate keys",
                "kind: Skill\nkind: Agent\nmetadata: {name: a, name: b, ou_path: /acme}\n".into(),
            ),
            (
                "duplicate keys, one quoted",
                "kind: Skill\nmetadata: {name: a, \"name\": b, ou_path: /acme}\n".into(),
            ),
            ("alias bomb", bomb),
            ("alias inside of its anchor", "kind: &k [*k]\n".into()),
            ("alias without anchor", "kind: *nothing\n".into()),
            ("depth bomb, flow", format!("kind: {}\n", "[".repeat(100_000))),
            ("depth bomb, block", format!("{}x\n", "- ".repeat(100))),
            ("size", format!("# {}\n", "x".repeat(1024 * 1024))),
            ("documents", "---\nkind: Skill\nmetadata: {name: a, ou_path: /acme}\n".repeat(1001)),
            (
                "merge key",
                "x: &x {a: 1}\nkind: Skill\nmetadata:\n  <<: *x\n  name: a\n  ou_path: /acme\n".into(),
            ),
            ("keys that are not text", "kind: Skill\n1: a\ntrue: b\nnull: c\n? [x]\n: d\n".into()),
            ("tab", "kind: Skill\nmetadata:\n\tname: a\n".into()),
            ("NUL", "kind: Sk\0ill\n".into()),
            ("NUL in an escape", "kind: \"Sk\\0ill\"\n".into()),
            ("text that runs backwards, in an escape", "kind: \"\\u202elliks\"\n".into()),
            ("escape sequence", "kind: \u{1b}[31mSkill\n".into()),
            ("text that runs backwards", "kind: \u{202e}llikS\n".into()),
            ("BOM in the middle", "kind: Skill\n\u{feff}metadata: {}\n".into()),
            ("tags", "kind: !!str Skill\nmetadata: !include x.yaml\n".into()),
            ("unclosed", "kind: [Skill\n".into()),
            ("not a mapping", "- kind: Skill\n".into()),
            ("infinity", agent("session_timeout_seconds: .inf")),
            ("NaN", agent("session_timeout_seconds: .NaN")),
            ("a number beyond all bounds", agent("session_timeout_seconds: 123456789012345678901234567890")),
        ],
    );
}

#[test]
fn fields_that_are_refused() {
    snapshot(
        "fields_that_are_refused",
        &[
            ("unknown field", agent("modle: x")),
            ("unknown field of a kind without fields there", "kind: Credential\nmetadata: {agent_path: /a/b, mcp_registration_path: /a/c}\nspec: {bearer: hunter2}\n".into()),
            ("unknown part", "kind: Skill\nmetadata: {name: a, ou_path: /acme}\nspce: {}\n".into()),
            ("field in the wrong part", agent("name: b")),
            ("unknown kind", "kind: Agnet\nmetadata: {name: a, ou_path: /acme}\n".into()),
            ("kind that is not declared", "kind: Vault\nmetadata: {agent_path: /a/b}\n".into()),
            ("no kind", "metadata: {name: a, ou_path: /acme}\n".into()),
            ("apiVersion", "apiVersion: powerloom/v9\nkind: Skill\nmetadata: {name: a, ou_path: /acme}\n".into()),
            ("no name", "kind: Skill\nmetadata: {ou_path: /acme}\n".into()),
            ("no metadata", "kind: Agent\n".into()),
            ("nothing to know a binding by", "kind: RoleBinding\nmetadata: {ou_path: /acme}\nspec: {role: OrgAdmin}\n".into()),
            ("name", "kind: Skill\nmetadata: {name: Python Lint, ou_path: acme}\n".into()),
            ("name of 10 MB is too large a stream", format!("kind: Skill\nmetadata: {{name: {}}}\n", "x".repeat(10 << 20))),
            ("name of 100 kB", format!("kind: Skill\nmetadata: {{name: {}, ou_path: /acme}}\n", "x".repeat(100_000))),
            ("number as name", "kind: Skill\nmetadata: {name: 123, ou_path: /acme}\n".into()),
            ("number as text", agent("display_name: 123")),
            ("truth as text", agent("model: true")),
            ("list as text", agent("model: [x]")),
            ("text as list", agent("skills: python-lint")),
            ("text as flag", "kind: User\nmetadata: {email: a@b.c, ou_path: /acme}\nspec: {disabled: no}\n".into()),
            ("octal as number", agent("session_timeout_seconds: 0o17")),
            ("number out of range", agent("session_timeout_seconds: 0")),
            ("choice", agent("agent_kind: robot")),
            ("principal", agent("owner_principal_ref: admin@acme.com")),
            ("null where a value must be", agent("model: null")),
            ("too long", agent(&format!("display_name: {}", "x".repeat(256)))),
            ("item of a list", agent("skills: [ok, Not Ok, 7, {skill: x, version: 0}, {versoin: 1}]")),
            ("reference", agent("mcp_servers: [/acme//x, ../x]")),
            ("permissions", "kind: Role\nmetadata: {name: r, ou_path: /acme}\nspec: {permissions: [agent:create, agnet:read, '*']}\n".into()),
            ("role", "kind: RoleBinding\nmetadata: {ou_path: /acme}\nspec: {role: OrgAdmn, principal_ref: 'user:a@b.c'}\n".into()),
            ("time", "kind: RoleBinding\nmetadata: {ou_path: /acme}\nspec: {role: Viewer, principal_ref: 'user:a@b.c', expires_at: tomorrow}\n".into()),
            ("URL with a password", "kind: MCPServerRegistration\nmetadata: {name: a, ou_path: /acme}\nspec: {url: 'https://u:hunter2@x.y/'}\n".into()),
            ("URL", "kind: MCPServerRegistration\nmetadata: {name: a, ou_path: /acme}\nspec: {url: 'ftp://x.y/'}\n".into()),
            ("approvers", "kind: ApprovalPolicy\nmetadata: {name: p, ou_path: /acme}\nspec: {match: {}, approvers: ['role:OrgAdmn', 'user:ada', 'agent:/acme/a', OrgAdmin, 7]}\n".into()),
            ("policies", "kind: ApprovalPolicy\nmetadata: {name: p, ou_path: /acme}\nspec:\n  match:\n    resource_kinds: [Agent]\n    actions: [craete]\n  quorum: 0\n".into()),
            ("condition", "kind: ApprovalPolicy\nmetadata: {name: p, ou_path: /acme}\nspec:\n  match:\n    condition: resource.spec.model = 'x'\n".into()),
            ("match", "kind: ApprovalPolicy\nmetadata: {name: p, ou_path: /acme}\nspec: {match: all, ttl_seconds: 1}\n".into()),
            ("two ways to name an OU", "kind: OU\nmetadata: {path: /acme/x, name: x, ou_path: /acme}\n".into()),
        ],
    );
}

/// All faults of all documents come at once, and a broken document does not hide the next.
#[test]
fn all_faults_of_all_documents_come_at_once() {
    let text = "kind: Skill\nmetadata: {name: A, ou_path: /acme}\nspec: {nmae: x, description: 1}\n---\nkind: [\n---\nkind: Skil\n";
    let errors = errors(text);
    let lines: Vec<usize> = errors.faults.iter().map(|fault| fault.at.line).collect();
    assert_eq!(lines, [2, 3, 3, 5, 7], "{errors}");
}

#[test]
fn no_message_grows_with_its_input_and_no_secret_is_repeated() {
    let many = (0..5000).fold(
        String::from("kind: Skill\nmetadata: {name: a, ou_path: /acme}\nspec:\n"),
        |mut text, n| {
            writeln!(text, "  unknown{n}: {}", "x".repeat(100)).unwrap();
            text
        },
    );
    let found = errors(&many);
    assert_eq!((found.faults.len(), found.more), (100, 4900));
    assert!(found.to_string().len() < 40_000 && found.to_string().ends_with("and 4900 more"));

    let long = format!("{}: 1\nkind: {}\n", "k".repeat(5_000), "v".repeat(500_000));
    assert!(errors(&long).to_string().len() < 1000);

    for text in [
        "kind: Credential\nmetadata: {agent_path: /a/b, mcp_registration_path: /a/c, bearer: hunter2}\n",
        "kind: MCPServerRegistration\nmetadata: {name: a, ou_path: /acme}\nspec: {url: 'https://u:hunter2@x.y/'}\n",
        "kind: Skill\nmetadata: {name: a, ou_path: /acme}\nspec: {token: hunter2}\n",
    ] {
        assert!(!errors(text).to_string().contains("hunter2"), "{text}");
    }
}

proptest::proptest! {
    /// Whatever the text: an answer, no panic, and messages of bounded size without control characters.
    #[test]
    fn any_text_is_answered(text in "[ \\-\\[\\]{}:,&*!|>'\"%@`a-z0-9#?\n\t]{0,200}") {
        if let Err(errors) = parse("any.yaml", &text, ParseMode::Lenient, &Catalogue::default()) {
            let message = errors.to_string();
            proptest::prop_assert!(message.len() < 100_000);
            proptest::prop_assert!(message.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
