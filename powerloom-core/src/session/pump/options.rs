//! How the loop of the session pumps works.

use crate::session::tool_answers::{DenyTools, ToolAnswers};
use std::sync::Arc;
use std::time::Duration;

/// How sessions are pumped.
#[derive(Debug, Clone)]
pub(crate) struct PumpOptions {
    pub(crate) owner: String,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
    pub(crate) concurrency: usize,
    pub(crate) quiet: Duration,
    pub(crate) cancel_grace: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) answers: Arc<dyn ToolAnswers>,
}

impl Default for PumpOptions {
    fn default() -> Self {
        Self {
            owner: "sessions".to_owned(),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(2),
            concurrency: 256,
            quiet: Duration::from_secs(15),
            cancel_grace: Duration::from_secs(30),
            call_timeout: Duration::from_secs(10),
            answers: Arc::new(DenyTools),
        }
    }
}
