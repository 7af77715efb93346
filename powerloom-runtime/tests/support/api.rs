//! A small client of the wire, for tests.

use powerloom_runtime::emulator::{Emulator, RunningEmulator};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;

pub const BETA: &str = "managed-agents-2026-04-01";

pub struct Api {
    pub emulator: RunningEmulator,
    pub http: reqwest::Client,
}

impl Api {
    pub async fn start() -> Self {
        Self::over(Emulator::builder()).await
    }

    pub async fn over(emulator: Emulator) -> Self {
        Self { emulator: emulator.start().await.unwrap(), http: reqwest::Client::new() }
    }

    /// A request with all headers that the wire asks for.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.emulator.url()));
        let request = request.header("authorization", "Bearer key").header("anthropic-version", "2026-10-21");
        let beta = !path.starts_with("/v1/skills") && !path.starts_with("/v1/files");
        if beta { request.header("anthropic-beta", BETA) } else { request }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        assert!(response.headers()["request-id"].to_str().unwrap().starts_with("req_"));
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(body.clone())).await;
        assert_eq!(status, 200, "POST {path} {body}: {answer}");
        answer
    }

    /// A POST without a body.
    pub async fn poke(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::POST, path, None).await;
        assert_eq!(status, 200, "POST {path}: {answer}");
        answer
    }

    pub async fn delete(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::DELETE, path, None).await;
        assert_eq!(status, 200, "DELETE {path}: {answer}");
        answer
    }

    /// The status of a POST that must be refused; the envelope is checked on the way.
    pub async fn refused(&self, path: &str, body: Value) -> u16 {
        let (status, answer) = self.call(Method::POST, path, Some(body.clone())).await;
        assert!(status >= 400, "POST {path} {body}: {answer}");
        assert_eq!(answer["type"], "error");
        assert!(answer["error"]["type"].is_string() && answer["error"]["message"].is_string());
        assert!(answer["request_id"].as_str().unwrap().starts_with("req_"));
        status
    }

    /// An agent with `fields` on top of a name and a model.
    pub async fn agent(&self, fields: Value) -> Value {
        let mut body = json!({"name": "a", "model": "claude-opus-5"});
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.post("/v1/agents", body).await
    }

    /// The id of a new session of an agent with `fields`, with `more` in its create body.
    pub async fn session(&self, fields: Value, more: Value) -> String {
        let agent = self.agent(fields).await;
        let environment = self.post("/v1/environments", json!({"name": "e"})).await;
        let mut body = json!({"agent": agent["id"], "environment_id": environment["id"]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        id(&self.post("/v1/sessions", body).await)
    }

    pub async fn say(&self, session: &str, prompt: &str) -> Value {
        let events = json!({"events": [message(prompt)]});
        self.post(&format!("/v1/sessions/{session}/events"), events).await
    }

    pub async fn stream(&self, session: &str) -> Stream {
        let request = self.request(Method::GET, &format!("/v1/sessions/{session}/events/stream"));
        Stream::of(request.header("accept", "application/json").send().await.unwrap())
    }

    /// Sends `prompt` and returns the events up to the rest that follows.
    pub async fn turn(&self, session: &str, prompt: &str) -> Vec<Value> {
        let mut stream = self.stream(session).await;
        self.say(session, prompt).await;
        stream.until("session.status_idle").await
    }
}

pub struct Stream {
    response: Response,
    buffer: String,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next frame, comments and pings included; nothing at the end; an error when the connection is cut.
    pub async fn frame(&mut self) -> Result<Option<String>, reqwest::Error> {
        loop {
            if let Some((frame, rest)) = self.buffer.split_once("\n\n") {
                let frame = frame.to_owned();
                self.buffer = rest.to_owned();
                return Ok(Some(frame));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            match chunk.await.expect("the stream is silent")? {
                Some(chunk) => self.buffer.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => return Ok(None),
            }
        }
    }

    pub async fn next(&mut self) -> Result<Option<Value>, reqwest::Error> {
        while let Some(frame) = self.frame().await? {
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let event: Value = serde_json::from_str(data).unwrap();
            if event["type"] != "ping" {
                assert!(frame.starts_with(&format!("event: {}\n", event["type"].as_str().unwrap())));
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.unwrap().unwrap_or_else(|| panic!("no {kind} in {events:?}"));
            events.push(event);
            if events.last().unwrap()["type"] == kind {
                return events;
            }
        }
    }
}

pub fn message(text: &str) -> Value {
    json!({"type": "user.message", "content": [{"type": "text", "text": text}]})
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

pub fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

pub fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}
