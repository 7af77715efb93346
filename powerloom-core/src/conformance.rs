//! The contracts of the ports as executable cases, and stand-ins for the ports; feature `conformance`.

pub mod fake_runtime;
