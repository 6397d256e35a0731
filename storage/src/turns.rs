//! Whose turn it is: start-time fair queueing in two levels (Goyal, Vin and Cheng 1996, "Start-time Fair Queuing", sections 2 and 3), without
//! a database.
//!
//! The jobs of one guild in one [`Tier`] are a *flow*, and flows share the engine by their weights; the users of a flow share that flow's
//! turns. Flows and users have a start tag, the virtual time at which their next job starts. The rule, the same on both levels:
//! - serving a job sets the virtual time to the start tag and moves that tag on by the job's cost over the weight;
//! - the smallest tag is next, and among equals the one whose next job came first; of one user the jobs go by arrival;
//! - a flow or user whose jobs may not run now is passed over, and keeps its tag;
//! - who had nothing waiting starts at the virtual time, so that idle hours are not saved up;
//! - at the end the tags are corrected by (actual − estimated) cost, and a job that goes back to wait gives its cost back.
//!
//! A waiting job itself carries nothing but its arrival: whatever happens to one job changes the tags of its flow and its user, and no more.

mod choice;
mod queue;

pub use choice::{Candidate, Choice, MAX_PASSED, N_CANDIDATES, choose, relax_slots};
pub use queue::{Turn, Turns};

/// How a job takes its turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The usual one.
    #[default]
    Fast,
    /// For those who have time: a sixteenth of the turns while both wait.
    Relax,
}

impl Tier {
    /// Its share of the turns.
    pub fn weight(self) -> Weight {
        match self {
            Self::Fast => Weight::FULL,
            Self::Relax => Weight::new(1),
        }
    }
}

/// A flow's share of the turns against other flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(i64);

impl Weight {
    /// The weight in whose virtual time a job takes as much as it costs.
    pub const FULL: Self = Self(16);

    /// So many sixteenths of [`FULL`](Self::FULL); at least one.
    pub fn new(sixteenths: u32) -> Self {
        Self(i64::from(sixteenths.max(1)))
    }

    /// Virtual time that a job of so many row-pixels takes; never none, or free jobs would never end their flow's turn.
    pub fn span(self, row_pixels: i64) -> i64 {
        let whole = i128::from(row_pixels.max(1)) * i128::from(Self::FULL.0);
        let rounded_up = (whole + i128::from(self.0) - 1) / i128::from(self.0);
        i64::try_from(rounded_up).unwrap_or(i64::MAX)
    }
}

/// All that a job's turn reads and changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    /// The virtual time among flows.
    pub time: i64,
    /// The start tag of the job's flow.
    pub flow: i64,
    /// The virtual time among the flow's users.
    pub flow_time: i64,
    /// The start tag of the job's user in the flow.
    pub user: i64,
}

impl Tags {
    /// A job comes in; who had nothing waiting before it starts at the virtual time.
    pub fn arrive(&mut self, flow_waits: bool, user_waits: bool) {
        if !flow_waits {
            self.flow = self.flow.max(self.time);
        }
        if !user_waits {
            self.user = self.user.max(self.flow_time);
        }
    }

    /// A job is served.
    pub fn serve(&mut self, weight: Weight, row_pixels: i64) {
        self.time = self.time.max(self.flow);
        self.flow_time = self.flow_time.max(self.user);
        self.advance(weight.span(row_pixels), Weight::FULL.span(row_pixels));
    }

    /// A job that was served waits again.
    pub fn give_back(&mut self, weight: Weight, row_pixels: i64) {
        self.advance(-weight.span(row_pixels), -Weight::FULL.span(row_pixels));
    }

    /// A job that was served cost something else, in row-pixels.
    pub fn correct(&mut self, weight: Weight, estimated: i64, actual: i64) {
        let more = |weight: Weight| weight.span(actual).saturating_sub(weight.span(estimated));
        self.advance(more(weight), more(Weight::FULL));
    }

    fn advance(&mut self, of_flow: i64, of_user: i64) {
        self.flow = self.flow.saturating_add(of_flow);
        self.user = self.user.saturating_add(of_user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_flow_takes_more_virtual_time() {
        let check = |sixteenths, row_pixels, expected| assert_eq!(Weight::new(sixteenths).span(row_pixels), expected, "{sixteenths}");
        check(16, 5, 5);
        check(16, 0, 1);
        check(1, 5, 80);
        check(8, 5, 10);
        check(3, 5, 27);
        check(0, 5, 80);
        check(1, i64::MAX, i64::MAX);
    }

    #[test]
    fn what_is_given_back_and_served_again_is_as_before() {
        let before = Tags { time: 7, flow: 9, flow_time: 3, user: 5 };
        for (weight, row_pixels) in [(Weight::FULL, 0), (Weight::new(3), 7), (Weight::new(1), 1_000_000)] {
            let mut tags = before;
            tags.serve(weight, row_pixels);
            let served = tags;
            tags.give_back(weight, row_pixels);
            assert_eq!((tags.flow, tags.user), (before.flow, before.user));
            tags.serve(weight, row_pixels);
            assert_eq!(tags, served);
            tags.correct(weight, row_pixels, row_pixels);
            assert_eq!(tags, served, "nothing to correct");
        }
    }
}
