//! What goes wrong on demand.

use super::{
    Dispatch,
    hub::{Hub, Inner},
    session::Outgoing,
};
use crate::state::State;
use std::{collections::VecDeque, time::Duration};
use tokio_util::sync::CancellationToken;

/// More late events than this are not kept back: the oldest goes out early.
const N_HELD: usize = 1000;

/// Events that are sent late.
struct Delay {
    ms: i64,
    n_left: u64,
}

struct Held {
    due_ms: i64,
    event: Dispatch,
    is_double: bool,
}

/// What is wrong now.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) is_revoked: bool,
    pub(super) withholds_acks: bool,
    /// While the gateway is half open; cancelled when it ends.
    silence: Option<CancellationToken>,
    n_doubled: u64,
    delay: Option<Delay>,
    held: VecDeque<Held>,
}

impl Faults {
    /// Whether the next event is sent twice.
    pub(super) fn doubles(&mut self) -> bool {
        let is_double = self.n_doubled > 0;
        // `u64::MAX` is for ever.
        if self.n_doubled != u64::MAX {
            self.n_doubled = self.n_doubled.saturating_sub(1);
        }
        is_double
    }

    /// Keeps an event back if it is to be late.
    pub(super) fn holds(&mut self, event: &Dispatch, is_double: bool, now_ms: i64) -> bool {
        let Some(delay) = self.delay.as_mut().filter(|delay| delay.n_left > 0) else { return false };
        if delay.n_left != u64::MAX {
            delay.n_left -= 1;
        }
        // Among themselves they keep their order, whatever the delays were.
        let earliest_ms = self.held.back().map_or(now_ms, |last| last.due_ms);
        let due_ms = now_ms.saturating_add(delay.ms).max(earliest_ms);
        self.held.push_back(Held { due_ms, event: event.clone(), is_double });
        true
    }

    fn due(&mut self, now_ms: i64) -> Option<Held> {
        let is_due = self.held.len() > N_HELD || self.held.front().is_some_and(|held| held.due_ms <= now_ms);
        if is_due { self.held.pop_front() } else { None }
    }
}

impl Inner {
    fn send_due(&mut self, now_ms: i64) {
        while let Some(held) = self.faults.due(now_ms) {
            self.send(&held.event, held.is_double, now_ms);
        }
    }
}

impl Hub {
    /// Sends the late events whose time has come; returns the time of the next.
    pub(super) fn release(&self) -> Option<i64> {
        let mut inner = self.inner();
        inner.send_due(self.clock.now_ms());
        inner.faults.held.front().map(|held| held.due_ms)
    }

    /// Breaks every connection off, without a close frame.
    pub(crate) fn drop_all(&self) {
        let now_ms = self.clock.now_ms();
        let mut inner = self.inner();
        std::mem::take(&mut inner.everyone).cancel();
        for session in inner.sessions.values_mut().filter(|session| session.link.is_some()) {
            session.leave(now_ms);
        }
    }

    /// Asks every client to come again (op 7), and closes the connection of one that stays.
    pub(crate) fn reconnect(&self) {
        self.tell_all(|| Outgoing::Reconnect);
    }

    /// Tells every client that its session is invalid (op 9).
    pub(crate) fn invalidate(&self, is_resumable: bool) {
        self.tell_all(|| Outgoing::Invalidate { is_resumable });
    }

    /// Asks every client for a heartbeat (op 1).
    pub(crate) fn ask_heartbeat(&self) {
        self.tell_all(|| Outgoing::AskHeartbeat);
    }

    /// Closes every connection with a code.
    pub(crate) fn close(&self, code: u16) {
        self.tell_all(|| Outgoing::Close(code));
    }

    /// While half open, the gateway accepts everything and says nothing. Whoever met that is broken off when it ends.
    pub(crate) fn half_open(&self, is_half_open: bool) {
        let mut inner = self.inner();
        let silence = &mut inner.faults.silence;
        if is_half_open {
            silence.get_or_insert_default();
        } else if let Some(ended) = silence.take() {
            ended.cancel();
        }
    }

    /// What ends the silence, while there is one.
    pub(super) fn silence(&self) -> Option<CancellationToken> {
        self.inner().faults.silence.clone()
    }

    /// Heartbeats are taken but not acknowledged.
    pub(crate) fn stop_heartbeat_acks(&self, is_stopped: bool) {
        self.inner().faults.withholds_acks = is_stopped;
    }

    pub(super) fn acknowledges(&self) -> bool {
        !self.inner().faults.withholds_acks
    }

    /// The next `n` events are sent twice; `u64::MAX` for ever, 0 ends it.
    pub(crate) fn duplicate_events(&self, n: u64) {
        self.inner().faults.n_doubled = n;
    }

    /// The next `n` events come late, in their order; `u64::MAX` for ever, 0 ends it.
    pub(crate) fn delay_events(&self, ms: u64, n: u64) {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        self.inner().faults.delay = (n > 0).then_some(Delay { ms, n_left: n });
    }

    /// Closes every socket with 4004 and ends all sessions, also of those who are away; nobody gets in until
    /// [`Hub::restore_token`].
    pub(crate) fn revoke_token(&self) {
        self.inner().faults.is_revoked = true;
        self.close(4004);
        self.inner().sessions.clear();
    }

    /// The token is good again, with a new day's session starts.
    pub(crate) fn restore_token(&self) {
        let mut inner = self.inner();
        inner.faults.is_revoked = false;
        inner.starts.renew();
    }

    /// Whether REST and gateway refuse the token.
    pub(crate) fn is_revoked(&self) -> bool {
        self.inner().faults.is_revoked
    }
}

/// The gateway's faults, for a test in the same process.
pub struct GatewayFaults<'a> {
    pub(crate) state: &'a State,
}

impl GatewayFaults<'_> {
    /// Breaks every connection off without a close frame, as a failing network would. Sessions can be resumed.
    pub fn drop_all(&self) {
        self.state.hub.drop_all();
        self.state.announce_bot();
    }

    /// Asks every client to reconnect (op 7). One that stays is closed 5 seconds later.
    pub fn reconnect(&self) {
        self.state.hub.reconnect();
    }

    /// Tells every client that its session is invalid but may be resumed (op 9, `true`).
    pub fn invalidate_resumable(&self) {
        self.state.hub.invalidate(true);
    }

    /// Ends every session (op 9, `false`).
    pub fn invalidate(&self) {
        self.state.hub.invalidate(false);
    }

    /// Asks every client for a heartbeat at once (op 1).
    pub fn ask_heartbeat(&self) {
        self.state.hub.ask_heartbeat();
    }

    /// Closes every connection with this code, 1000 to 4999.
    pub fn close(&self, code: u16) {
        self.state.hub.close(code);
    }

    /// Accepts everything and says nothing, on old and new connections, until [`GatewayFaults::speak`].
    pub fn fall_silent(&self) {
        self.state.hub.half_open(true);
    }

    /// Ends [`GatewayFaults::fall_silent`]: connections that met the silence are broken off, new ones are served.
    pub fn speak(&self) {
        self.state.hub.half_open(false);
    }

    /// Takes heartbeats without an acknowledgement, until [`GatewayFaults::resume_acks`].
    pub fn withhold_acks(&self) {
        self.state.hub.stop_heartbeat_acks(true);
    }

    /// Acknowledges heartbeats again.
    pub fn resume_acks(&self) {
        self.state.hub.stop_heartbeat_acks(false);
    }

    /// Sends the next `n` events twice; an interaction among them comes again after the next resume too.
    pub fn duplicate_events(&self, n: u64) {
        self.state.hub.duplicate_events(n);
    }

    /// Sends the next `n` events late, in their order.
    pub fn delay_events(&self, by: Duration, n: u64) {
        self.state.hub.delay_events(by.as_millis() as u64, n);
    }

    /// Revokes the token: 4004 for every socket and every IDENTIFY, until [`GatewayFaults::restore_token`].
    pub fn revoke_token(&self) {
        self.state.hub.revoke_token();
    }

    /// Makes the token good again.
    pub fn restore_token(&self) {
        self.state.hub.restore_token();
    }
}
