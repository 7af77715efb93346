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
mod tests {
    use super::*;
    use crate::approval::facts::Change;
    use proptest::prelude::*;
    use serde_json::json;

    fn holds(text: &str) -> bool {
        let spec = json!({
            "model": "claude-opus-4-5", "temperature": 0.5, "limit": 3, "public": true, "note": null,
            "skills": ["lint", "deploy"], "tools": [{ "name": "bash", "ask": false }],
            "big": u64::MAX, "empty": [],
        });
        let before = json!({ "model": "claude-sonnet-4-6", "limit": 2 });
        let change = Change {
            kind: "Agent",
            name: Some("code-reviewer"),
            ou_path: Some("/acme/eng"),
            spec: Some(&spec),
            before: Some(&before),
            action: "update",
            verb: "agent.update",
            actor: "user:ada@acme.com",
            delegated: false,
        };
        Condition::compile(text).unwrap_or_else(|e| panic!("{text}: {e}")).holds(&Facts::new(change))
    }

    fn refused(text: &str) -> String {
        Condition::compile(text).expect_err(text).allowed
    }

    /// Sem. 2.8, row Condition: equals, in, matches prefix, and, or, not.
    #[test]
    fn a_condition_holds_of_what_it_says() {
        for text in [
            "true",
            "resource.kind == 'Agent' && resource.name == 'code-reviewer'",
            "resource.ou_path.startsWith('/acme/')",
            "resource.spec.model.startsWith('claude-opus')",
            "resource.spec.model != before.model",
            "resource.spec.limit > before.limit",
            "resource.spec.limit == 3 && resource.spec['limit'] >= 3",
            "resource.spec.big == 18446744073709551615u",
            "resource.spec.temperature < 1.0",
            "'deploy' in resource.spec.skills",
            "action in ['create', 'update']",
            "verb == 'agent.update' && actor.endsWith('@acme.com')",
            "!delegated && resource.spec.public",
            "has(resource.spec.tools) && !has(before.tools)",
            "resource.spec.note == null",
            "size(resource.spec.skills) == 2 && resource.spec.skills.size() == 2",
            "resource.spec.tools.exists(tool, tool.name == 'bash' && !tool.ask)",
            "resource.spec.skills.all(one, one in ['lint', 'deploy'])",
            "resource.spec.skills.exists_one(one, one == 'lint')",
            "resource.spec.tools.exists(t, resource.spec.skills.all(s, s != t.name))",
            "resource.spec.tools[0].name.contains('as')",
            "(resource.spec.limit > 2 ? 'high' : 'low') == 'high'",
            "-1 < 0",
        ] {
            assert!(holds(text), "{text}");
            assert!(!holds(&format!("!({text})")), "!({text})");
        }
    }

    /// Sem. 2.8: an evaluation error counts as a match.
    #[test]
    fn what_cannot_be_answered_counts_as_a_match() {
        for text in [
            "resource.spec.absent == 1",
            "resource.spec.model.absent",
            "!(resource.spec.absent == 1)",
            "before.tools == []",
            "resource.spec.model",
            "resource.spec.limit",
            "null",
            "resource.spec.model < 3",
            "resource.spec.skills[7] == 'x'",
            "resource.spec.note.x",
            "resource.spec.model in resource.spec.limit",
            "resource.spec.absent && true",
            "resource.spec.skills.all(one, one.absent == 1)",
            "resource.spec.skills.all(one, one)",
            "size(resource.spec.limit) == 1",
            "resource.spec.model.startsWith(1)",
        ] {
            assert!(holds(text), "{text}");
        }
        // An error that changes nothing is none, on whichever side it is.
        assert!(!holds("resource.spec.absent == 1 && false"));
        assert!(!holds("false && resource.spec.absent == 1"));
    }

    #[test]
    fn what_changes_without_a_record_has_no_spec() {
        let before = serde_json::Value::Null;
        let change = Change { kind: "Session", action: "cancel", before: Some(&before), ..Change::default() };
        let ask = |text: &str| Condition::compile(text).unwrap().holds(&Facts::new(change));
        assert!(ask("resource.kind == 'Session' && !has(resource.spec) && before == null"));
        assert!(
            ask("resource.spec.model == 'x'") && ask("resource.name == 'x'") && ask("resource.ou_path == ''")
        );
        assert!(!ask("action == 'create'"));
    }

    #[test]
    fn a_condition_that_says_nothing_known_is_refused_with_its_place() {
        let said = refused("resource.spec.model ==");
        assert!(said.starts_with("a CEL expression; Syntax error: mismatched input"), "{said}");
        assert!(said.ends_with(" (line 1, column 23)"), "{said}");
        let said = refused("action == 'create'\n && resorce.kind == 'Agent'");
        assert_eq!(
            said,
            "a known variable (action, actor, before, delegated, resource, verb), not `resorce`; did you mean \
             `resource`? (line 2, column 5)"
        );
        let said = refused("resource.ou == '/acme'");
        assert!(said.contains("not `ou`; did you mean") && said.ends_with("(line 1, column 9)"), "{said}");
        for text in [
            "",
            "  ",
            "resource.spec.model.matches('x')",
            "resource.spec.limit + 1 == 2",
            "resource.spec.limit * 2 == 2",
            "resource.spec.skills.map(x, x == 'a')[0]",
            "resource.spec.skills.filter(x, x == 'a') == []",
            "resource.spec.skills.map(x, x == 'a', x) == []",
            "{'a': 1}.a == 1",
            "Agent{model: 'x'} == 1",
            "type(resource) == map",
            "timestamp('2026-01-01T00:00:00Z') == 1",
            "b'abc' == resource.spec",
            "dyn(1) == 1",
            "resource.spec.?x == 1",
            "resource.spec[?'x'] == 1",
            "optional.of(1) == 1",
            "string(1) == '1'",
            "has(resource)",
            "a.all(x, true)",
            "resource.spec.skills.all(action, true)",
            "resource.spec.all(x, resource.spec.all(y, resource.spec.all(z, x == y)))",
            "'\\q'",
            "action == \"create",
            "x y",
        ] {
            refused(text);
        }
    }

    #[test]
    fn a_condition_is_bounded_in_length_and_depth() {
        assert_eq!(refused(&" ".repeat(4097)), "at most 4096 characters");
        let nested = |open: &str, close: &str, n: usize| format!("{}true{}", open.repeat(n), close.repeat(n));
        assert!(holds(&nested("(", ")", 16)));
        assert_eq!(refused(&nested("(", ")", 17)), "at most 16 brackets within one another");
        let chain = |n: usize| vec!["true"; n].join(" && ");
        assert!(holds(&chain(257)));
        assert_eq!(refused(&chain(258)), "at most 256 operators, points and brackets");
        let hostile = [
            nested("(", ")", 2000),
            nested("!(", ")", 1000),
            nested("[", "]", 2000),
            "[".repeat(4096),
            "(".repeat(4096),
            format!("{}true", "!".repeat(4092)),
            format!("{}1 == 1", "-".repeat(4090)),
            format!("resource{}", ".a".repeat(2000)),
            format!("resource.spec{}", "[0]".repeat(1300)),
            format!("{}true", "true?true:".repeat(409)),
            format!("{}true", "true||true&&".repeat(300)),
            format!("1{}", "==1".repeat(1300)),
            format!("1{}", "+1".repeat(2000)),
            format!("resource{}", ".size()".repeat(580)),
            format!("{}true{}", "resource.spec.all(x,".repeat(190), ")".repeat(190)),
            "'".repeat(4095),
            "\\".repeat(4096),
            "\u{0}".repeat(4096),
            "𝒳".repeat(4096),
            "`".repeat(4096),
            // Just within the bounds.
            format!("{}true", "!".repeat(256)),
            format!("{}1 == 1", "-".repeat(255)),
            format!("{}1 == 1", "- ".repeat(255)),
            format!("resource{}", ".a".repeat(256)),
            format!("resource.spec{}", "[0]".repeat(255)),
            format!("{}true", "true?true:".repeat(256)),
            format!("{}true", "true||true&&".repeat(128)),
            format!("1{}", "==1".repeat(256)),
            format!("1{}", " in 1".repeat(256)),
            format!("1{}", "+1".repeat(256)),
            format!("resource{}", ".size()".repeat(128)),
            format!("resource.spec{}", ".all(x,true)".repeat(127)),
            format!("resource.spec{}", ".a".repeat(13)),
            format!("{}true", "!(-(".repeat(7)),
            format!("{}true{}", "!(true == (".repeat(7), "))".repeat(7)),
            format!("resource.spec{}", "[0]".repeat(13)),
            format!("{}true", "true?true:".repeat(14)),
            format!("[{}]", "[],".repeat(200)),
            format!("{}{}", "!(-(".repeat(8), "))".repeat(8)),
            format!("{}true{}", "resource.spec.all(x,".repeat(16), ")".repeat(16)),
            // Brackets that only seem to be in a comment or in a text, or to be closed there.
            "(')'".repeat(1000),
            format!("// '''\n{}\n// '''", "(".repeat(4000)),
            format!("'''\n'{}\n'''", "(".repeat(4000)),
            format!("r'\\'{}'", "(".repeat(4000)),
            format!("'\\'{}'", "(".repeat(4000)),
            format!("''''{}''''", "(".repeat(4000)),
            format!("'' '{}", "(".repeat(4000)),
        ];
        // On the stack of a worker thread, whatever it is: all of it, not what is left of the main thread's.
        std::thread::Builder::new()
            .stack_size(1024 * 1024)
            .spawn(move || {
                let facts = Facts::new(Change::default());
                for text in hostile {
                    if let Ok(condition) = Condition::compile(&text) {
                        let _ = condition.holds(&facts);
                    }
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn what_would_take_too_long_counts_as_a_match_at_once() {
        let items: Vec<u32> = (0..5000).collect();
        let spec = json!({ "items": items });
        let facts = Facts::new(Change { spec: Some(&spec), ..Change::default() });
        let nested = "resource.spec.items.exists(x, resource.spec.items.exists(y, x != x || y != y))";
        let condition = Condition::compile(nested).unwrap();
        assert!(condition.holds(&facts));
        let few = json!({ "items": items[..20] });
        assert!(!condition.holds(&Facts::new(Change { spec: Some(&few), ..Change::default() })));
        // What is long alone costs only who looks at all of it.
        let prompt = json!({ "items": items[..50], "prompt": "Be concise. ".repeat(8000) });
        let facts = Facts::new(Change { spec: Some(&prompt), ..Change::default() });
        let asked = "resource.spec.items.all(x, resource.spec.items.exists(y, y == 7 && x != -1)) && \
                     resource.spec.prompt != ''";
        assert!(!Condition::compile(&format!("!({asked})")).unwrap().holds(&facts));
        // Too deep to be looked at.
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let simple = Condition::compile("resource.kind == 'Agent'").unwrap();
        assert!(simple.holds(&Facts::new(Change { spec: Some(&deep), ..Change::default() })));
    }

    /// A whole expression of texts that are mostly well formed; and values it may or may not fit.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("resource"),
            Just("before"),
            Just("action"),
            Just("delegated"),
            Just("x"),
            Just("nobody"),
            Just("resource.spec.a"),
            Just("resource.spec"),
            Just("before.b[0]"),
            Just("resource.spec.a.b"),
            Just("1"),
            Just("-1"),
            Just("9223372036854775807"),
            Just("18446744073709551615u"),
            Just("1.5"),
            Just("1e400"),
            Just("'a'"),
            Just("''"),
            Just("true"),
            Just("null"),
            Just("[]"),
            Just("[1, 'a']"),
        ]
        .prop_map(str::to_owned);
        leaf.prop_recursive(5, 24, 2, |inner| {
            let binary = prop_oneof![
                Just("=="),
                Just("!="),
                Just("<"),
                Just(">="),
                Just("in"),
                Just("&&"),
                Just("||"),
                Just("+"),
            ];
            let member = prop_oneof![
                Just(".startsWith("),
                Just(".endsWith("),
                Just(".contains("),
                Just(".exists(x, "),
                Just(".all(x, "),
                Just(".exists_one(x, "),
                Just(".map(x, "),
                Just("["),
            ];
            prop_oneof![
                (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
                (inner.clone(), member, inner.clone()).prop_map(|(a, op, b)| {
                    let close = if op == "[" { ']' } else { ')' };
                    format!("{a}{op}{b}{close}")
                }),
                inner.clone().prop_map(|a| format!("!({a})")),
                inner.clone().prop_map(|a| format!("-({a})")),
                inner.clone().prop_map(|a| format!("size({a})")),
                inner.clone().prop_map(|a| format!("has({a}.b)")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? {b} : {a})")),
            ]
        })
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i64>().prop_map(|n| json!(n)),
            any::<u64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|n| json!(n)),
            ".{0,8}".prop_map(|text| json!(text)),
            Just(json!("a")),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
                prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Total: it has an answer for every condition and every change. Closed: nothing that cannot be answered is
        /// answered with no, so that of a condition and its opposite one holds at least.
        #[test]
        fn an_evaluation_always_ends_and_never_fails_open(
            text in expression(), spec in value(), before in value(),
        ) {
            let Ok(condition) = Condition::compile(&text) else { return Ok(()) };
            let change = Change { spec: Some(&spec), before: Some(&before), action: "a", ..Change::default() };
            let facts = Facts::new(change);
            let opposite = Condition::compile(&format!("!({text})"));
            if let Ok(opposite) = opposite {
                prop_assert!(condition.holds(&facts) || opposite.holds(&facts));
            }
            if condition.answer(&facts).is_none() {
                prop_assert!(condition.holds(&facts));
            }
        }

        /// Whatever somebody writes, they get an answer.
        #[test]
        fn any_text_is_compiled_or_refused(text in "[a-z.()\\[\\]'\"!&|=<>?:,0-9 \\\\/{}-]{0,60}|.{0,40}") {
            if let Ok(condition) = Condition::compile(&text) {
                prop_assert_eq!(condition.source(), &text);
                let _ = condition.holds(&Facts::new(Change::default()));
            }
        }
    }
}
