//! What a field's references lead to, before it is known which ids they will have.

use crate::id::ResourceId;
use crate::manifest::target::Target;
use serde_json::{Value, json};

/// A reference: what it names, and its id if that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) id: Option<ResourceId>,
}

/// The version a skill is pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) id: ResourceId,
    pub(crate) number: u64,
}

/// The value of a field with its references resolved to links.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bound {
    /// No reference in it.
    Plain(Value),
    /// One reference.
    One(Link),
    /// A reference behind a word: `user:<id>`, `role:<id>`.
    Worded(&'static str, Link),
    /// A list of references.
    Many(Vec<Link>),
    /// A list of whatever a single field could hold.
    Each(Vec<Bound>),
    /// A list of skills, each with the version it is pinned to.
    Skills(Vec<(Link, Option<Pin>)>),
}

impl Bound {
    /// All references in it.
    pub(crate) fn links(&self) -> Vec<&Link> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::One(link) | Self::Worded(_, link) => vec![link],
            Self::Many(links) => links.iter().collect(),
            Self::Each(items) => items.iter().flat_map(Self::links).collect(),
            Self::Skills(skills) => skills.iter().map(|(link, _)| link).collect(),
        }
    }

    /// The value as a spec holds it, each link's id chosen by `id`.
    pub(crate) fn lower(&self, id: impl Fn(&Link) -> ResourceId) -> Value {
        self.lowered(&id)
    }

    fn lowered(&self, id: &dyn Fn(&Link) -> ResourceId) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::One(link) => json!(id(link)),
            Self::Worded(word, link) => format!("{word}:{}", id(link)).into(),
            Self::Many(links) => links.iter().map(|link| json!(id(link))).collect(),
            Self::Each(items) => items.iter().map(|item| item.lowered(id)).collect(),
            Self::Skills(skills) => skills
                .iter()
                .map(|(link, pin)| match pin {
                    Some(pin) => json!({ "skill": id(link), "version": { "pinned": pin.id } }),
                    None => json!({ "skill": id(link), "version": "current" }),
                })
                .collect(),
        }
    }

    /// The part of a resource's path that this field gives, where no name does.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Plain(Value::String(text)) => text.clone(),
            Self::Plain(value) => value.to_string(),
            Self::Worded("role", link) => link.target.path.clone(),
            Self::Worded(word, link) => format!("{word}:{}", link.target.path),
            other => other.links().iter().map(|link| link.target.path.as_str()).collect::<Vec<_>>().join(","),
        }
    }
}
