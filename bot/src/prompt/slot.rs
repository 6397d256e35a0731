//! A value of a parameter.

/// A checked value and the words that gave it, to name both when a second one differs.
pub(super) struct Slot<T> {
    pub(super) value: T,
    pub(super) shown: String,
}

impl<T> Slot<T> {
    pub(super) fn value(self) -> T {
        self.value
    }
}
