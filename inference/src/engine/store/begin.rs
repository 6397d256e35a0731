//! How a task begins that has all its parts, and how the store learns of its end.

use std::{cell::RefCell, rc::Rc};

use super::{Command, Event, Message, Store, TaskId, Waiting};
use crate::{adapter::AdapterSet, batcher::Batcher, error::InferenceError, trajectory::Job};

/// Most sets of adapters with layers of their own that stay in memory beside those in use.
const MAX_SETS: usize = 2;

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
    /// A task has all that it needs; where its adapters need layers of their own, these are made first.
    pub(super) fn start(&mut self, id: TaskId, batcher: &mut Batcher) {
        let uses = match self.waiting.get(&id) {
            Some(Waiting::Task { ready, .. }) => ready.adapters(),
            Some(Waiting::Usual) => {
                self.waiting.remove(&id);
                self.residency.ended(id);
                self.usual = Some(Ok(()));
                return;
            }
            None => return,
        };
        let uses = match uses {
            Ok(uses) => uses,
            Err(error) => return self.begin(id, Err(error), batcher),
        };
        if let Some(known) = self.sets.iter().position(|set| set.is_made_of(&uses)) {
            let set = self.sets.remove(known);
            self.sets.push(set.clone());
            return self.begin(id, Ok(set), batcher);
        }
        if uses.iter().all(|(adapter, _)| adapter.is_live()) {
            return self.begin(id, AdapterSet::new(uses), batcher);
        }
        if let Some(Waiting::Task { command, .. }) = self.waiting.get(&id) {
            command.events().may_send(Event::Loading);
        }
        let messages = self.messages.clone();
        let done = move |set| {
            let _ = messages.send(Message::Adapters(id, set)); // As above.
        };
        self.loader.load(move || AdapterSet::new(uses), done);
    }

    /// The loader has made the layers of a task's adapters.
    pub(in crate::engine) fn made(&mut self, id: TaskId, set: Result<AdapterSet, InferenceError>) {
        if let Ok(set) = &set {
            self.sets.push(set.clone());
            self.sets.drain(..self.sets.len().saturating_sub(MAX_SETS));
        }
        self.made.push((id, set));
    }

    pub(super) fn begin(&mut self, id: TaskId, set: Result<AdapterSet, InferenceError>, batcher: &mut Batcher) {
        let Some(Waiting::Task { command, ready }) = self.waiting.remove(&id) else { return };
        let lease = Lease { id, over: self.over.clone() };
        let adapters = match set {
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
