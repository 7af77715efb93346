//! JSON Schema of what crosses a face, for an OpenAPI document (feature `schema`).
//!
//! Most types derive theirs from the same attributes that serde reads. Here is what cannot be derived: the types that
//! are written as text, and those that write themselves. A schema says what is written; what is read may be more, such
//! as a time in another zone.

use crate::approval::ApprovalId;
use crate::audit::report::Finding;
use crate::audit::{AuditEntry, Break};
use crate::authz::{Decision, Label, RoleRef};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::id::{OrgId, ResourceId, SessionId};
use crate::labels::{Labels, MAX_KEY, MAX_LABELS, MAX_VALUE};
use crate::manifest::Fault;
use crate::name::{Email, Name};
use crate::ou_path::{MAX_OU_DEPTH, OuPath, ResourcePath};
use crate::permission::{Permission, PermissionPattern, PermissionSet};
use crate::principal::{Principal, PrincipalRef};
use crate::record::{KindName, Metadata, Record};
use crate::resource::approval_policy::Approver;
use crate::resource::mcp_deployment::TEMPLATES;
use crate::role::BuiltinRole;
use crate::session::event::EventSeq;
use crate::session::ticket::Ticket;
use std::any::TypeId;
use std::borrow::Cow;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A UUID with hyphens, as part of a pattern.
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
/// A [`Name`], as part of a pattern.
const SLUG: &str = "[a-z0-9][a-z0-9-]{0,62}";
/// An [`Email`], as part of a pattern. It allows what the format `email` does not, such as letters beyond ASCII.
const EMAIL: &str = r#"[^\s\x00-\x1f\x7f-\x9f@:/<>,;"]+@[^\s\x00-\x1f\x7f-\x9f@:/<>,;".]+(\.[^\s\x00-\x1f\x7f-\x9f@:/<>,;".]+)*"#;

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

fn formatted(description: &str, format: &str) -> Object {
    text(description).format(Some(SchemaFormat::Custom(format.to_owned()))).build()
}

fn patterned(description: &str, pattern: &str) -> Object {
    text(description).pattern(Some(format!("^{pattern}$"))).build()
}

/// One of these words.
fn word<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> Object {
    text(description).enum_values(Some(words)).build()
}

fn roles() -> String {
    BuiltinRole::ALL.map(BuiltinRole::name).join("|")
}

/// `*:*`, every `<resource>:*`, every permission.
fn patterns() -> Vec<String> {
    let mut all = vec!["*:*".to_owned()];
    for permission in Permission::ALL {
        let resource = format!("{}:*", permission.resource());
        if !all.contains(&resource) {
            all.push(resource);
        }
    }
    all.extend(Permission::ALL.iter().map(ToString::to_string));
    all
}

fn labels() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What people and programs sort records by."))
        .property_names(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(format!("^[a-z][a-z0-9_./-]{{0,{}}}$", MAX_KEY - 1))),
        ))
        .additional_properties(Some(
            ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_VALUE)),
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
    KindName = patterned("The name of a kind, such as `Agent`.", "[A-Z][A-Za-z0-9]{0,62}");
    ApprovalId = patterned("Names an approval request.", &format!("req_{UUID}"));
    EventSeq = patterned("Position in a session's log, counted from 1.", "(0|[1-9][0-9]{0,19})");
    Ticket = patterned("Opens a session's stream once. It is secret.", "tk_[A-Za-z0-9_-]{43}");
    Name = patterned("A slug, such as `code-reviewer`.", SLUG);
    Email = text("An e-mail address in lower case.").pattern(Some(format!("^{EMAIL}$"))).max_length(Some(254)).build();
    OuPath = patterned("The path of an OU, such as `/acme/engineering`.", &format!("(/{SLUG}){{1,{MAX_OU_DEPTH}}}"));
    ResourcePath = patterned(
        "The path of a resource: that of its OU, and its name.",
        &format!("(/{SLUG}){{2,{}}}", MAX_OU_DEPTH + 1)
    );
    Principal = patterned(
        "Who acts: `user:<id>`, `group:<id>`, `ou:<id>`, `agent:<id>` or `service:<name>`.",
        &format!("((user|group|ou|agent):{UUID}|service:{SLUG})")
    );
    PrincipalRef = patterned(
        "Who acts, as people write it: `user:<email>`, `group:<path>`, `ou:<path>`, `agent:<path>` or `service:<name>`.",
        &format!("(user:{EMAIL}|(group|agent):(/{SLUG}){{2,}}|ou:(/{SLUG})+|service:{SLUG})")
    );
    Label = text("A name to be shown, as it was when the answer was given.").build();
    Permission = word("One permission: `<resource>:<action>`.", Permission::ALL.iter().map(|it| it.as_str()));
    PermissionPattern = word(
        "One permission, all of a resource, or all there are.",
        patterns().iter().map(String::as_str)
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
            .unique_items(true)
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

/// Types that are written in the form of another.
macro_rules! written_as {
    ($($type:ident = $form:ty;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                <$form>::schema()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                <$form>::name()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                <$form>::schemas(schemas);
            }
        }
    )*};
}

written_as! {
    AuditEntry = crate::audit::entry::Written<'static>;
    Break = crate::audit::report::Written;
    Decision = crate::authz::decision::Written<'static>;
    Fault = crate::manifest::fault::Written<'static>;
    Finding = crate::audit::report::Written;
}

/// Called for its kind: `AgentRecord`.
impl<K> ToSchema for Record<K>
where
    K: crate::record::Schema<Spec: ToSchema, Status: ToSchema>,
{
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Record", K::KIND))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        refer::<Metadata>(schemas);
        refer::<K::Spec>(schemas);
        if !is_nothing::<K::Status>() {
            refer::<K::Status>(schemas);
        }
    }
}

impl<K> PartialSchema for Record<K>
where
    K: crate::record::Schema<Spec: ToSchema, Status: ToSchema>,
{
    fn schema() -> RefOr<Schema> {
        let status = if is_nothing::<K::Status>() {
            RefOr::T(Schema::from(ObjectBuilder::new().schema_type(Type::Null)))
        } else {
            RefOr::Ref(Ref::from_schema_name(K::Status::name()))
        };
        let object = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(format!("A declared thing of the kind `{}`.", K::KIND)))
            .property("meta", Ref::from_schema_name(Metadata::name()))
            .required("meta")
            .property("spec", Ref::from_schema_name(K::Spec::name()))
            .required("spec")
            .property("status", status)
            .required("status");
        RefOr::T(Schema::from(object))
    }
}

/// Adds the schema of a type and of all it refers to.
fn refer<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// Whether a kind has no status: serde writes `null` then.
fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}
