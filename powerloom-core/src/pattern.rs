//! The texts people write as regular expressions, for JSON Schema. Without `^` and `$`, so that one can be part of another.
//!
//! They say what the parsers of the types say; tests hold the two together. Only what every dialect of regular expressions
//! takes in the same way is used.

use crate::labels::MAX_KEY;
use crate::ou_path::MAX_OU_DEPTH;
use crate::permission::Permission;

/// A [`Name`](crate::name::Name).
pub(crate) const SLUG: &str = "[a-z0-9][a-z0-9-]{0,62}";

/// A [`KindName`](crate::record::KindName).
pub(crate) const KIND: &str = "[A-Z][A-Za-z0-9]{0,62}";

/// Text without control characters but tabs and line breaks.
pub(crate) const PLAIN: &str = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*";

/// An [`Email`](crate::name::Email). It allows what the format `email` does not, such as letters beyond ASCII.
pub(crate) fn email() -> String {
    // Not `\s`: what that stands for differs.
    let space = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
    let label = format!(r#"[^{space}@:/<>,;".]+"#);
    format!(r#"[^{space}@:/<>,;"]+@{label}(\.{label})*"#)
}

/// The key of a label.
pub(crate) fn label_key() -> String {
    format!("[a-z][a-z0-9_./-]{{0,{}}}", MAX_KEY - 1)
}

/// The longest [`Email`](crate::name::Email).
pub(crate) const MAX_EMAIL: usize = 254;

/// An [`OuPath`](crate::ou_path::OuPath), as it is written.
pub(crate) fn ou_path() -> String {
    format!("(/{SLUG}){{1,{MAX_OU_DEPTH}}}")
}

/// A [`ResourcePath`](crate::ou_path::ResourcePath).
pub(crate) fn resource_path() -> String {
    format!("(/{SLUG}){{2,{}}}", MAX_OU_DEPTH + 1)
}

/// A [`PrincipalRef`](crate::principal::PrincipalRef).
pub(crate) fn principal_ref() -> String {
    let (email, path, ou) = (email(), resource_path(), ou_path());
    format!("(user:{email}|(group|agent):{path}|ou:{ou}|service:{SLUG})")
}

/// Every text of a [`PermissionPattern`](crate::permission::PermissionPattern): `*:*`, the resources, the permissions.
pub(crate) fn permissions() -> Vec<String> {
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

/// A pattern that must match the whole text.
pub(crate) fn whole(pattern: &str) -> String {
    format!("^{pattern}$")
}
