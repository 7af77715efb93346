//! The attacks on signed tokens.
