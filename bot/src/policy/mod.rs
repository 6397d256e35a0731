//! Who may do what: computed from what was read before, without Discord's library and without I/O.

pub mod permissions;
pub mod permits;
