//! Where Powerloom's agents run.

#[cfg(feature = "cma")]
pub mod cma;
#[cfg(feature = "emulator")]
pub mod emulator;
