//! Text in, checked documents out.

use crate::manifest::document::Document;
use crate::manifest::envelope::{Envelope, ParseMode};
use crate::manifest::fault::{ManifestErrors, Warning};
use crate::manifest::tree;
use crate::resource::catalogue::Catalogue;
use std::sync::Arc;

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Parsed {
    /// Its documents, in order; empty ones are left out.
    pub documents: Vec<Document>,
    /// What is odd.
    pub warnings: Vec<Warning>,
}

impl Parsed {
    /// Adds the documents of another stream: the two are one set then.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.documents.extend(other.documents);
        self.warnings.extend(other.warnings);
        self
    }
}

/// Reads a stream of documents, each checked completely as far as it can be without looking anything up.
///
/// `source` is what faults call the stream, such as a file name. A stream has at most 1 MiB, 1000 documents and 64
/// levels; what its aliases repeat is bounded too. Duplicate keys, merge keys, tags and keys that are not text are
/// refused.
///
/// # Errors
/// [`ManifestErrors`] with the faults of all documents, at most
/// [`MAX_FAULTS`](crate::manifest::fault::MAX_FAULTS) of them.
///
/// # Examples
/// ```
/// use powerloom_core::manifest::{ParseMode, parse};
/// use powerloom_core::resource::catalogue::Catalogue;
///
/// let text = "kind: Skill\nmetadata: {name: lint, ou_path: /acme}\nspec: {discription: Finds faults.}\n";
/// let errors = parse("skill.yaml", text, ParseMode::Lenient, &Catalogue::default()).unwrap_err();
/// assert!(errors.to_string().starts_with("skill.yaml:3:8: Skill lint: `spec.discription` is not known here"));
/// assert!(errors.to_string().ends_with("did you mean `description`?"));
/// ```
pub fn parse(
    source: &str,
    text: &str,
    mode: ParseMode,
    catalogue: &Catalogue,
) -> Result<Parsed, ManifestErrors> {
    let mut envelope = Envelope::new(Arc::from(source), mode, catalogue);
    let nodes = tree::read(&Arc::from(source), text, &mut envelope.errors);
    let documents = nodes.iter().filter_map(|node| envelope.document(node)).collect();
    envelope.errors.into_result()?;
    Ok(Parsed { documents, warnings: envelope.warnings })
}
