//! The kinds of resources there are, those of the embedder included: what a client needs to know to show and change any.

use crate::app::App;
use crate::authenticate::By;
use crate::page::Page;
use crate::resource::schema::form;
use crate::resource::view::reference_name;
use crate::resource::wire::{Written, path_of, renamed_fields, wire_name};
use axum::Json;
use axum::extract::State;
use powerloom_core::permission::Permission;
use powerloom_core::record::KindName;
use powerloom_core::resource::field::{Field, Form};
use powerloom_core::resource::kind::{Home, Kind};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list_kinds))
}

/// A kind of resources.
#[derive(Debug, Serialize, ToSchema)]
struct KindView {
    /// Its name.
    name: KindName,
    /// Where its resources are, beside `/resources/{kind}`.
    #[schema(required)]
    path: Option<&'static str>,
    /// What its author chooses: `named`: OU and name; `in_ou`, `global`: the OU; `derived`: neither.
    #[schema(value_type = String, pattern = "^(named|in_ou|derived|global)$")]
    home: &'static str,
    /// Whether it can be created by itself; the others come into being by other actions.
    declarable: bool,
    /// Whether it can be changed and archived by itself; the others have actions of their own.
    changeable: bool,
    /// Whether it has a counterpart on the runtime.
    on_runtime: bool,
    /// What can be given of it.
    fields: Vec<FieldView>,
    /// What governs it.
    permissions: PermissionsView,
}

/// A field of a kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KindField)]
struct FieldView {
    /// Its name.
    name: String,
    /// The name by which the same can be given as people write it, such as `owner_principal_ref`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// What it holds, in words.
    form: String,
    /// What it holds, as a JSON Schema; references are into the OpenAPI document.
    schema: Value,
    /// It must be there when the resource is created.
    required: bool,
    /// It cannot change afterwards.
    immutable: bool,
}

/// The permissions that govern a kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KindPermissions)]
struct PermissionsView {
    /// To see one.
    read: Permission,
    /// To create one.
    create: Permission,
    /// To change one.
    update: Permission,
    /// To archive one.
    archive: Permission,
}

fn view(kind: &dyn Kind) -> KindView {
    let permissions = kind.permissions();
    let name = kind.name();
    KindView {
        path: path_of(&name),
        home: match kind.home() {
            Home::Named => "named",
            Home::InOu => "in_ou",
            Home::Derived => "derived",
            Home::Global => "global",
        },
        declarable: kind.manifest(),
        changeable: !kind.own_actions(),
        on_runtime: kind.on_runtime(),
        fields: kind.fields().iter().map(|field| field_view(&name, field)).collect(),
        permissions: PermissionsView {
            read: permissions.read,
            create: permissions.create,
            update: permissions.update,
            archive: permissions.archive,
        },
        name,
    }
}

fn field_view(kind: &KindName, field: &Field) -> FieldView {
    let renamed = renamed_fields(kind).iter().find(|renamed| renamed.spec == field.spec);
    let by_id = renamed.is_some_and(|renamed| renamed.written == Written::OwnerId);
    FieldView {
        name: wire_name(kind, field.spec).into_owned(),
        reference: (field.form == Form::Principal).then(|| reference_name(field.name)),
        form: if by_id { "the id of a user or a group".to_owned() } else { form::in_words(field) },
        schema: if by_id { form::uuid() } else { form::given(kind, field) },
        required: field.required,
        immutable: field.immutable,
    }
}

/// List the kinds of resources there are, by name: all of them.
#[utoipa::path(get, path = "/kinds", tag = "resources", operation_id = "listKinds",
    responses((status = 200, description = "The kinds.", body = Page<KindView>)))]
async fn list_kinds(State(app): State<App>, By(_): By) -> Json<Page<KindView>> {
    let items = app.loom.catalogue().kinds().map(|kind| view(kind.as_ref())).collect();
    Json(Page { items, next_cursor: None })
}
