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

/// Reads several streams as one set, each by its name and its text. Each is bounded as [`parse`] bounds one.
///
/// # Errors
/// [`ManifestErrors`] with the faults of all streams together, at most
/// [`MAX_FAULTS`](crate::manifest::fault::MAX_FAULTS) of them, stream by stream.
///
/// # Examples
/// ```
/// use powerloom_core::manifest::{ParseMode, parse_all};
/// use powerloom_core::resource::catalogue::Catalogue;
///
/// let streams = [("a.yaml", "kind: Skil"), ("b.yaml", "kind: Agnt")];
/// let errors = parse_all(streams, ParseMode::Lenient, &Catalogue::default()).unwrap_err();
/// let places: Vec<String> = errors.faults.iter().map(|fault| fault.at.to_string()).collect();
/// assert_eq!(places, ["a.yaml:1:7", "b.yaml:1:7"]);
/// ```
pub fn parse_all<'a>(
    streams: impl IntoIterator<Item = (&'a str, &'a str)>,
    mode: ParseMode,
    catalogue: &Catalogue,
) -> Result<Parsed, ManifestErrors> {
    let (mut all, mut errors) = (Parsed::default(), ManifestErrors::default());
    for (source, text) in streams {
        match parse(source, text, mode, catalogue) {
            Ok(parsed) => all = all.and(parsed),
            Err(found) => errors.extend(found),
        }
    }
    if errors.faults.is_empty() { Ok(all) } else { Err(errors) }
}
