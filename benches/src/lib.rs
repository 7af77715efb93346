//! Questions about speed, each next to the limit of the machine.

pub mod cpu;
pub mod ratio;
