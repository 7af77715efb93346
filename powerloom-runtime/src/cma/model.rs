//! The model an agent thinks with.

use serde::{Deserialize, Deserializer, Serialize};

/// A model, by name alone or with settings. The service always answers with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Model {
    /// The model with the service's settings.
    Id(String),
    /// The model with settings of one's own.
    Config(ModelConfig),
}

impl From<&str> for Model {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<String> for Model {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl From<ModelConfig> for Model {
    fn from(config: ModelConfig) -> Self {
        Self::Config(config)
    }
}

/// A model and its settings; what is `None` is the service's to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelConfig {
    /// Which model.
    pub id: String,
    /// How hard it thinks.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "effort")]
    pub effort: Option<Effort>,
    /// How fast it answers: `standard` or `fast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Where it computes: `us` or `global`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_geo: Option<String>,
}

impl ModelConfig {
    /// The model `id` with the service's settings.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }
}

/// How hard a model thinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effort {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    Xhigh,
    /// `max`
    Max,
    /// A word this client does not know, kept.
    #[serde(untagged)]
    Other(String),
}

/// Reads `"high"` and `{"type":"high"}`.
fn effort<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Effort>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire {
        Word(Effort),
        Object {
            #[serde(rename = "type")]
            word: Effort,
        },
    }
    let wire = Option::<Wire>::deserialize(deserializer)?;
    Ok(wire.map(|wire| match wire {
        Wire::Word(word) | Wire::Object { word } => word,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_effort_are_read_and_an_unknown_word_is_kept() {
        for (json, expect) in [
            (r#"{"id":"m","effort":"high"}"#, Some(Effort::High)),
            (r#"{"id":"m","effort":{"type":"xhigh"},"speed":"fast"}"#, Some(Effort::Xhigh)),
            (r#"{"id":"m","effort":{"type":"ultra","x":1}}"#, Some(Effort::Other("ultra".into()))),
            (r#"{"id":"m","effort":null,"inference_geo":null}"#, None),
        ] {
            assert_eq!(serde_json::from_str::<ModelConfig>(json).unwrap().effort, expect, "{json}");
        }
        assert_eq!(serde_json::to_string(&Effort::Other("ultra".into())).unwrap(), "\"ultra\"");
    }
}
