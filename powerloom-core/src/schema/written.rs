//! Types that write themselves in the form of another one, from which both serde and the schema are derived.

use crate::audit::report::Finding;
use crate::audit::{AuditEntry, Break};
use crate::authz::Decision;
use crate::manifest::Fault;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

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
