//! What goes wrong beside the kills: faults of the stand-in, and its clock.

use std::time::{Duration, Instant};

use sandbox::{Clock, Fault, FaultKind, ManualClock, Sandbox};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use super::dice::Dice;

/// What goes wrong beside the kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Calm,
    /// Lost answers, 429, 5xx, resets, slow bodies, events that come twice: in every second life of the bot.
    Faults,
    /// These, and Discord's clock leaps by more than a token's life in every eighth.
    Leaps,
}

/// Longer than a token lives.
const LEAP: Duration = Duration::from_secs(16 * 60);
/// How often a clock that is moved by hand is moved.
const TICK: Duration = Duration::from_millis(10);

impl Weather {
    /// By its name.
    pub fn named(name: &str) -> Self {
        match name {
            "calm" => Self::Calm,
            "faults" => Self::Faults,
            "leaps" => Self::Leaps,
            other => panic!("the weather is calm, faults or leaps, not {other:?}"),
        }
    }
}

/// The stand-in's time: with leaps, a clock of our own that goes with the machine's.
pub struct Time {
    /// For the stand-in.
    pub clock: Clock,
    ours: Option<(ManualClock, JoinHandle<()>)>,
}

impl Time {
    /// Of this weather.
    pub fn of(weather: Weather) -> Self {
        if weather != Weather::Leaps {
            return Self { clock: Clock::System, ours: None };
        }
        let clock = ManualClock::new();
        let moved = clock.clone();
        let going = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut before = Instant::now();
            loop {
                ticks.tick().await;
                let by = Duration::from_millis(before.elapsed().as_millis() as u64);
                before += by;
                moved.advance(by);
            }
        });
        Self { clock: Clock::Manual(clock.clone()), ours: Some((clock, going)) }
    }

    /// Leaps now and then.
    pub fn pass(&self, dice: &mut Dice) {
        if let Some((clock, _)) = self.ours.as_ref().filter(|_| dice.once_in(8)) {
            clock.advance(LEAP);
        }
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        if let Some((_, going)) = &self.ours {
            going.abort();
        }
    }
}

/// Faults that last for one life of the bot.
pub struct Faults(Vec<u64>);

impl Faults {
    /// Some of those that can be, in every second life.
    pub fn begin(weather: Weather, sandbox: &Sandbox, dice: &mut Dice) -> Self {
        if weather == Weather::Calm || dice.once_in(2) {
            return Self(Vec::new());
        }
        let chosen: Vec<Fault> = possible(dice).into_iter().filter(|_| dice.once_in(2)).collect();
        Self(chosen.into_iter().map(|fault| sandbox.fault(fault).expect("the fault makes sense")).collect())
    }

    /// Ends them.
    pub fn end(self, sandbox: &Sandbox) {
        for id in self.0 {
            // One that met all that it was to meet is gone already.
            sandbox.end_fault(id);
        }
    }
}

fn possible(dice: &mut Dice) -> Vec<Fault> {
    let at = |kind, route: &str, probability| Fault { route: Some(route.to_owned()), probability, ..Fault::new(kind) };
    let for_ms = |ms, fault: Fault| Fault { ms: Some(ms), ..fault };
    let status = Some(*dice.one(&[500, 502, 503]));
    vec![
        at(FaultKind::LostAnswer, "POST /interactions", 0.1),
        at(FaultKind::LostAnswer, "* /webhooks", 0.05),
        at(FaultKind::LostAnswer, "* /channels", 0.2),
        at(FaultKind::Reset, "* /webhooks", 0.05),
        for_ms(300, at(FaultKind::RateLimit, "* /webhooks", 0.05)),
        for_ms(200, at(FaultKind::RateLimit, "POST /interactions", 0.05)),
        Fault { status, ..at(FaultKind::ServerError, "* /webhooks", 0.1) },
        Fault { status, ..at(FaultKind::ServerError, "* /channels", 0.2) },
        Fault { status, ..at(FaultKind::ServerError, "POST /interactions", 0.05) },
        for_ms(800, at(FaultKind::SlowBody, "* /webhooks", 0.1)),
        for_ms(300, at(FaultKind::Latency, "* /webhooks", 0.2)),
        for_ms(300, at(FaultKind::Latency, "POST /interactions", 0.2)),
        Fault { count: Some(3), ..Fault::new(FaultKind::DuplicateEvents) },
    ]
}
