//! Jobs that draw one picture of a job before them again, in several ways, to explain it.

use inference::{
    catalogue::limits::MAX_GUIDANCE,
    task::{Task, Way},
};

use super::verify;

/// What such a job is asked for with; its parent is the picture that is explained.
pub const ACTION: &str = "explain";

/// What draws one picture of a task to the bit, and then as if it were not guided, guided more, and without its negative prompt, as far as there is any.
/// `unguided` is the guidance that does nothing; `None` for tasks without.
pub fn study(task: Task, index: u32, stopped_at: Option<u32>, unguided: impl FnOnce(&Task) -> Option<f64>) -> Task {
    let mut task = verify::alone(task, index, stopped_at);
    let unguided = unguided(&task);
    if let Some(base) = task.base_mut() {
        let own = base.guidance_scale;
        let way = |guidance_scale, has_negative| Way { guidance_scale, has_negative };
        base.study = vec![way(own, true)];
        if let Some(unguided) = unguided {
            // Of the strongest there is no more, but less.
            let more = if own < MAX_GUIDANCE { (own * 2.0).min(MAX_GUIDANCE) } else { own / 2.0 };
            base.study.extend([way(unguided, true), way(more, true)]);
            if base.negative_prompt.as_ref().is_some_and(|negative| !negative.trim().is_empty()) {
                base.study.push(way(own, false));
            }
        }
        base.n_images = base.study.len() as u32;
    }
    task
}

#[cfg(test)]
mod tests {
    use inference::task::{Seed, TextToImage};

    use super::*;

    #[test]
    fn a_study_has_the_picture_first_and_what_can_be_compared() {
        let check = |guidance_scale: f64, negative: Option<&str>, unguided: Option<f64>, expected: &[(f64, bool)]| {
            let negative_prompt = negative.map(str::to_owned);
            let task = TextToImage { seed: Seed(40), n_images: 4, guidance_scale, negative_prompt, ..TextToImage::default() };
            let task = study(Task::from(task), 2, None, |_| unguided);
            let base = task.base().expect("it draws");
            let found: Vec<(f64, bool)> = base.study.iter().map(|way| (way.guidance_scale, way.has_negative)).collect();
            assert_eq!((found.as_slice(), base.n_images as usize), (expected, expected.len()));
            assert_eq!((base.seed, base.seed_of(1)), (Seed(42), Seed(42)));
        };
        check(7.5, None, Some(1.0), &[(7.5, true), (1.0, true), (15.0, true)]);
        check(7.5, Some("leaves"), Some(1.0), &[(7.5, true), (1.0, true), (15.0, true), (7.5, false)]);
        check(7.5, Some(" "), Some(0.0), &[(7.5, true), (0.0, true), (15.0, true)]);
        check(20.0, None, Some(1.0), &[(20.0, true), (1.0, true), (30.0, true)]);
        check(30.0, None, Some(1.0), &[(30.0, true), (1.0, true), (15.0, true)]);
        check(1.0, Some("leaves"), None, &[(1.0, true)]);
    }
}
