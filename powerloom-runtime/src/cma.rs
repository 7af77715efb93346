//! The client of Claude Managed Agents.
