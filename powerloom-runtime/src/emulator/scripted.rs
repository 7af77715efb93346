//! The default model: deterministic, and told by the prompt itself what to do.
//!
//! A prompt may hold lines of a little language; each becomes one reply, in order. Anything else in such a prompt is
//! left alone. After its lines the model sums up, unless one of them was `say`. Without any such line, the prompt is
//! searched for the names of MCP tools. `docs/emulator.md` tells all of it.

use crate::emulator::model::{Block, Conversation, Model, Reply, Stop, Tool, ToolSource};
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The deterministic default model; its little language is told in [`emulator`](crate::emulator).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ScriptedModel;

impl ScriptedModel {
    /// The model.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn next(&self, conversation: &Conversation) -> Reply {
        let prompt = conversation.prompt();
        let mut plan = Vec::new();
        let mut silent = false;
        for line in prompt.lines().map(str::trim) {
            plan_line(line, conversation, &mut plan, &mut silent);
        }
        if plan.is_empty() {
            plan = plan_mentions(&prompt, conversation);
        }
        match plan.into_iter().nth(conversation.replies()) {
            Some(reply) => reply,
            None if silent => Reply::new(),
            None => Reply::new().with(Block::Say(summary(&prompt, conversation))),
        }
    }
}

fn plan_line(line: &str, conversation: &Conversation, plan: &mut Vec<Reply>, silent: &mut bool) {
    let (joined, line) = line.strip_prefix("and ").map_or((false, line), |rest| (true, rest));
    let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
    let millis = || rest.parse::<u64>().ok().map(Duration::from_millis);
    let reply = Reply::new().stop(Stop::Continue);
    let reply = match word {
        "call" | "use" | "custom" => match tool_block(word, rest, conversation) {
            Some(block) => reply.with(block),
            None => return,
        },
        _ if joined => return,
        "say" => {
            *silent = true;
            says(rest).into_iter().fold(reply, |reply, text| reply.with(Block::Say(text)))
        }
        "think" if rest.is_empty() => reply.with(Block::Thinking),
        "wait" => match millis() {
            Some(time) => reply.after(time),
            None => return,
        },
        "reschedule" => match millis() {
            Some(time) => reply.stop(Stop::Rescheduled(time)),
            None => return,
        },
        "refuse" => reply.stop(Stop::Refusal { category: some(rest), explanation: None }),
        "fail" => {
            let message = some(rest).unwrap_or_else(|| "the model request failed".to_owned());
            reply.stop(Stop::Failed { kind: "model_request_failed_error".to_owned(), message })
        }
        "terminate" => {
            let message = some(rest).unwrap_or_else(|| "the session broke".to_owned());
            reply.stop(Stop::Terminated { message })
        }
        _ => return,
    };
    match plan.last_mut().filter(|_| joined) {
        Some(last) => last.blocks.extend(reply.blocks),
        None => plan.push(reply),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn says(rest: &str) -> Vec<String> {
    let count = rest.strip_suffix(" messages").and_then(|count| count.parse::<usize>().ok());
    match count.map(|count| count.min(10_000)) {
        Some(count) => (1..=count).map(|index| format!("message {index} of {count}")).collect(),
        None => vec![rest.to_owned()],
    }
}

fn tool_block(word: &str, rest: &str, conversation: &Conversation) -> Option<Block> {
    let (target, argument) = rest.split_once(' ').map_or((rest, ""), |(target, rest)| (target, rest.trim()));
    let object = match argument {
        "" => Some(Map::new()),
        text => serde_json::from_str::<Map<String, Value>>(text).ok(),
    };
    match word {
        "call" => {
            let (server, tool) = target.split_once('.')?;
            if conversation.unreachable.iter().any(|name| name == server) {
                return Some(Block::Say(format!("The server `{server}` cannot be reached.")));
            }
            let (source, name) = (ToolSource::Mcp(server.to_owned()), tool.to_owned());
            Some(Block::Use { source, name, input: object? })
        }
        "custom" => Some(Block::Use { source: ToolSource::Custom, name: target.to_owned(), input: object? }),
        _ => {
            let known = |tool: &&Tool| tool.source == ToolSource::BuiltIn && tool.name == target;
            conversation.tools.iter().find(known)?;
            let input = object.unwrap_or_else(|| built_in_input(target, argument));
            Some(Block::Use { source: ToolSource::BuiltIn, name: target.to_owned(), input })
        }
    }
}

fn built_in_input(tool: &str, argument: &str) -> Map<String, Value> {
    let key = match tool {
        "bash" => "command",
        "glob" | "grep" => "pattern",
        "web_fetch" => "url",
        "web_search" => "query",
        _ => "file_path",
    };
    Map::from_iter([(key.to_owned(), json!(argument))])
}

fn plan_mentions(prompt: &str, conversation: &Conversation) -> Vec<Reply> {
    let mut mentioned: Vec<(usize, &Tool, &str)> = conversation
        .tools
        .iter()
        .filter_map(|tool| match &tool.source {
            ToolSource::Mcp(server) => mention(prompt, &tool.name).map(|at| (at, tool, server.as_str())),
            _ => None,
        })
        .collect();
    mentioned.sort_by_key(|(at, _, _)| *at);
    let calls: Vec<Reply> = mentioned
        .into_iter()
        .filter_map(|(_, tool, server)| {
            let input = fill(&tool.input_schema, prompt)?;
            let source = ToolSource::Mcp(server.to_owned());
            Some(Reply::new().with(Block::Use { source, name: tool.name.clone(), input }))
        })
        .collect();
    let bash =
        || conversation.tools.iter().any(|tool| tool.source == ToolSource::BuiltIn && tool.name == "bash");
    if calls.is_empty() && !conversation.unreachable.is_empty() && bash() {
        let input = built_in_input("bash", "echo without the tools of the server");
        let block = Block::Use { source: ToolSource::BuiltIn, name: "bash".to_owned(), input };
        return vec![Reply::new().with(block)];
    }
    calls
}

/// Where `name` stands in `prompt` as a whole word.
fn mention(prompt: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    prompt.match_indices(name).find_map(|(at, _)| {
        let before = prompt.get(..at).and_then(|text| text.chars().next_back());
        let after = prompt.get(at + name.len()..).and_then(|text| text.chars().next());
        (!before.is_some_and(part) && !after.is_some_and(part)).then_some(at)
    })
}

fn fill(schema: &Value, prompt: &str) -> Option<Map<String, Value>> {
    let mut pieces = quoted(prompt).into_iter();
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required
        .filter_map(Value::as_str)
        .map(|key| {
            let kind = schema.pointer(&format!("/properties/{key}/type")).and_then(Value::as_str);
            let value = pieces.next().unwrap_or_else(|| prompt.to_owned());
            (kind == Some("string")).then(|| (key.to_owned(), json!(value)))
        })
        .collect()
}

fn quoted(prompt: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), prompt);
    while let Some(start) = rest.find(['"', '`']) {
        let mark = if rest.get(start..).is_some_and(|text| text.starts_with('"')) { '"' } else { '`' };
        let after = rest.get(start + 1..).unwrap_or_default();
        let Some(end) = after.find(mark) else { break };
        found.extend(after.get(..end).filter(|piece| !piece.is_empty()).map(str::to_owned));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    found
}

fn summary(prompt: &str, conversation: &Conversation) -> String {
    let results = conversation.results();
    let lines = results.iter().map(|(tool, text)| format!("\n{tool}: {text}"));
    format!("Answer: {prompt}{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(prompt: &str) -> Conversation {
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
        Conversation {
            turn: vec![json!({"type": "user.message", "content": [{"type": "text", "text": prompt}]})],
            tools: vec![
                Tool::new(ToolSource::Mcp("orders".to_owned()), "get_order", schema),
                Tool::new(ToolSource::BuiltIn, "bash", json!({})),
            ],
            ..Conversation::default()
        }
    }

    async fn replies(mut conversation: Conversation) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let reply = ScriptedModel::new().next(&conversation).await;
            let uses = reply.blocks.iter().any(|block| matches!(block, Block::Use { .. }));
            let done = !uses && reply.stop != Stop::Continue;
            replies.push(reply);
            if done {
                return replies;
            }
            conversation.turn.push(json!({"type": "span.model_request_end", "is_error": false}));
        }
    }

    fn call(server: &str, name: &str, input: Value) -> Block {
        let input = input.as_object().cloned().unwrap_or_default();
        Block::Use { source: ToolSource::Mcp(server.to_owned()), name: name.to_owned(), input }
    }

    #[tokio::test]
    async fn a_plain_prompt_is_answered() {
        let said = replies(conversation("hello")).await;
        assert_eq!(said, [Reply::new().with(Block::Say("Answer: hello".to_owned()))]);
    }

    #[tokio::test]
    async fn lines_are_taken_literally_and_in_order() {
        let said = replies(conversation("call a.b {\"n\": 1}\nand call a.c\nthink\nsay done")).await;
        assert_eq!(said[0].blocks, [call("a", "b", json!({"n": 1})), call("a", "c", json!({}))]);
        assert_eq!(said[1].blocks, [Block::Thinking]);
        assert_eq!(said[2].blocks, [Block::Say("done".to_owned())]);
        assert_eq!(said.len(), 4);
        assert_eq!(said[3], Reply::new());
    }

    #[tokio::test]
    async fn a_mentioned_tool_is_called_with_quoted_arguments() {
        let said = replies(conversation("Please get_order \"A-7\".")).await;
        assert_eq!(said[0].blocks, [call("orders", "get_order", json!({"id": "A-7"}))]);
        assert_eq!(replies(conversation("forget_orders now")).await.len(), 1, "only whole words count");
    }

    #[tokio::test]
    async fn without_its_server_the_model_makes_do_with_bash() {
        let mut without = conversation("Please look at my order");
        without.unreachable = vec!["orders".to_owned()];
        let said = replies(without).await;
        assert!(
            matches!(&said[0].blocks[..], [Block::Use { source: ToolSource::BuiltIn, name, .. }] if name == "bash")
        );
    }
}
