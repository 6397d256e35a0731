//! One folder for each architecture that draws.

pub mod stable_diffusion;
