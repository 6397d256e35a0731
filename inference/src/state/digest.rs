//! SHA-256 over fields of any length.

use sha2::{Digest, Sha256};

/// Adds a field with its length, so that two fields never look like two others.
pub(super) fn add(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

/// In hex.
pub(super) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
