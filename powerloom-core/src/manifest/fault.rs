//! What is wrong with a manifest, and where: every fault at once, bounded in number and size.

use crate::error_kind::ErrorKind;
use crate::invalid::{Invalid, shown};
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Most faults that are kept; the others are counted.
pub const MAX_FAULTS: usize = 100;

/// Longest message of the YAML reader that is repeated, in characters.
const MAX_MESSAGE: usize = 200;

/// A place in a manifest. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ManifestLocation))]
#[expect(clippy::exhaustive_structs, reason = "a place has these three parts")]
pub struct Location {
    /// The file, or whatever the manifest was read from.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    #[serde(serialize_with = "plain")]
    pub source: Arc<str>,
    /// The line.
    #[cfg_attr(feature = "schema", schema(minimum = 1))]
    pub line: usize,
    /// The column.
    #[cfg_attr(feature = "schema", schema(minimum = 1))]
    pub column: usize,
}

fn plain<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", shown(&self.source), self.line, self.column)
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not YAML, or YAML of a sort that is refused here.
    #[error("{message}")]
    Syntax {
        /// What the reader says.
        message: String,
    },
    /// A key is there twice.
    #[error("`{field}` is written twice: first on line {first}")]
    Duplicate {
        /// The key.
        field: String,
        /// The line of the first.
        first: usize,
    },
    /// A field or kind nobody knows.
    #[error("`{field}` is not known here: expected {known}{}", did_you_mean(.nearest.as_deref()))]
    Unknown {
        /// Its path.
        field: String,
        /// What is known there.
        known: String,
        /// The nearest of it.
        nearest: Option<String>,
    },
    /// A field is absent that must be there.
    #[error("`{field}` is missing: {why}")]
    Missing {
        /// Its path.
        field: String,
        /// Why it must be there.
        why: String,
    },
    /// A field holds what it may not hold.
    #[error(transparent)]
    Refused(#[from] Invalid),
    /// A reference leads nowhere.
    #[error("`{field}` names `{value}`, which does not exist: {looked}{}", did_you_mean(.nearest.as_deref()))]
    NotFound {
        /// The field's path.
        field: String,
        /// What it names.
        value: String,
        /// Where it was looked for.
        looked: String,
        /// The nearest name there is among the documents.
        nearest: Option<String>,
    },
    /// Two things say different things about one resource.
    #[error("{what}")]
    Conflict {
        /// Which things.
        what: String,
    },
    /// Documents refer to each other in a circle.
    #[error("these documents wait for each other: {}", .members.join(" -> "))]
    Cycle {
        /// The circle; the first is named again at the end.
        members: Vec<String>,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl Problem {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "syntax",
            Self::Duplicate { .. } => "duplicate",
            Self::Unknown { .. } => "unknown",
            Self::Missing { .. } => "missing",
            Self::Refused(_) => "refused",
            Self::NotFound { .. } => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::Cycle { .. } => "cycle",
        }
    }

    /// A syntax problem; the message is shortened and control characters are escaped.
    pub(crate) fn syntax(message: impl fmt::Display) -> Self {
        let text = message.to_string();
        let mut message = String::new();
        for c in text.chars().take(MAX_MESSAGE) {
            if c.is_control() { message.extend(c.escape_default()) } else { message.push(c) }
        }
        Self::Syntax { message }
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where.
    pub at: Location,
    /// In which document, by kind and name, as far as these could be read.
    pub document: Option<String>,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        if let Some(document) = &self.document {
            write!(f, "{document}: ")?;
        }
        self.problem.fmt(f)
    }
}

/// One thing that is wrong with a manifest.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ManifestFault))]
pub(crate) struct Written<'a> {
    /// Where.
    at: &'a Location,
    /// In which document, by kind and name, as far as these could be read.
    #[cfg_attr(feature = "schema", schema(required))]
    document: Option<&'a str>,
    /// The stable code of what is wrong.
    code: &'static str,
    /// What is wrong, in a sentence.
    message: String,
}

/// `at`, `document`, and of the problem its code and its text.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (code, message) = (self.problem.code(), self.problem.to_string());
        Written { at: &self.at, document: self.document.as_deref(), code, message }.serialize(serializer)
    }
}

/// Something odd that is accepted all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ManifestWarning))]
#[non_exhaustive]
pub struct Warning {
    /// Where.
    pub at: Location,
    /// What.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Everything that is wrong with a set of manifests: at most [`MAX_FAULTS`], and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ManifestErrors {
    /// The faults, in the order of their places.
    pub faults: Vec<Fault>,
    /// How many more were found.
    pub more: usize,
}

impl ManifestErrors {
    /// Always [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    pub(crate) fn push(&mut self, at: &Location, document: Option<&str>, problem: impl Into<Problem>) {
        if self.faults.len() < MAX_FAULTS {
            let document = document.map(str::to_owned);
            self.faults.push(Fault { at: at.clone(), document, problem: problem.into() });
        } else {
            self.more += 1;
        }
    }

    /// Adds what is wrong with another stream.
    pub(crate) fn extend(&mut self, other: Self) {
        let room = MAX_FAULTS - self.faults.len().min(MAX_FAULTS);
        self.more += other.more + other.faults.len().saturating_sub(room);
        self.faults.extend(other.faults.into_iter().take(room));
    }

    /// `Ok(())` if nothing is wrong, else all of it, sorted.
    pub(crate) fn into_result(mut self) -> Result<(), Self> {
        if self.faults.is_empty() {
            return Ok(());
        }
        self.faults.sort_by(|a, b| a.at.cmp(&b.at));
        Err(self)
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}
