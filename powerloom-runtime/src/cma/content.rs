//! The blocks messages and results are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A piece of a message or of a tool's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image {
        /// Where it comes from.
        source: Source,
    },
    /// A document.
    Document {
        /// Where it comes from.
        source: Source,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
    /// Something the service keeps to itself.
    Redacted,
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}

impl Content {
    /// A block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The text of a block of text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            _ => None,
        }
    }
}

/// Where an image or a document comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The bytes themselves.
    Base64 {
        /// What they are.
        media_type: String,
        /// In base 64.
        data: String,
    },
    /// A public address.
    Url {
        /// The address.
        url: String,
    },
    /// An uploaded file.
    File {
        /// `file_…`
        file_id: String,
    },
    /// Plain text, for documents.
    Text {
        /// `text/plain`
        media_type: String,
        /// The text.
        data: String,
    },
    /// A kind this client does not know, kept whole.
    #[serde(untagged)]
    Other(Value),
}
