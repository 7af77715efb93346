//! Where Powerloom's agents run: implementations of [`powerloom_core::runtime::Runtime`], and a local service to run on.
//!
//! | feature | brings |
//! |---|---|
//! | `cma` (on by default) | `cma`: the typed client of Claude Managed Agents, and `CmaRuntime`, which makes it a runtime |
//! | `emulator` | `emulator`: a server of the same protocol, as a library and as the program `cma-emulator` |
//!
//! The client needs `ANTHROPIC_API_KEY`; `ANTHROPIC_BASE_URL` points it at the emulator or at a service of your own.

#[cfg(feature = "cma")]
pub mod cma;
#[cfg(feature = "emulator")]
pub mod emulator;
