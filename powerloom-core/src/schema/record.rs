//! The typed record of a kind.

use crate::record::{Metadata, Record};
use crate::schema::refer;
use std::any::TypeId;
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

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

/// Whether a kind has no status: serde writes `null` then.
fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<()>()
}
