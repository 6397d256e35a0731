//! How a task begins that has all its parts, and how the store learns of its end.

use std::{cell::RefCell, rc::Rc};

use super::{Command, Event, Store, TaskId, Waiting};
use crate::{batcher::Batcher, trajectory::Job};

/// Tells the store that a task is over, when it is dropped.
struct Lease {
    id: TaskId,
    over: Rc<RefCell<Vec<TaskId>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.over.borrow_mut().push(self.id);
    }
}

impl Store {
    /// A task has all that it needs.
    pub(super) fn start(&mut self, id: TaskId, batcher: &mut Batcher) {
        let (command, ready) = match self.waiting.remove(&id) {
            Some(Waiting::Task { command, ready }) => (command, ready),
            Some(Waiting::Usual) => {
                self.residency.ended(id);
                self.usual = Some(Ok(()));
                return;
            }
            None => return,
        };
        let lease = Lease { id, over: self.over.clone() };
        let adapters = match ready.set() {
            Ok(adapters) => adapters,
            Err(error) => return self.refuse(&command, error),
        };
        self.room.leave();
        let events = command.events();
        let task = &command.submission.task;
        let mut notes = command.catalogue.notes(task);
        notes.extend(command.meter.span().in_scope(|| ready.notes(task)));
        if !notes.is_empty() {
            // Nothing but `Loading` stands before it, so there is room.
            events.may_send(Event::Notes(notes));
        }
        let Command { submission, meter, .. } = *command;
        let job = Job { submission, parts: ready.parts, adapters, facts: ready.facts, events, meter };
        batcher.start(job.ticket(), async move |caller| {
            let _lease = lease;
            job.run(&caller).await
        });
    }
}
