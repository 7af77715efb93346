//! Several documents of one resource are one: each partial document adds its fields (row P27).

use crate::manifest::document::Document;
use crate::manifest::fault::{ManifestErrors, Problem};
use crate::manifest::target::Target;
use crate::record::Schema;
use crate::resource::kind::{Home, Kind};
use crate::resource::ou::Ou;

/// What a document is about, as far as it says so itself; `None` for kinds known by what they bind.
pub(crate) fn target_of(kind: &dyn Kind, document: &Document) -> Option<Target> {
    let path = match kind.home() {
        Home::Named => {
            let name = &document.name.as_ref()?.value;
            match &document.ou {
                Some(ou) => format!("{}/{name}", ou.value),
                None if kind.name() == Ou::KIND => format!("/{name}"),
                None => return None,
            }
        }
        Home::Global => {
            let identity = identity_fields(kind).map(|field| document.fields.get(field)?.value.as_str());
            identity.collect::<Option<Vec<&str>>>()?.join("+")
        }
        Home::InOu | Home::Derived => return None,
    };
    Some(Target::new(kind.name(), path))
}

/// The fields that tell one resource from its like, where no name does.
pub(crate) fn identity_fields(kind: &dyn Kind) -> impl Iterator<Item = &'static str> {
    kind.fields().iter().filter(|field| field.required && field.immutable).map(|field| field.name)
}

/// Adds the fields of `more` to `document`; two different values for one field are a fault.
pub(crate) fn merge(document: &mut Document, more: Document, errors: &mut ManifestErrors) {
    let label = more.label;
    if document.ou.is_none() {
        document.ou = more.ou;
    } else if let (Some(one), Some(other)) = (&document.ou, &more.ou)
        && one.value != other.value
    {
        let what = format!("`metadata.ou_path` is `{}` here and `{}` at {}", other.value, one.value, one.at);
        errors.push(&other.at, Some(&label), Problem::Conflict { what });
    }
    match (&document.labels, more.labels) {
        (None, labels) => document.labels = labels,
        (Some(first), Some(given)) if first.value != given.value => {
            let what = format!("`labels` has another value at {}: one resource is declared once", first.at);
            errors.push(&given.at, Some(&label), Problem::Conflict { what });
        }
        _ => {}
    }
    for (name, given) in more.fields {
        match document.fields.get(name) {
            None => {
                document.fields.insert(name, given);
            }
            Some(first) if first.value == given.value => {}
            Some(first) => {
                let what =
                    format!("`{name}` has another value at {}: one resource is declared once", first.at);
                errors.push(&given.at, Some(&label), Problem::Conflict { what });
            }
        }
    }
}
