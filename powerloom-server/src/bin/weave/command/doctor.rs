//! `weave doctor`: what is wrong between here and there.

use crate::api::{Api, http, in_process};
use crate::failure::{Exit, Refusal};
use crate::options::{Options, Target, Token, variable};
use crate::output::{Output, plain};
use crate::weave::Identity;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// How long each question may take: a server that takes longer is no healthy one.
const LIMIT: Duration = Duration::from_secs(10);

/// How far the clocks may differ before tokens are refused for it.
const SKEW_FAILS: SignedDuration = SignedDuration::from_secs(30);
/// How far they may differ unnoticed.
const SKEW_WARNS: SignedDuration = SignedDuration::from_secs(5);
/// A token that ends so soon is worth a word.
const ENDS_SOON: SignedDuration = SignedDuration::from_mins(10);

/// Checks everything between here and the runtime, one line each
///
/// The server is reachable and ready, its clock agrees, the token is good and for how long, there are keys, and nothing is parked
/// on its way to the runtime. With --store: the store opens, its schema is current, and secrets can be sealed.
#[derive(Debug, Args)]
#[command(
    after_help = "With -o name the checks that did not pass are named.\n\nExit codes: 0 nothing failed; 1 something did."
)]
pub(crate) struct Doctor {}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug)]
struct Check {
    word: Word,
    name: &'static str,
    what: String,
    hint: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { word: Word::Ok, name, what: what.into(), hint: None }
    }

    fn warn(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { word: Word::Warn, name, what: what.into(), hint: Some(hint.into()) }
    }

    fn fail(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { word: Word::Fail, name, what: what.into(), hint: Some(hint.into()) }
    }
}

impl Doctor {
    /// Does it.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) async fn run(self, options: &Options) -> anyhow::Result<Exit> {
        let out = options.printer();
        let checks = checks(options).await;
        print(out, &checks)?;
        let failed = checks.iter().any(|check| check.word == Word::Fail);
        Ok(if failed { Exit::Failed } else { Exit::Done })
    }
}

async fn checks(options: &Options) -> Vec<Check> {
    let mut checks = Vec::new();
    let target = match options.target() {
        Ok(target) => target,
        Err(error) => {
            let hint = "say where: `weave login --server <url>`, `--server <url>` or `--store <url>`";
            return vec![Check::fail("where", chain(&error), hint)];
        }
    };
    let is_store = matches!(target, Target::Store { .. });
    match &target {
        Target::Server { url, .. } => checks.push(Check::ok("where", format!("server {}", http::shown(url)))),
        Target::Store { url } => {
            checks.push(Check::ok("where", format!("store {}", in_process::shown(url))));
        }
    }
    let api = match options.api().await {
        Ok(api) => api.hasty(LIMIT),
        Err(error) if is_store => {
            let hint = "is the path right, and the file yours? `weave bootstrap` makes a new organization";
            checks.push(Check::fail("store", chain(&error), hint));
            return checks;
        }
        Err(error) => {
            checks.push(Check::fail("client", chain(&error), "look at the context: `weave context show`"));
            return checks;
        }
    };
    if is_store {
        checks.push(Check::ok("store", "opens, and its schema is current"));
        let kept = variable(powerloom_core::secret::MASTER_KEY_VARIABLE).is_some();
        checks.push(match &options.master_keys {
            Some(path) => Check::ok("master key", format!("read from {}", path.display())),
            None if kept => Check::ok("master key", "from the environment"),
            None => {
                let hint = "name their file with `--master-keys`";
                Check::warn("master key", "none: secrets can be neither sealed nor opened", hint)
            }
        });
    } else if !reach(&api, &mut checks).await {
        return checks;
    }
    checks.push(keys(&api).await);
    let token = target_token(&target);
    if caller(&api, token.as_deref(), &mut checks).await {
        checks.push(sync(&api).await);
    }
    checks
}

/// Whether the server answers, is ready, and has the same time as we.
async fn reach(api: &Api, checks: &mut Vec<Check>) -> bool {
    let before = Timestamp::now();
    let answer = match api.get("/healthz").probe().await {
        Ok(answer) => answer,
        Err(error) => {
            let hint = "is the URL right, the server running, and no proxy or firewall between? For a private certificate: --ca-cert";
            checks.push(Check::fail("server", chain(&error.into()), hint));
            return false;
        }
    };
    let after = Timestamp::now();
    if answer.status != 200 {
        let hint = "is this the URL of a Powerloom server?";
        checks.push(Check::fail(
            "server",
            format!("{} answers {} to /healthz", api.host(), answer.status),
            hint,
        ));
        return false;
    }
    let took = after.duration_since(before);
    checks.push(Check::ok("server", format!("{} answers in {} ms", api.host(), took.as_millis())));
    checks.push(match api.get("/readyz").probe().await {
        Ok(ready) if ready.status == 200 => Check::ok("ready", "it serves"),
        Ok(ready) => {
            let why = ready
                .json()
                .ok()
                .and_then(|body| body.get("status").and_then(Value::as_str).map(str::to_owned));
            let why = why.unwrap_or_else(|| ready.status.to_string());
            Check::fail(
                "ready",
                format!("it does not serve: {why}"),
                "`store`: its database does not answer; `stopping`: it is about to end",
            )
        }
        Err(error) => Check::fail("ready", chain(&error.into()), "try again"),
    });
    if let Some(date) = answer.header("date").and_then(http_date) {
        checks.push(clock(date, before, after));
    }
    true
}

/// The moment of a `Date` header (RFC 9110, 5.6.7), which has whole seconds.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp())
}

/// Compares the clocks: the server's second lies between our two moments, unless they differ.
fn clock(server: Timestamp, before: Timestamp, after: Timestamp) -> Check {
    let second = SignedDuration::from_secs(1);
    let ahead = server.duration_since(after);
    let behind = before.duration_since(server) - second;
    let (skew, word) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    let shown = format!("the server's clock is {} s {word} ours", skew.as_secs());
    let hint = "set both clocks by NTP: tokens are judged by them";
    if skew >= SKEW_FAILS {
        Check::fail("clock", shown, hint)
    } else if skew >= SKEW_WARNS {
        Check::warn("clock", shown, hint)
    } else {
        Check::ok("clock", "agrees with ours")
    }
}

async fn keys(api: &Api) -> Check {
    let count = match api.get("/.well-known/jwks.json").probe().await {
        Ok(answer) => {
            answer.json().ok().and_then(|set| set.get("keys").and_then(Value::as_array).map(Vec::len))
        }
        Err(error) => return Check::fail("signing keys", chain(&error.into()), "try again"),
    };
    match count {
        Some(count) if count > 0 => Check::ok(
            "signing keys",
            if count == 1 { "1 public key".to_owned() } else { format!("{count} public keys") },
        ),
        _ => Check::fail("signing keys", "none", "the server cannot mint tokens: look at its configuration"),
    }
}

/// The token, where it is at hand without running anything.
fn target_token(target: &Target) -> Option<String> {
    match target {
        Target::Store { .. } => None,
        Target::Server { token: Token::Context(context), .. } => context.token.clone(),
        Target::Server { token: Token::Environment(token), .. } => Some(token.trim().to_owned()),
        Target::Server { token: Token::None, .. } => None,
    }
}

/// Whether the caller is known, and for how long.
async fn caller(api: &Api, token: Option<&str>, checks: &mut Vec<Check>) -> bool {
    let me: anyhow::Result<Identity> = match api.get("/whoami").send().await {
        Ok(answer) => answer.read(),
        Err(error) => Err(error),
    };
    match me {
        Ok(me) => {
            checks.push(Check::ok("token", format!("{} of {} ({})", me.name(), me.root(), me.token)));
            checks.extend(token.and_then(expiry).map(|end| until(end, Timestamp::now())));
            true
        }
        Err(error) => {
            let hint = match error.downcast_ref::<Refusal>() {
                Some(refusal) if refusal.status == 401 => {
                    "it is missing, expired or another server's: `weave login --server <url>`"
                }
                _ => "the log of the server says more",
            };
            checks.push(Check::fail("token", chain(&error), hint));
            false
        }
    }
}

/// When a token says that it ends, if it is one that says so. Whether it is good is for the server to say.
fn expiry(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

fn until(end: Timestamp, now: Timestamp) -> Check {
    let left = crate::age::age(&end.to_string(), now);
    if end.duration_since(now) < ENDS_SOON {
        Check::warn("token ends", left, "get a new one: `weave login`, or keep a `--token-command`")
    } else {
        Check::ok("token ends", left)
    }
}

async fn sync(api: &Api) -> Check {
    match api.list("/sync", &[("status", "parked".to_owned())], Some(100)).await {
        Ok(parked) if parked.is_empty() => Check::ok("runtime", "nothing is parked"),
        Ok(parked) => Check::fail(
            "runtime",
            format!("{} parked: the runtime refuses them for good", parked.len()),
            "see why: `weave sync status --status parked`; once fixed: `weave sync reset <kind> <name>`",
        ),
        Err(error) => match error.downcast_ref::<Refusal>() {
            Some(refusal) if refusal.status == 403 => Check::warn(
                "runtime",
                "you may not see how it stands",
                "ask somebody who may: `weave who-can sync:read`",
            ),
            _ => Check::fail("runtime", chain(&error), "the log of the server says more"),
        },
    }
}

fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

fn print(out: Output, checks: &[Check]) -> anyhow::Result<()> {
    let word = |check: &Check| match check.word {
        Word::Ok => "ok",
        Word::Warn => "warn",
        Word::Fail => "fail",
    };
    let items: Vec<Value> = checks
        .iter()
        .map(|check| json!({ "check": check.name, "result": word(check), "what": check.what, "hint": check.hint }))
        .collect();
    if out.value(&json!({ "items": items }))? {
        return Ok(());
    }
    if out.names(checks.iter().filter(|check| check.word != Word::Ok).map(|check| check.name))? {
        return Ok(());
    }
    for check in checks {
        let padded = format!("{:<4}", word(check));
        let painted = match check.word {
            Word::Ok => out.ink.good(padded),
            Word::Warn => out.ink.busy(padded),
            Word::Fail => out.ink.bad(padded),
        };
        out.line(&format!("{painted}  {:<12}  {}", check.name, plain::line(&check.what)))?;
        if let Some(hint) = &check.hint {
            out.line(&format!("                    {}", out.ink.dim(plain::line(hint))))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_are_compared_within_what_a_whole_second_and_the_way_allow() {
        let (before, after) = (at("2026-11-20T12:00:00.900Z"), at("2026-11-20T12:00:01.100Z"));
        let word = |server: &str| clock(at(server), before, after).word;
        assert_eq!((word("2026-11-20T12:00:00Z"), word("2026-11-20T12:00:01Z")), (Word::Ok, Word::Ok));
        assert_eq!((word("2026-11-20T12:00:10Z"), word("2026-11-20T11:59:50Z")), (Word::Warn, Word::Warn));
        assert_eq!((word("2026-11-20T12:00:40Z"), word("2026-11-20T11:58:00Z")), (Word::Fail, Word::Fail));
    }

    #[test]
    fn a_date_header_is_read() {
        assert_eq!(http_date("Fri, 20 Nov 2026 12:00:00 GMT"), Some(at("2026-11-20T12:00:00Z")));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_token_that_says_when_it_ends_is_believed_for_the_warning_only() {
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(br#"{"exp":1795176000}"#));
        let end = expiry(&token).unwrap();
        assert_eq!(until(end, end - SignedDuration::from_mins(5)).word, Word::Warn);
        assert_eq!(until(end, end - SignedDuration::from_hours(1)).word, Word::Ok);
        assert_eq!(expiry("plk_0190_secret"), None);
    }
}
