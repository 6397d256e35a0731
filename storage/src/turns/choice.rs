//! Which of the next jobs a worker takes.

/// Jobs next in turn among which a worker may choose.
pub const N_CANDIDATES: u32 = 16;
/// How often the first of them is passed in favour of another.
pub const MAX_PASSED: u32 = 4;

/// One of the next jobs that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The model that it is drawn with; `None` where any worker is as good.
    pub model: Option<String>,
    /// How often it was passed when it was the first.
    pub passed: u32,
}

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which candidate.
    pub index: usize,
    /// Whether the first one is passed by it.
    pub passes: bool,
}

/// Of the next jobs, in the order of their turns, the first whose model the worker has in memory; the very first where there is none such, where
/// it needs no model, or where it was passed often enough. `None` if there are none.
pub fn choose(candidates: &[Candidate], resident: &[String]) -> Option<Choice> {
    let first = candidates.first()?;
    let is_near = |candidate: &Candidate| candidate.model.as_ref().is_some_and(|model| resident.contains(model));
    let may_pass = first.model.is_some() && first.passed < MAX_PASSED;
    let near = candidates.iter().take(N_CANDIDATES as usize).position(is_near).filter(|_| may_pass);
    let index = near.unwrap_or(0);
    Some(Choice { index, passes: index > 0 })
}

/// Jobs of the tier relax that may run while a fast one waits: a quarter of the slots, and always one, so that they never starve.
pub fn relax_slots(max_running: u32) -> u32 {
    (max_running / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_in_memory_is_preferred_and_the_first_is_passed_four_times() {
        let check = |candidates: &[(&str, u32)], resident: &[&str], expected: Option<(usize, bool)>| {
            let candidate = |&(model, passed): &(&str, u32)| Candidate { model: (!model.is_empty()).then(|| model.into()), passed };
            let candidates: Vec<_> = candidates.iter().map(candidate).collect();
            let resident: Vec<String> = resident.iter().map(|&model| model.into()).collect();
            let expected = expected.map(|(index, passes)| Choice { index, passes });
            assert_eq!(choose(&candidates, &resident), expected, "{candidates:?} with {resident:?}");
        };
        check(&[], &["a"], None);
        check(&[("a", 0), ("b", 0)], &[], Some((0, false)));
        check(&[("a", 0), ("b", 0)], &["a", "b"], Some((0, false)));
        check(&[("a", 0), ("c", 0), ("b", 0)], &["b"], Some((2, true)));
        check(&[("a", 3), ("b", 0)], &["b"], Some((1, true)));
        check(&[("a", 4), ("b", 0)], &["b"], Some((0, false)));
        check(&[("", 0), ("b", 0)], &["b"], Some((0, false)));
        check(&[("a", 0), ("", 0), ("b", 0)], &["b"], Some((2, true)));
        check(&[("a", 0), ("", 0)], &[], Some((0, false)));
        let mut far = vec![("a", 0); N_CANDIDATES as usize];
        far.push(("b", 0));
        check(&far, &["b"], Some((0, false)));
    }

    #[test]
    fn relax_has_a_quarter_and_at_least_one() {
        for (max_running, expected) in [(1, 1), (4, 1), (7, 1), (8, 2), (64, 16)] {
            assert_eq!(relax_slots(max_running), expected, "{max_running}");
        }
    }
}
