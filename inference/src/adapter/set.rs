//! The adapters of one row.

/// Adapters that change a network for one row of a batch, in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterSet;
