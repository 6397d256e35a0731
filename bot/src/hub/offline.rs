//! A machine without a network, or a hub that is not there.

use crate::discord::unreachable::Unreachable;

/// Nobody is there.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {host}: {why}")]
pub struct Offline {
    pub(super) host: String,
    pub(super) why: Unreachable,
}
