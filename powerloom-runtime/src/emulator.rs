//! A local server that speaks the Claude Managed Agents protocol.
