//! A server on a loopback socket, two organizations, and people to ask as.

use powerloom_core::bootstrap::Organization;
use powerloom_core::control_plane::ControlPlane;
use powerloom_core::entropy::SystemEntropy;
use powerloom_core::id::{OrgId, ResourceId};
use powerloom_core::token::{KeySet, MemorySigningKeys, SigningKey, TokenOptions, TokenService};
use powerloom_server::{Config, router};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A running server.
pub struct World {
    pub loom: ControlPlane,
    pub tokens: TokenService,
    /// What signs them.
    pub keys: Arc<MemorySigningKeys>,
    pub acme: Organization,
    pub other: Organization,
    pub url: String,
    /// The token of acme's administrator.
    pub admin: String,
    pub client: reqwest::Client,
    pub stopping: CancellationToken,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of the error envelope.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl World {
    pub async fn start() -> Self {
        Self::with(|config| config).await
    }

    pub async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let loom = ControlPlane::builder(powerloom_store::open("memory:").await.unwrap())
            .keys(Arc::new(powerloom_core::secret::MemoryKeys::generate(&SystemEntropy)))
            .build();
        Self::over(loom, change).await
    }

    pub async fn over(loom: ControlPlane, change: impl FnOnce(Config) -> Config) -> Self {
        let acme =
            loom.bootstrap(&"acme".parse().unwrap(), &"admin@acme.com".parse().unwrap()).await.unwrap();
        let other =
            loom.bootstrap(&"other".parse().unwrap(), &"admin@other.com".parse().unwrap()).await.unwrap();
        let keys = KeySet::new(SigningKey::generate_ed25519(&SystemEntropy).unwrap());
        let keys = Arc::new(MemorySigningKeys::new(keys));
        let options = TokenOptions::new("https://loom.acme.com", "https://loom.acme.com");
        let tokens = TokenService::new(&loom, keys.clone(), options).unwrap();
        let stopping = CancellationToken::new();
        let app = router(loom.clone(), change(Config::new(tokens.clone())), stopping.clone());
        // A small send buffer, so that a test can fill it.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(32 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut world = Self { loom, tokens, keys, acme, other, url, admin: String::new(), client, stopping };
        world.admin = world.token(world.acme.id, world.acme.admin).await;
        world
    }

    /// An access token of a user.
    pub async fn token(&self, org: OrgId, user: ResourceId) -> String {
        let token = self.tokens.mint_access(org, user, Duration::from_secs(900)).await.unwrap();
        token.reveal().to_owned()
    }

    /// A new user of acme with these roles at the root, and their token.
    pub async fn person(&self, email: &str, roles: &[&str]) -> (ResourceId, String) {
        let user = json!({ "ou_id": self.acme.root_ou, "email": email });
        let id: ResourceId = self.post("/users", user).await.expect(201).id().parse().unwrap();
        for role in roles {
            let binding =
                json!({ "ou_id": self.acme.root_ou, "principal": format!("user:{id}"), "role": role });
            self.post("/role-bindings", binding).await.expect(201);
        }
        (id, self.token(self.acme.id, id).await)
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// The answer, which is one that the OpenAPI document describes.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        let answer = Answer { status, headers, text, body };
        let document = crate::contract::document(&self.loom);
        crate::contract::check(document, &method, &path, status, answer.header("content-type"), &answer.text);
        answer
    }

    /// How many changes, refusals included, the trail of acme tells of.
    pub async fn trail(&self) -> u64 {
        self.loom.store().audit_head(self.acme.id).await.unwrap().seq
    }

    /// As acme's administrator.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(&self.admin)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(&self.admin).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).bearer_auth(&self.admin).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).bearer_auth(&self.admin)).await
    }

    /// As somebody else.
    pub async fn as_of(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }
}
