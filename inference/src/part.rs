//! The identity of what is loaded, and the place where it is held.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Tells a part in memory from every other one of the process, also of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartId(u64);

impl PartId {
    /// Of what is for no part, and so always there.
    pub(crate) const NONE: Self = Self(u64::MAX);

    /// One that nobody has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The place of a part on a device thread, for all who use it: filled while the part is in memory.
pub(crate) struct Slot<T> {
    id: PartId,
    held: RefCell<Option<Arc<T>>>,
}

impl<T> Slot<T> {
    /// A place for a part that is not in memory.
    pub(crate) fn empty() -> Rc<Self> {
        Rc::new(Self { id: PartId::new(), held: RefCell::default() })
    }

    /// A place with a part.
    #[cfg(test)]
    pub(crate) fn with(part: T) -> Rc<Self> {
        let slot = Self::empty();
        slot.fill(Arc::new(part));
        slot
    }

    pub(crate) fn fill(&self, part: Arc<T>) {
        self.held.replace(Some(part));
    }

    /// Lets go of the part; whoever has it keeps it.
    pub(crate) fn clear(&self) {
        self.held.take();
    }

    /// The part, if it is in memory.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        self.held.borrow().clone()
    }

    pub(crate) fn id(&self) -> PartId {
        self.id
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.held.borrow().is_some()
    }
}
