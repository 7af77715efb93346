//! What a condition may look at: the change as it is proposed, read in place.
//!
//! Nothing is copied: texts are borrowed, and a variable is made only once a condition asks for it.

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Deepest nesting of a spec that is looked at; a checked spec has no more than 32 levels.
const MAX_DEPTH: usize = 64;

/// The variables of a condition, and what they hold.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "plain data between whoever asks and the condition")]
pub struct Change<'a> {
    /// `resource.kind`: the kind of what changes.
    pub kind: &'a str,
    /// `resource.name`; `None` where it has none: `resource` has no such field then.
    pub name: Option<&'a str>,
    /// `resource.ou_path`: the path of its OU; `None` where that is not known.
    pub ou_path: Option<&'a str>,
    /// `resource.spec`: the spec as it is proposed; `None` where what changes has none.
    pub spec: Option<&'a Value>,
    /// `before`: the spec before; `None` for what is new, and is `null` then.
    pub before: Option<&'a Value>,
    /// `action`: the action in one word, such as `create`.
    pub action: &'a str,
    /// `verb`: kind and action, such as `agent.create`.
    pub verb: &'a str,
    /// `actor`: who wants it, in the written form, such as `user:ada@acme.com`.
    pub actor: &'a str,
    /// `delegated`: whether an agent's session wants it.
    pub delegated: bool,
}

/// One [`Change`], prepared for any number of conditions.
#[derive(Debug)]
pub struct Facts<'a> {
    change: Change<'a>,
    resource: OnceLock<CelMap<'a>>,
    before: OnceLock<Box<dyn Val + 'a>>,
    extent: OnceLock<Option<Extent>>,
}

/// How much there is to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Values and fields, and every 32 bytes of text.
    pub(crate) size: u64,
    /// Items of the longest list or object.
    pub(crate) longest: u64,
}

impl<'a> Facts<'a> {
    /// The facts of one change. Nothing is read yet.
    #[must_use]
    pub const fn new(change: Change<'a>) -> Self {
        Self { change, resource: OnceLock::new(), before: OnceLock::new(), extent: OnceLock::new() }
    }

    /// How much there is to look at; `None` if it is nested too deeply to be looked at.
    pub(crate) fn extent(&self) -> Option<Extent> {
        *self.extent.get_or_init(|| {
            let mut extent = Extent { size: 16, longest: 4 };
            let values = [self.change.spec, self.change.before];
            values.into_iter().flatten().all(|value| extent.add(value, 0)).then_some(extent)
        })
    }

    fn resource(&self) -> CelMap<'a> {
        let change = &self.change;
        let mut fields: HashMap<CelMapKey<'a>, Box<dyn Val + 'a>> = HashMap::with_capacity(4);
        let mut put = |name: &'static str, value: Box<dyn Val + 'a>| {
            fields.insert(CelMapKey::String(CelString::from(name)), value);
        };
        put("kind", text(change.kind));
        if let Some(name) = change.name {
            put("name", text(name));
        }
        if let Some(path) = change.ou_path {
            put("ou_path", text(path));
        }
        if let Some(spec) = change.spec {
            put("spec", val(spec));
        }
        CelMap::from(fields)
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let word = |text: &'b str| Some(CowVal::owned(CelString::from(text)));
        match variable {
            "resource" => Some(CowVal::Borrowed(self.resource.get_or_init(|| self.resource()))),
            "before" => {
                let before = self.before.get_or_init(|| self.change.before.map_or_else(null, val));
                Some(CowVal::Borrowed(before.as_ref()))
            }
            "action" => word(self.change.action),
            "verb" => word(self.change.verb),
            "actor" => word(self.change.actor),
            "delegated" => Some(CowVal::owned(CelBool::from(self.change.delegated))),
            _ => None,
        }
    }
}

impl Extent {
    /// Adds a value; `false` if it is nested too deeply.
    fn add(&mut self, value: &Value, depth: usize) -> bool {
        self.size += 1;
        match value {
            Value::String(text) => {
                self.size += text.len() as u64 / 32;
                true
            }
            Value::Array(items) => {
                self.longest = self.longest.max(items.len() as u64);
                depth < MAX_DEPTH && items.iter().all(|item| self.add(item, depth + 1))
            }
            Value::Object(members) => {
                self.longest = self.longest.max(members.len() as u64);
                depth < MAX_DEPTH
                    && members.iter().all(|(key, member)| {
                        self.size += key.len() as u64 / 32;
                        self.add(member, depth + 1)
                    })
            }
            _ => true,
        }
    }
}

/// A JSON value in the words of the language: whole numbers stay whole.
fn val<'a>(value: &'a Value) -> Box<dyn Val + 'a> {
    match value {
        Value::Null => null(),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(content) => text(content),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(val).collect::<Vec<_>>())),
        Value::Object(members) => {
            let member = |(key, value): (&'a String, &'a Value)| {
                (CelMapKey::String(CelString::from(key.as_str())), val(value))
            };
            Box::new(CelMap::from(members.iter().map(member).collect::<HashMap<_, _>>()))
        }
    }
}

fn text<'a>(text: &'a str) -> Box<dyn Val + 'a> {
    Box::new(CelString::from(text))
}

fn null<'a>() -> Box<dyn Val + 'a> {
    Box::new(CelNull)
}
