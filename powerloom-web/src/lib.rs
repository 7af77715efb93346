//! What the control plane reaches by HTTP beside the runtime: webhooks, and the keys of identity providers.
//!
//! The core asks through its ports and knows no HTTP; this crate answers them with `reqwest`.
