//! Types that are written as one value of a form that no attribute tells: ids, names, paths, permissions, labels.

use crate::approval::ApprovalId;
use crate::authz::{Label, RoleRef};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::labels::{Labels, MAX_LABELS, MAX_VALUE};
use crate::name::{Email, Name};
use crate::ou_path::{OuPath, ResourcePath};
use crate::pattern::{
    KIND, MAX_EMAIL, PLAIN, SLUG, email, label_key, ou_path, permissions, principal_ref, resource_path, whole,
};
use crate::permission::{Permission, PermissionPattern, PermissionSet};
use crate::principal::{Principal, PrincipalRef};
use crate::record::KindName;
use crate::resource::approval_policy::Approver;
use crate::resource::mcp_deployment::TEMPLATES;
use crate::role::BuiltinRole;
use crate::schema::refer;
use crate::session::event::EventSeq;
use crate::session::ticket::Ticket;
use std::borrow::Cow;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A UUID with hyphens, as part of a pattern.
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn formatted(description: &str, format: &str) -> Object {
    text(description).format(Some(SchemaFormat::Custom(format.to_owned()))).build()
}

fn patterned(description: &str, pattern: &str) -> Object {
    text(description).pattern(Some(whole(pattern))).build()
}

/// One of these words.
fn word<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> Object {
    text(description).enum_values(Some(words)).build()
}

fn roles() -> String {
    BuiltinRole::ALL.map(BuiltinRole::name).join("|")
}

fn labels() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What people and programs sort records by."))
        .property_names(Some(
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(whole(&label_key()))),
        ))
        .additional_properties(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .max_length(Some(MAX_VALUE))
                .pattern(Some(whole(PLAIN))),
        ))
        .max_properties(Some(MAX_LABELS))
        .build()
}

/// The templates of a managed MCP server.
pub(crate) fn templates() -> Object {
    word("Which template it is made from.", TEMPLATES.iter().copied())
}

/// Types that are written as one value of a form that serde does not tell.
macro_rules! stated {
    ($($type:ident = $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::from($schema))
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($type))
            }
        }
    )*};
}

stated! {
    OrgId = formatted("Names an organization.", "uuid");
    ResourceId = formatted("Names a declared resource of any kind.", "uuid");
    SessionId = formatted("Names a session: one run of an agent with a prompt.", "uuid");
    Timestamp = formatted("A moment, written in UTC with six digits of a second.", "date-time");
    Digest = patterned("A SHA-256 digest in hexadecimal.", "[0-9a-f]{64}");
    KindName = patterned("The name of a kind, such as `Agent`.", KIND);
    ApprovalId = patterned("Names an approval request.", &format!("req_{UUID}"));
    EventSeq = patterned("Position in a session's log, counted from 1.", "(0|[1-9][0-9]{0,19})");
    Ticket = patterned("Opens a session's stream once. It is secret.", "tk_[A-Za-z0-9_-]{43}");
    Name = patterned("A slug, such as `code-reviewer`.", SLUG);
    Email = text("An e-mail address in lower case.").pattern(Some(whole(&email()))).max_length(Some(MAX_EMAIL)).build();
    OuPath = patterned("The path of an OU, such as `/acme/engineering`.", &ou_path());
    ResourcePath = patterned(
        "The path of a resource: that of its OU, and its name.",
        &resource_path()
    );
    Principal = patterned(
        "Who acts: `user:<id>`, `group:<id>`, `ou:<id>`, `agent:<id>` or `service:<name>`.",
        &format!("((user|group|ou|agent):{UUID}|service:{SLUG})")
    );
    PrincipalRef = patterned(
        "Who acts, as people write it: `user:<email>`, `group:<path>`, `ou:<path>`, `agent:<path>` or `service:<name>`.",
        &principal_ref()
    );
    Label = text("A name to be shown, as it was when the answer was given.").build();
    Permission = word("One permission: `<resource>:<action>`.", Permission::ALL.iter().map(|it| it.as_str()));
    PermissionPattern = word(
        "One permission, all of a resource, or all there are.",
        permissions().iter().map(String::as_str)
    );
    BuiltinRole = word("A role every organization has.", BuiltinRole::ALL.map(BuiltinRole::name));
    RoleRef = patterned("A built-in role by name, or `role:<id>`.", &format!("({}|role:{UUID})", roles()));
    Approver = patterned(
        "Who may agree: `role:<built-in name>`, `role:<id>`, `group:<id>` or `user:<id>`.",
        &format!("(role:({}|{UUID})|(group|user):{UUID})", roles())
    );
    Labels = labels();
}

impl PartialSchema for PermissionSet {
    fn schema() -> RefOr<Schema> {
        let list = ArrayBuilder::new()
            .items(Ref::from_schema_name(Permission::name()))
            .description(Some("Permissions, in the order of the catalogue."));
        RefOr::T(Schema::from(list))
    }
}

impl ToSchema for PermissionSet {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PermissionSet")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        refer::<Permission>(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invalid::Invalid;
    use crate::ou_path::MAX_OU_DEPTH;
    use proptest::prelude::*;
    use proptest::string::string_regex;
    use std::fmt::Display;
    use std::str::FromStr;

    fn pattern<T: ToSchema>() -> (String, Option<usize>) {
        let RefOr::T(Schema::Object(object)) = T::schema() else { panic!("{} is no object", T::name()) };
        let pattern = object.pattern.unwrap();
        let inner = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).unwrap().to_owned();
        (inner, object.max_length)
    }

    /// What the pattern allows is read, and what was read is written as the pattern allows.
    fn reads<T: ToSchema + FromStr<Err = Invalid> + Display>(cases: u32) {
        let (inner, longest) = pattern::<T>();
        let texts = string_regex(&inner).unwrap();
        let whole = regex(&inner);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        runner
            .run(&texts, |text| {
                prop_assume!(longest.is_none_or(|longest| text.len() <= longest));
                let read = text.parse::<T>();
                prop_assert!(read.is_ok(), "{text:?} is refused: {:?}", read.err());
                let written = read.unwrap().to_string();
                prop_assert!(whole(&written), "{written:?} is not as the pattern says");
                Ok(())
            })
            .unwrap();
    }

    /// Whether a text matches a pattern as a reader of JSON Schema takes it.
    fn regex(inner: &str) -> impl Fn(&str) -> bool + use<> {
        let schema = serde_json::json!({ "type": "string", "pattern": format!("^{inner}$") });
        let validator = jsonschema::validator_for(&schema).unwrap();
        move |text| validator.is_valid(&serde_json::json!(text))
    }

    #[test]
    fn what_a_pattern_allows_is_read_and_what_is_written_fits_it() {
        reads::<Digest>(64);
        reads::<KindName>(64);
        reads::<ApprovalId>(64);
        reads::<Name>(128);
        reads::<Email>(256);
        reads::<OuPath>(64);
        reads::<ResourcePath>(64);
        reads::<Principal>(256);
        reads::<Approver>(256);
    }

    #[test]
    fn what_is_refused_does_not_fit_the_pattern() {
        fn refuses<T: ToSchema + FromStr>(texts: &[&str]) {
            let fits = regex(&pattern::<T>().0);
            for text in texts {
                assert!(text.parse::<T>().is_err(), "{text} is read");
                assert!(!fits(text), "{} allows {text:?}", T::name());
            }
        }
        refuses::<Name>(&["", "-a", "A", "a_b", "a b", "é", "x#y", "a@b", "a/b", &"x".repeat(64)]);
        refuses::<Email>(&[
            "",
            "ada",
            "@acme.com",
            "ada@",
            "a b@c.d",
            "user:a@b",
            "a@b@c",
            "a@.com",
            "a@b..c",
        ]);
        refuses::<OuPath>(&["", "/", "acme", "//", "/acme//eng", "/Acme", &"/a".repeat(MAX_OU_DEPTH + 1)]);
        refuses::<ResourcePath>(&["/acme", "a/b", "/acme/B"]);
        refuses::<KindName>(&["", "agent", "A-b", &"A".repeat(64)]);
        refuses::<Digest>(&["", "00", &"F".repeat(64)]);
        let id = "0198c0de-0000-7000-8000-000000000001";
        refuses::<ApprovalId>(&[id, "req_", "REQ_x"]);
        refuses::<Principal>(&["user:ada@acme.com", "service:CI", id, "robot:x"]);
        refuses::<PrincipalRef>(&["group:reviewers", "group:/reviewers", "ou:acme", "user:ada", "service:"]);
        refuses::<Approver>(&["role:Nobody", "ou:x", "user:ada@acme.com"]);
    }

    #[test]
    fn written_principals_fit_their_pattern() {
        let fits = regex(&pattern::<PrincipalRef>().0);
        for text in
            ["user:ada@acme.com", "group:/acme/eng/reviewers", "ou:/acme", "agent:/acme/a", "service:ci"]
        {
            assert!(text.parse::<PrincipalRef>().is_ok() && fits(text), "{text}");
        }
    }

    #[test]
    fn every_role_permission_and_pattern_is_named() {
        let fits = regex(&pattern::<RoleRef>().0);
        for role in BuiltinRole::ALL {
            let written = serde_json::to_value(RoleRef::Builtin(role)).unwrap();
            assert!(fits(written.as_str().unwrap()));
        }
        assert!(!fits("Nobody") && fits("role:0198c0de-0000-7000-8000-000000000001"));
        for text in permissions() {
            assert_eq!(text.parse::<PermissionPattern>().unwrap().to_string(), text);
        }
        assert_eq!(permissions().len(), 1 + Permission::ALL.len() + resources());
    }

    fn resources() -> usize {
        let all: std::collections::BTreeSet<&str> = Permission::ALL.iter().map(|it| it.resource()).collect();
        all.len()
    }
}
