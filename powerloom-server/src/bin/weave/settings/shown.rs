//! The settings as `--print-config` shows them: a file that could be used, with what must not be shown hidden.

use crate::settings::Settings;
use powerloom_core::secret::MASTER_KEY_VARIABLE;

/// Variables that hold secrets: only whether they are set is shown.
const SECRETS: [&str; 3] = ["ANTHROPIC_API_KEY", MASTER_KEY_VARIABLE, "POWERLOOM_WEBHOOK_SECRET"];

impl Settings {
    /// The text of a file with these settings.
    pub(crate) fn shown(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        shown.store = shown.store.as_deref().map(hidden);
        // The path of a webhook is often its password.
        shown.webhook.url = shown.webhook.url.as_deref().map(origin);
        let mut text = String::new();
        for name in SECRETS {
            let set = std::env::var_os(name).is_some_and(|value| !value.is_empty());
            text.push_str(&format!("# {name}: {}\n", if set { "set" } else { "not set" }));
        }
        text.push('\n');
        text.push_str(&toml::to_string_pretty(&shown)?);
        Ok(text)
    }
}

/// A URL without who is let in by it.
fn hidden(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_owned() };
    if url.username().is_empty() && url.password().is_none() {
        return text.to_owned();
    }
    // It fails only for a URL without a host, which has neither.
    let _ = url.set_username("hidden").and_then(|()| url.set_password(None));
    url.to_string()
}

fn origin(text: &str) -> String {
    let origin = url::Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    format!("{}/hidden", origin.unwrap_or_default())
}
