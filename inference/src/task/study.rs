//! One picture drawn in several ways from the same noise, to be explained.

use serde::{Deserialize, Serialize};

use super::TextToImage;

/// Most steps that are looked at.
const MAX_GLIMPSES: u32 = 7;

/// How one picture of a study is guided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Classifier-free guidance in place of the task's.
    pub guidance_scale: f64,
    /// Whether the task's negative prompt counts.
    pub has_negative: bool,
}

impl TextToImage {
    /// Seed of picture `index`: those of a study, and those that are compared, all have the first's.
    pub fn seed_of(&self, index: u32) -> super::Seed {
        if self.study.is_empty() && self.readings.is_empty() { self.seed.of_image(index) } else { self.seed }
    }

    /// How much picture `index` is guided.
    pub fn guidance_of(&self, index: u32) -> f64 {
        self.way(index).map_or(self.guidance_scale, |way| way.guidance_scale)
    }

    /// The prompt of picture `index`.
    pub fn prompt_of(&self, index: u32) -> &str {
        self.readings.get(index as usize).unwrap_or(&self.prompt)
    }

    /// What draws picture `index` alone.
    #[must_use]
    pub fn alone(&self, index: u32) -> Self {
        let way = self.way(index);
        Self {
            prompt: self.prompt_of(index).to_owned(),
            seed: self.seed_of(index),
            n_images: 1,
            guidance_scale: self.guidance_of(index),
            negative_prompt: self.negative_prompt.clone().filter(|_| way.is_none_or(|way| way.has_negative)),
            study: Vec::new(),
            readings: Vec::new(),
            ..self.clone()
        }
    }

    /// How picture `index` of a study is guided.
    pub(crate) fn way(&self, index: u32) -> Option<&Way> {
        self.study.get(index as usize)
    }
}

/// Those of a picture's steps that are looked at, counted from 0, from the first to the last.
pub(crate) fn glimpses(n_steps: u32) -> Vec<u32> {
    let n = n_steps.min(MAX_GLIMPSES);
    let place = |i: u32| if n < 2 { 0 } else { (f64::from(i * (n_steps - 1)) / f64::from(n - 1)).round() as u32 };
    (0..n).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Seed;

    #[test]
    fn glimpses_go_from_the_first_step_to_the_last_and_none_is_there_twice() {
        for n_steps in 0..200 {
            let found = glimpses(n_steps);
            assert_eq!(found.len() as u32, n_steps.min(7), "{n_steps}");
            assert!(found.windows(2).all(|two| two[0] < two[1]), "{n_steps}: {found:?}");
            assert_eq!((found.first(), found.last()), (found.first().and(Some(&0)), n_steps.checked_sub(1).as_ref()), "{n_steps}");
        }
    }

    #[test]
    fn a_picture_with_a_prompt_of_its_own_alone_has_it_and_the_first_s_seed() {
        let readings = vec!["a red frog".to_owned(), "a frog".to_owned()];
        let task = TextToImage { prompt: "a red frog".into(), seed: Seed(7), n_images: 2, readings, ..TextToImage::default() };
        let expected = TextToImage { prompt: "a frog".into(), n_images: 1, readings: Vec::new(), ..task.clone() };
        assert_eq!((task.alone(1), task.seed_of(1)), (expected, Seed(7)));
    }

    #[test]
    fn a_picture_of_a_study_alone_has_its_own_way_and_the_study_s_seed() {
        let way = |guidance_scale, has_negative| Way { guidance_scale, has_negative };
        let negative_prompt = Some("leaves".to_owned());
        let study = TextToImage {
            seed: Seed(7),
            n_images: 2,
            negative_prompt: negative_prompt.clone(),
            study: vec![way(1.0, true), way(9.0, false)],
            ..TextToImage::default()
        };
        let alone = |index| study.alone(index);
        assert_eq!((alone(0).guidance_scale, alone(0).negative_prompt, alone(0).seed), (1.0, negative_prompt, Seed(7)));
        assert_eq!((alone(1).guidance_scale, alone(1).negative_prompt, alone(1).seed), (9.0, None, Seed(7)));
        let plain = TextToImage { study: Vec::new(), ..study.clone() };
        assert_eq!((plain.alone(1).seed, plain.alone(1).n_images, plain.alone(1).negative_prompt), (Seed(8), 1, study.negative_prompt));
    }
}
