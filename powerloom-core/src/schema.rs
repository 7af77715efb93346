//! JSON Schema of what crosses a face, for an OpenAPI document (feature `schema`).
//!
//! Most types derive theirs from the attributes that serde reads too. What cannot be derived is stated in the files
//! below: what is written as text, what writes itself, and records. A schema says what is written; what is read may be
//! more, such as a time in another zone.

mod components;
mod plain;
mod record;
mod text;
mod written;

pub use self::components::components;
pub use self::plain::plain;
pub(crate) use self::text::templates;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// Adds the schema of a type and of all it refers to.
fn refer<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
