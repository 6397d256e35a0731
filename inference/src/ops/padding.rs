//! What lies beyond the edges.

/// What lies beyond a picture's edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Nothing.
    #[default]
    Zeros,
    /// The other edge, so that the picture can be laid side by side with itself.
    Circular,
}
