//! From the events of the YAML reader to positioned trees, one per document, within bounds.
//!
//! The events come from `granit-parser`, the reader under `serde-saphyr`, because manifests need more than serde
//! can carry: the place and the quoting of every scalar, all faults of all documents at once, and the documents
//! that follow a broken one.

use crate::manifest::fault::{Location, ManifestErrors, Problem};
use crate::manifest::node::{Content, Entry, Mark, Node, plain};
use serde_saphyr::granit_parser::{
    ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Largest stream, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 64;
/// Most documents of one stream.
pub const MAX_DOCUMENTS: usize = 1000;
/// Most memory that all anchors and aliases of a stream may take, in bytes.
const MAX_REPEATED: usize = 1024 * 1024;

/// Reads a stream into one tree per document that is not empty. Faults are added to `errors`.
pub(crate) fn read(source: &Arc<str>, text: &str, errors: &mut ManifestErrors) -> Vec<Node> {
    let mut reader = Reader { source, errors, documents: Vec::new(), repeated: 0, open: Open::default() };
    if let Some(problem) = unreadable(text) {
        let (mark, problem) = *problem;
        reader.fault(mark, problem);
    } else {
        reader.stream(text.strip_prefix('\u{feff}').unwrap_or(text));
    }
    reader.documents
}

/// Why a text is not even given to the YAML reader.
fn unreadable(text: &str) -> Option<Box<(Mark, Problem)>> {
    let start = Mark { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        let message = format!("the stream has {} bytes: at most {MAX_BYTES} are read", text.len());
        return Some(Box::new((start, Problem::Syntax { message })));
    }
    let mut mark = start;
    for (index, c) in text.chars().enumerate() {
        if is_forbidden(c) || (c == '\u{feff}' && index > 0) {
            let message = format!("the character U+{:04X} is not allowed in a manifest", u32::from(c));
            return Some(Box::new((mark, Problem::Syntax { message })));
        }
        mark = if c == '\n' {
            Mark { line: mark.line + 1, column: 1 }
        } else {
            Mark { line: mark.line, column: mark.column + 1 }
        };
    }
    None
}

/// Control characters that are not white space, and those that reorder the text around them.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// A collection that has not ended yet.
struct Frame {
    anchor: usize,
    at: Mark,
    content: Unfinished,
}

enum Unfinished {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeMap<String, usize>, key: Option<(String, Mark)>, skip: bool },
}

/// What is known of the document being read.
#[derive(Default)]
struct Open {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    /// Set at a fault that makes the rest of the document senseless.
    broken: bool,
}

struct Reader<'a> {
    source: &'a Arc<str>,
    errors: &'a mut ManifestErrors,
    documents: Vec<Node>,
    repeated: usize,
    open: Open,
}

impl Reader<'_> {
    fn fault(&mut self, at: Mark, problem: Problem) {
        let at = Location { source: Arc::clone(self.source), line: at.line, column: at.column };
        self.errors.push(&at, None, problem);
    }

    fn stream(&mut self, text: &str) {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str_with_options(text, options);
        let mut count = 0_usize;
        loop {
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => break,
                Some(Ok((Event::DocumentStart(..), span))) => {
                    count += 1;
                    if count > MAX_DOCUMENTS {
                        let message = format!("the stream has more than {MAX_DOCUMENTS} documents");
                        self.fault(mark(&span), Problem::Syntax { message });
                        break;
                    }
                    self.open = Open::default();
                }
                Some(Ok((Event::DocumentEnd, _))) => {
                    let open = std::mem::take(&mut self.open);
                    self.documents.extend(open.root.filter(|node| !open.broken && !node.is_null()));
                }
                Some(Ok((event, span))) => self.event(event, mark(&span)),
                Some(Err(error)) => {
                    let place = Mark { line: error.marker().line(), column: error.marker().col() + 1 };
                    self.fault(place, unreadable_yaml(&error));
                    self.open = Open::default();
                    // The documents after the broken one are read all the same.
                    if !matches!(parser.proceed_next_document(), Ok(true)) {
                        break;
                    }
                }
            }
        }
    }

    fn event(&mut self, event: Event<'_>, at: Mark) {
        if self.open.broken {
            return;
        }
        if event.tag().is_some() {
            let message = "tags such as `!!str` are not allowed: write text in quotes".to_owned();
            self.fault(at, Problem::Syntax { message });
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let content = self.scalar(&text, style, at);
                self.value(Node { at, content }, anchor, style == ScalarStyle::Plain);
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::SequenceStart(_, anchor, _) => self.begin(anchor, at, Unfinished::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let map =
                    Unfinished::Map { entries: Vec::new(), seen: BTreeMap::new(), key: None, skip: false };
                self.begin(anchor, at, map);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Mark) -> Content {
        // An escape such as "\u202e" can write what the text itself may not hold.
        let mut text = Cow::Borrowed(text);
        if let Some(c) = text.chars().find(|c| is_forbidden(*c)) {
            let message = format!("the character U+{:04X} is not allowed in a manifest", u32::from(c));
            self.fault(at, Problem::Syntax { message });
            text = Cow::Owned(text.replace(is_forbidden, "\u{fffd}"));
        }
        let text = text.as_ref();
        if style != ScalarStyle::Plain {
            return Content::Text(text.to_owned());
        }
        plain(text).unwrap_or_else(|allowed| {
            let message = format!("`{}` is not allowed: expected {allowed}", crate::invalid::shown(text));
            self.fault(at, Problem::syntax(message));
            Content::Null
        })
    }

    fn alias(&mut self, anchor: usize, at: Mark) {
        let Some(node) = self.open.anchors.get(&anchor).cloned() else {
            self.give_up(at, Problem::syntax("an alias stands inside of what it repeats"));
            return;
        };
        if !self.repeat(&node) {
            self.give_up(at, too_much());
        } else if self.open.stack.len() + node.depth() > MAX_DEPTH {
            self.give_up(at, too_deep());
        } else {
            self.value(Node { at, content: node.content }, 0, false);
        }
    }

    /// Whether one more copy of a value stays within bounds.
    fn repeat(&mut self, node: &Node) -> bool {
        self.repeated = self.repeated.saturating_add(node.weight());
        self.repeated <= MAX_REPEATED
    }

    fn begin(&mut self, anchor: usize, at: Mark, content: Unfinished) {
        if self.open.stack.len() >= MAX_DEPTH {
            self.give_up(at, too_deep());
        } else {
            self.open.stack.push(Frame { anchor, at, content });
        }
    }

    fn end(&mut self) {
        if let Some(Frame { anchor, at, content }) = self.open.stack.pop() {
            let content = match content {
                Unfinished::List(items) => Content::List(items),
                Unfinished::Map { entries, .. } => Content::Map(entries),
            };
            self.value(Node { at, content }, anchor, false);
        }
    }

    /// Puts a finished value where it belongs: a key, a value, an item, or the document itself.
    fn value(&mut self, node: Node, anchor: usize, is_plain: bool) {
        if anchor > 0 {
            if !self.repeat(&node) {
                return self.give_up(node.at, too_much());
            }
            self.open.anchors.insert(anchor, node.clone());
        }
        let mut fault = None;
        match self.open.stack.last_mut().map(|frame| &mut frame.content) {
            None => self.open.root = Some(node),
            Some(Unfinished::List(items)) => items.push(node),
            Some(Unfinished::Map { entries, seen, key, skip }) => match key.take() {
                Some((key, at)) => {
                    if !std::mem::take(skip) {
                        entries.push(Entry { key, at, value: node });
                    }
                }
                None => match as_key(&node, is_plain) {
                    Ok(text) => {
                        if let Some(first) = seen.get(&text) {
                            let field = crate::invalid::shown(&text);
                            fault = Some((node.at, Problem::Duplicate { field, first: *first }));
                            *skip = true;
                        }
                        seen.entry(text.clone()).or_insert(node.at.line);
                        *key = Some((text, node.at));
                    }
                    Err(message) => {
                        fault = Some((node.at, Problem::syntax(message)));
                        *key = Some((String::new(), node.at));
                        *skip = true;
                    }
                },
            },
        }
        if let Some((at, problem)) = fault {
            self.fault(at, problem);
        }
    }

    fn give_up(&mut self, at: Mark, problem: Problem) {
        self.fault(at, problem);
        self.open.broken = true;
    }
}

fn unreadable_yaml(error: &ScanError) -> Problem {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(),
        _ => Problem::syntax(format!("not YAML: {}", error.info())),
    }
}

fn too_much() -> Problem {
    Problem::syntax(format!("anchors and aliases repeat more than {MAX_REPEATED} bytes"))
}

fn too_deep() -> Problem {
    Problem::syntax(format!("lists and mappings are nested deeper than {MAX_DEPTH}"))
}

/// The text of a key, or why it is none.
fn as_key(node: &Node, is_plain: bool) -> Result<String, String> {
    match node.text() {
        Some("<<") if is_plain => Err("merge keys (`<<`) are not allowed: write the fields out".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("a key is text, not {}: write it in quotes", node.describe())),
    }
}

fn mark(span: &Span) -> Mark {
    Mark { line: span.start.line(), column: span.start.col() + 1 }
}
