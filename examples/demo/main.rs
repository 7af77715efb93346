//! One agent through its whole governed life.

fn main() {}
