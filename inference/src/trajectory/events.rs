//! Where a task tells how it goes.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use tokio::sync::mpsc;

use crate::{
    engine::{Event, Usage},
    error::InferenceError,
};

/// Where a task tells how it goes. Room for what must arrive is kept free, so nothing here ever waits.
#[derive(Clone)]
pub(crate) struct Events {
    sender: Rc<RefCell<Option<mpsc::Sender<Event>>>>,
    kept_free: Rc<Cell<usize>>,
}

impl Events {
    /// `n_images` pictures and one end will be sent; the channel must have room for them.
    pub(crate) fn new(sender: mpsc::Sender<Event>, n_images: u32) -> Self {
        Self { sender: Rc::new(RefCell::new(Some(sender))), kept_free: Rc::new(Cell::new(n_images as usize + 1)) }
    }

    /// Sends what may be lost; whether it was not.
    pub(crate) fn may_send(&self, event: Event) -> bool {
        let sender = self.sender.borrow();
        let sender = sender.as_ref().filter(|sender| sender.capacity() > self.kept_free.get());
        sender.is_some_and(|sender| sender.try_send(event).is_ok()) // A dropped handle wants no events.
    }

    pub(crate) fn must_send(&self, event: Event) {
        self.kept_free.set(self.kept_free.get().saturating_sub(1));
        if let Some(sender) = self.sender.borrow().as_ref() {
            let _ = sender.try_send(event); // There is room unless the handle was dropped.
        }
    }

    fn end(&self, event: Event) {
        self.must_send(event);
        self.sender.borrow_mut().take();
    }

    pub(crate) fn done(&self, usage: Usage) {
        self.end(Event::Done(usage));
    }

    pub(crate) fn failed(&self, error: InferenceError) {
        let error = if let InferenceError::Shared(error) = error { error } else { Arc::new(error) };
        self.end(Event::Failed(error));
    }
}
