//! The newcomer's tour: how pictures come from noise, a page at a time.

use super::{
    parts::{named_button, text_button},
    words::{escape, number, shorten},
};
use crate::{
    answer::{Answer, Button, File},
    buttons::custom_id::ButtonAction,
};

/// Longest label of an example that is read at a glance.
const MAX_LABEL: usize = 40;

/// A page of the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TourPage {
    /// What a picture begins with.
    Noise,
    /// How training makes noise of pictures.
    Forward,
    /// How much noise there is at each step.
    Schedule,
    /// How one step goes to the next.
    Samplers,
    /// Where all of it happens.
    Latents,
    /// How hard the words are followed.
    Guidance,
    /// What each word does.
    Words,
    /// What to do now.
    Next,
}

impl TourPage {
    /// In their order.
    pub const ALL: [Self; 8] =
        [Self::Noise, Self::Forward, Self::Schedule, Self::Samplers, Self::Latents, Self::Guidance, Self::Words, Self::Next];

    /// The page of a number from 0; the last one where there are not so many.
    pub fn of(number: u32) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or(Self::Next)
    }

    fn number(self) -> u32 {
        Self::ALL.iter().position(|page| *page == self).unwrap_or_default() as u32
    }
}

/// What the tour tells of its pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct TourTold {
    /// What draws.
    pub model: String,
    /// What is drawn.
    pub prompt: String,
    /// The negative prompt of its guided pictures.
    pub negative: String,
    /// How noisy a picture begins.
    pub sigma: f64,
    /// Steps.
    pub n_steps: usize,
    /// Steps of the pictures by several samplers.
    pub few_steps: u32,
    /// Channels of the latents.
    pub n_channels: usize,
    /// Pixels along a side of one latent.
    pub factor: Option<u32>,
    /// Its guidance, and what is as good as none; `None` for a model that is not guided by a negative prompt.
    pub guidance: Option<(f64, f64)>,
    /// What all of it would cost as a job, in row-megapixels.
    pub cost: f64,
}

/// One page. `examples` are lines that the last page offers.
pub fn tour(page: TourPage, told: &TourTold, picture: Option<Vec<u8>>, examples: &[String]) -> Answer {
    let (title, text, about) = words(page, told, picture.is_some());
    let n_pages = TourPage::ALL.len();
    let place = page.number();
    let free = format!(
        "-# {} of {n_pages} · drawn by `{}` for “{}”, once for everybody; it costs you nothing (as a job it would be {} row-megapixels).",
        place + 1,
        told.model.replace('`', "'"),
        shorten(&escape(&told.prompt), 80),
        number(told.cost)
    );
    let files = picture.map(|bytes| File { name: "tour.jpg".into(), bytes, description: about.to_owned() }).into_iter().collect();
    let turned = |page: u32| ButtonAction::Tour { page, is_opened: false };
    let mut turns = Vec::new();
    if place > 0 {
        turns.push(text_button("◀", turned(place - 1)));
    }
    if (place as usize) + 1 < n_pages {
        turns.push(text_button("▶", turned(place + 1)));
    }
    let mut buttons: Vec<Vec<Button>> = vec![turns];
    if page == TourPage::Next {
        let example = |(index, line): (u32, &String)| vec![text_button(&shorten(line, MAX_LABEL), ButtonAction::Example { index })];
        buttons.extend((0..).zip(examples).take(4).map(example));
    }
    Answer { files, buttons, ..Answer::text(format!("**{title}**\n{text}\n{free}")) }
}

/// Opens the tour.
pub fn tour_button() -> Button {
    named_button("🌫️", "How pictures come from noise", ButtonAction::Tour { page: 0, is_opened: true })
}

/// Title and text of a page, and what its picture shows.
fn words(page: TourPage, told: &TourTold, has_picture: bool) -> (&'static str, String, &'static str) {
    let TourTold { sigma, n_steps, few_steps, n_channels, .. } = told;
    match page {
        TourPage::Noise => (
            "It begins with noise",
            format!(
                "Left is what every picture begins with: pure noise, made from the seed; the same seed is the same noise. Right is what became of it in {n_steps} \
                 steps. Under each stands **σ**, how much noise there is beside the picture: {sigma:.1} is nearly nothing but noise, 0 is none."
            ),
            "Noise, and the picture that came from it",
        ),
        TourPage::Forward => (
            "The forward process",
            "A diffusion model learns from pictures to which noise is added, little by little, until nothing is left of them: the **forward process**, which needs \
             no model at all. What it learns is to tell, at any σ, which part is noise. Run backwards from pure noise, that is the **reverse process**: it draws."
                .to_owned(),
            "A picture with more and more noise",
        ),
        TourPage::Schedule => (
            "The noise schedule",
            format!(
                "How fast the noise goes is the **schedule**: each dot but the last is one of the {n_steps} steps. Large strides come first, where there is nothing but shapes to \
                 decide, and small ones at the end, where the detail is. `--schedule` chooses another, `--steps` says how many."
            ),
            "The noise at each step, as a curve",
        ),
        TourPage::Samplers => (
            "Samplers",
            format!(
                "The model says where a picture leads; the **sampler** decides how far to go at each step, and whether to add new noise. The same seed, {few_steps} \
                 steps, other samplers: with so few they differ, with more of them those without new noise come to the same picture. `--sampler` chooses."
            ),
            "The same noise by several samplers",
        ),
        TourPage::Latents => {
            let side = told.factor.map_or_else(String::new, |side| format!(" for each {side} × {side} pixels"));
            (
                "Latent space",
                format!(
                    "None of it happens in pixels: the model works in **latent space**, on {n_channels} numbers{side}, shown here as {n_channels} grey pictures. A \
                     second network, the autoencoder, makes the picture of them at the end. That is why it is fast enough."
                ),
                "The channels of the latents, and the picture that is decoded from them",
            )
        }
        TourPage::Guidance if told.guidance.is_none() => (
            "Guidance",
            "Most models predict each step twice, with the prompt and with a **negative prompt**, and go on in the direction in which the two differ: classifier-free \
             **guidance**. The one that I draw with here does without."
                .to_owned(),
            "The picture",
        ),
        TourPage::Guidance => {
            let (own, none) = told.guidance.unwrap_or((1.0, 1.0));
            (
                "Guidance and the negative prompt",
                format!(
                    "Each step is predicted twice, with the prompt and with the **negative prompt** (here `{}`), and goes on in the direction in which the two differ: \
                     classifier-free **guidance**. {none} is as if there were none, {own} is usual here, twice as much follows the words harder and looks harsher. \
                     `--cfg` says how much, `--no` what to stay away from; the last picture has no negative prompt.",
                    told.negative
                ),
                "The same noise with other guidance",
            )
        }
        TourPage::Words if !has_picture => (
            "Words",
            "A prompt becomes numbers by a text encoder, and the network looks at them at every step. In many models that is **cross-attention**, and where each word \
             was looked at can be shown; the one that I draw with here does not tell."
                .to_owned(),
            "",
        ),
        TourPage::Words => (
            "What the words do",
            "A prompt becomes numbers by a text encoder, and at every step each place of the picture looks at the words: **cross-attention**. Bright is where a word was \
             looked at most, over all layers and steps."
                .to_owned(),
            "The picture, and for each word where it was looked at",
        ),
        TourPage::Next => (
            "Your turn",
            "Type `/imagine` and what you want to see, or press one of these. Under the pictures **U** makes one larger and **V** varies it; 🔎 has *How it came from \
             noise*, and `/explain` shows all of this with a picture of yours. `/help` has the rest."
                .to_owned(),
            "The picture",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_fits_and_leads_to_its_neighbours() {
        let told = TourTold {
            model: "`x".repeat(200),
            prompt: "*_".repeat(3000),
            negative: "green".into(),
            sigma: 14.614_6,
            n_steps: 1000,
            few_steps: 4,
            n_channels: 16,
            factor: Some(8),
            guidance: Some((7.523_456_7, 1.0)),
            cost: 123_456.789,
        };
        let examples = vec!["a frog ".repeat(100); 9];
        for (number, page) in (0..).zip(TourPage::ALL) {
            for told in [told.clone(), TourTold { guidance: None, factor: None, ..told.clone() }] {
                for picture in [None, Some(vec![1])] {
                    let answer = tour(page, &told, picture, &examples);
                    assert!(answer.content.chars().count() <= 1900, "{page:?}: {}", answer.content.chars().count());
                    assert!(answer.buttons.len() <= 5 && answer.buttons[0].len() <= 2);
                    let pages: Vec<u32> = answer.buttons[0]
                        .iter()
                        .filter_map(|button| match button.custom_id.parse() {
                            Ok(ButtonAction::Tour { page, is_opened: false }) => Some(page),
                            _ => None,
                        })
                        .collect();
                    let neighbours = [number - 1, number + 1].into_iter().filter(|page| (0..8).contains(page)).map(|page| page as u32);
                    assert_eq!(pages, neighbours.collect::<Vec<_>>(), "{page:?}");
                }
            }
            assert_eq!(TourPage::of(number as u32), page);
        }
        assert_eq!(TourPage::of(u32::MAX), TourPage::Next);
    }
}
