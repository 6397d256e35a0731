//! What the bot takes from the machine: time, chance, disk, and what goes to its log and terminal.

pub mod clock;
pub mod disk;
pub mod health;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod printable;
pub mod private;
pub mod random;
