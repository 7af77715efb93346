//! The condition of an approval policy: a small, total part of CEL (sem. 2.8).
//!
//! It fails closed: whatever cannot be answered counts as a match, so that a mistake asks one time too often and never
//! one time too little.

use crate::approval::bounds;
use crate::approval::facts::Facts;
use crate::invalid::Invalid;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::common::types::CelBool;
use cel::parser::Parser;
use cel::{Context, Env, Value};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// Longest condition, in characters.
pub const MAX_CHARS: usize = 4096;
/// Most brackets within one another.
pub const MAX_NESTING: usize = 16;
/// Most operators, points and brackets of a condition.
pub const MAX_OPERATORS: usize = 256;
/// Most operations within one another: how deep an evaluation goes.
pub const MAX_DEPTH: usize = 16;
/// The stack the parser gets, in bytes: it is generated, and takes up to 250 KiB for a bracket where nothing is optimized.
const STACK: usize = 16 * 1024 * 1024;
/// Most quantifiers (`all`, `exists`, `exists_one`) within one another.
pub const MAX_QUANTIFIERS: usize = 2;
/// Most work one evaluation may mean, in steps; what would need more counts as a match.
///
/// A step is a look at one value or at 32 bytes of text, some ten nanoseconds. The work is bounded before it begins, by the size of
/// the condition, of the specs, and of the longest list in them: an evaluation takes some twenty milliseconds at the very
/// most, and a usual one a few microseconds.
pub const MAX_STEPS: u64 = 1 << 22;

/// The steps of an operation that looks at no more than a name or a number: as long as looking at so many values.
const SMALL_STEPS: u64 = 8;

/// The functions there are beside the operators.
const FUNCTIONS: [&str; 4] = ["contains", "endsWith", "size", "startsWith"];
/// The operators there are.
const OPERATORS: [&str; 13] = [
    operators::CONDITIONAL,
    operators::EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
    operators::INDEX,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::LOGICAL_AND,
    operators::LOGICAL_NOT,
    operators::LOGICAL_OR,
    operators::NEGATE,
    operators::NOT_EQUALS,
];
/// The variables there are.
const VARIABLES: [&str; 6] = ["action", "actor", "before", "delegated", "resource", "verb"];
/// The fields of `resource`.
const RESOURCE: [&str; 4] = ["kind", "name", "ou_path", "spec"];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition; cheap to clone.
///
/// The language is CEL without arithmetic, `map`, `filter`, regular expressions and time: comparisons, `in`, `&&`, `||`,
/// `!`, `?:`, `has()`, `size()`, `startsWith()`, `endsWith()`, `contains()`, and the quantifiers `all`, `exists`,
/// `exists_one`, two within one another at most. The variables are `resource` (`kind`, `name`, `ou_path`, `spec` as it
/// is proposed), `before` (the spec before, or `null`), `action`, `verb`, `actor` and `delegated`: see
/// [`Change`](crate::approval::facts::Change).
///
/// As everywhere in CEL, `false && <error>` is false and `true || <error>` is true, whichever side the error is on.
///
/// # Examples
/// ```
/// use powerloom_core::approval::condition::Condition;
/// use powerloom_core::approval::facts::{Change, Facts};
///
/// let condition = Condition::compile("action == 'create' && 'mcp-prod' in resource.spec.servers")?;
/// let spec = serde_json::json!({ "servers": ["mcp-prod"] });
/// let change = Change { kind: "Agent", action: "create", spec: Some(&spec), ..Change::default() };
/// assert!(condition.holds(&Facts::new(change)));
/// assert!(!condition.holds(&Facts::new(Change { action: "archive", ..change })));
/// // What cannot be answered counts as a match.
/// assert!(condition.holds(&Facts::new(Change { spec: None, ..change })));
/// # Ok::<(), powerloom_core::invalid::Invalid>(())
/// ```
#[derive(Clone)]
pub struct Condition {
    compiled: Arc<Compiled>,
}

struct Compiled {
    source: String,
    expression: IdedExpr,
    cost: Cost,
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// [`Invalid`] without a field says where in the text what is wrong: it is longer than [`MAX_CHARS`], nested deeper
    /// than [`MAX_NESTING`], has more than [`MAX_OPERATORS`] operators, is no CEL, or uses a variable or a function there is not.
    pub fn compile(text: &str) -> Result<Self, Invalid> {
        bounds::check(text)?;
        let refused = || Invalid::new("", text, "a CEL expression");
        let parse = || {
            std::thread::Builder::new().name("condition".to_owned()).stack_size(STACK).spawn({
                let text = text.to_owned();
                move || parse(&text)
            })
        };
        // The parser is somebody else's: should it ever panic, or get no thread, the text is refused.
        let parsed = parse().map_err(|_| refused())?.join().map_err(|_| refused())?;
        let (expression, cost) = parsed?;
        Ok(Self { compiled: Arc::new(Compiled { source: text.to_owned(), expression, cost }) })
    }

    /// Whether it holds of a change. An error, an answer other than `true` or `false`, and more work than
    /// [`MAX_STEPS`] count as holding.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        let bounded = facts.extent().is_some_and(|extent| {
            let cost = &self.compiled.cost;
            cost.steps(extent.size, extent.longest.max(cost.longest)) <= MAX_STEPS
        });
        !bounded || self.answer(facts) != Some(false)
    }

    /// `None` if there is no answer.
    fn answer(&self, facts: &Facts<'_>) -> Option<bool> {
        let evaluate = || {
            let mut context = Context::with_env(ENV.clone());
            context.set_variable_resolver(facts);
            let answer = Value::resolve_val(&self.compiled.expression, &context).ok()?;
            answer.downcast_ref::<CelBool>().map(|answer| *answer.inner())
        };
        // The evaluator is somebody else's: should it ever panic, there is no answer. It changes nothing.
        catch_unwind(AssertUnwindSafe(evaluate)).ok().flatten()
    }

    /// Its text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.compiled.source
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source()).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

/// Parses and checks a text, on a stack of [`STACK`] bytes.
fn parse(text: &str) -> Result<(IdedExpr, Cost), Invalid> {
    let refused = |place: Option<(isize, isize)>, reason: &str| {
        let at = |(line, column)| format!(" (line {line}, column {column})");
        Invalid::new("", text, format!("{reason}{}", place.map_or_else(String::new, at)))
    };
    let (expression, places) = Parser::new().parse_with_source_info(text).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        first.map_or_else(
            || refused(None, "a CEL expression"),
            |error| {
                let reason = format!("a CEL expression; {}", crate::invalid::shown(&error.msg));
                refused(Some(error.pos), &reason)
            },
        )
    })?;
    let mut checker = Checker::default();
    checker.check(&expression).map_err(|fault| refused(place(&places, fault.at), &fault.allowed))?;
    let cost = checker.cost;
    Ok((expression, cost))
}

/// What an evaluation can cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// The steps of the operations under no, one and two quantifiers that look at a name or a number.
    small: [u64; MAX_QUANTIFIERS + 1],
    /// Operations that may look at a whole value.
    whole: [u64; MAX_QUANTIFIERS + 1],
    /// Items of the longest list that the condition itself holds.
    longest: u64,
}

impl Cost {
    /// An upper bound of the steps on values of this size, the longest list of which has so many items.
    fn steps(&self, size: u64, longest: u64) -> u64 {
        let mut times = 1_u64;
        let mut steps = size;
        for (small, whole) in self.small.iter().zip(self.whole) {
            let once = small.saturating_add(whole.saturating_mul(size));
            steps = steps.saturating_add(times.saturating_mul(once));
            times = times.saturating_mul(longest.max(1));
        }
        steps
    }
}

/// What is wrong with an expression, and with which part of it.
struct Fault {
    at: u64,
    allowed: String,
}

/// Walks an expression and lets only what is known through.
#[derive(Default)]
struct Checker<'e> {
    cost: Cost,
    depth: usize,
    /// The variables of the quantifiers around.
    bound: Vec<&'e str>,
}

impl<'e> Checker<'e> {
    fn check(&mut self, node: &'e IdedExpr) -> Result<(), Fault> {
        let fault = |allowed: String| Err(Fault { at: node.id, allowed });
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fault(format!("at most {MAX_DEPTH} operations within one another"));
        }
        match &node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => return fault("no bytes".to_owned()),
            Expr::Literal(_) => self.small(),
            Expr::Ident(name) => {
                if !self.bound.contains(&name.as_str()) && !VARIABLES.contains(&name.as_str()) {
                    return fault(unknown("variable", name, &VARIABLES));
                }
                self.small();
            }
            Expr::Select(select) => {
                let field = select.field.as_str();
                let of_resource = matches!(&select.operand.expr, Expr::Ident(name) if name == "resource");
                if of_resource && !self.bound.contains(&"resource") && !RESOURCE.contains(&field) {
                    return fault(unknown("field of `resource`", field, &RESOURCE));
                }
                self.check(&select.operand)?;
                self.small();
            }
            Expr::List(list) => {
                if !list.optional_indices.is_empty() {
                    return fault("no optional items".to_owned());
                }
                list.elements.iter().try_for_each(|item| self.check(item))?;
                self.cost.longest = self.cost.longest.max(list.elements.len() as u64);
                self.whole();
            }
            Expr::Call(call) => self.call(node.id, call)?,
            Expr::Comprehension(quantifier) => self.quantifier(node.id, quantifier)?,
            Expr::Map(_) | Expr::Struct(_) => return fault("no maps and no messages".to_owned()),
            Expr::Unspecified => return fault("a CEL expression".to_owned()),
        }
        self.depth -= 1;
        Ok(())
    }

    fn call(&mut self, at: u64, call: &'e CallExpr) -> Result<(), Fault> {
        let name = call.func_name.as_str();
        let operator = OPERATORS.contains(&name) && call.target.is_none();
        if !operator && !FUNCTIONS.contains(&name) {
            let known = "one of the operators `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `&&`, `||`, `!`, `?:`, `[]`, or \
                         of the functions `has`, `size`, `startsWith`, `endsWith`, `contains`, `all`, `exists`, \
                         `exists_one`";
            let name = name.trim_matches(|c| matches!(c, '_' | '@'));
            return Err(Fault { at, allowed: format!("{known}; not `{}`", crate::invalid::shown(name)) });
        }
        call.target.iter().try_for_each(|target| self.check(target))?;
        call.args.iter().try_for_each(|arg| self.check(arg))?;
        if is_small(call) {
            self.small()
        } else {
            self.whole()
        }
        Ok(())
    }

    /// What `all`, `exists` and `exists_one` were expanded to: the list, what is asked of each, and how the answers
    /// are counted. Only the first two are somebody's text.
    fn quantifier(&mut self, at: u64, quantifier: &'e ComprehensionExpr) -> Result<(), Fault> {
        let fault = |allowed: &str| Err(Fault { at, allowed: allowed.to_owned() });
        self.check(&quantifier.iter_range)?;
        let asked = match &quantifier.loop_step.expr {
            // `@result && <asked>`, `@result || <asked>`
            Expr::Call(step) => match (step.func_name.as_str(), step.args.as_slice()) {
                (operators::LOGICAL_AND | operators::LOGICAL_OR, [_, asked]) => asked,
                // `<asked> ? @result + 1 : @result`
                (operators::CONDITIONAL, [asked, counted, _]) if !is_append(counted) => asked,
                _ => return fault("no `map` and no `filter`"),
            },
            _ => return fault("no `map` and no `filter`"),
        };
        if quantifier.iter_var2.is_some() || VARIABLES.contains(&quantifier.iter_var.as_str()) {
            return fault("another name for what is quantified: this one is a variable's");
        }
        if self.bound.len() == MAX_QUANTIFIERS {
            return fault("at most two of `all`, `exists` and `exists_one` within one another");
        }
        // Every item is copied once.
        self.whole();
        self.bound.push(&quantifier.iter_var);
        // And bound, counted, and asked whether to go on.
        (0..4).for_each(|_| self.small());
        // The answers are counted one level further out.
        self.depth += 1;
        self.check(asked)?;
        self.depth -= 1;
        self.bound.pop();
        Ok(())
    }

    fn small(&mut self) {
        if let Some(count) = self.cost.small.get_mut(self.bound.len()) {
            *count += SMALL_STEPS;
        }
    }

    fn whole(&mut self) {
        if let Some(count) = self.cost.whole.get_mut(self.bound.len()) {
            *count += 1;
        }
    }
}

/// Whether it looks at no more than a name, a number, or as much of a text as the condition itself holds.
fn is_small(call: &CallExpr) -> bool {
    let literal = |arg: &IdedExpr| matches!(arg.expr, Expr::Literal(_));
    match (call.func_name.as_str(), call.args.as_slice()) {
        (
            operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::CONDITIONAL
            | operators::NEGATE,
            _,
        ) => true,
        (operators::EQUALS | operators::NOT_EQUALS, args) => args.iter().any(literal),
        (operators::INDEX, [_, at]) => {
            literal(at) && !matches!(at.expr, Expr::Literal(LiteralValue::Double(_)))
        }
        ("startsWith" | "endsWith", [arg]) => literal(arg),
        _ => false,
    }
}

/// Whether it is `@result + [..]`, the step of a `filter` or a `map` with a filter.
fn is_append(step: &IdedExpr) -> bool {
    match &step.expr {
        Expr::Call(call) => call.args.iter().any(|arg| matches!(arg.expr, Expr::List(_))),
        _ => true,
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let nearest = nearest.copied().unwrap_or_default();
    let name = crate::invalid::shown(name);
    format!("a known {what} ({}), not `{name}`; did you mean `{nearest}`?", known.join(", "))
}

/// Line and column of a node, counted from 1.
fn place(places: &SourceInfo, id: u64) -> Option<(isize, isize)> {
    let start = places.offset_for(id)?.0 as usize;
    let before: String = places.source.chars().take(start).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some((isize::try_from(line).ok()?, isize::try_from(column).ok()?))
}

#[cfg(test)]
mod tests;
