//! Jobs that draw a prompt with and without each of its words, to see what they do, and the shorter prompts that come of it.

use std::ops::Range;

use inference::{
    task::{StopAt, TextToImage},
    text,
};

/// What such a job is asked for with.
pub const ACTION: &str = "shorten";
/// Steps after which pictures are compared: what they show is settled by then, if not how.
const STEPS: u32 = 5;
/// Most pieces of a prompt that are left out in turn; in longer ones words that stand together are.
const MAX_PIECES: usize = 15;
/// Shares of the pieces that shorter prompts keep.
const KEPT: [f64; 5] = [0.8, 0.65, 0.5, 0.35, 0.2];

/// Words of a prompt that are left out together, as places in it.
pub type Piece = Vec<Range<usize>>;

/// What draws a prompt's words, and then without each piece, from the same noise and not to the end; `None` for less than two words.
pub fn compared(mut base: TextToImage) -> Option<TextToImage> {
    if base.has_parts {
        let parts = text::parts(&base.prompt).ok().flatten().unwrap_or_default();
        base.prompt = parts.into_iter().filter(|part| part.share > 0.0).map(|part| part.text).collect::<Vec<_>>().join(", ");
        base.has_parts = false;
    }
    let pieces = pieces(&base.prompt);
    if pieces.len() < 2 {
        return None;
    }
    let without = pieces.iter().map(|piece| without(&base.prompt, &[piece]));
    base.readings = [base.prompt.clone()].into_iter().chain(without).collect();
    base.n_images = base.readings.len() as u32;
    base.hires = None;
    base.stop_at = Some(StopAt::Steps(STEPS.min(base.steps)));
    Some(base)
}

/// What draws one of the shorter prompts, with as many pictures as usual.
pub fn shorter(base: &TextToImage, prompt: String, n_images: u32) -> TextToImage {
    TextToImage { prompt, n_images, readings: Vec::new(), stop_at: None, ..base.clone() }
}

/// The pieces of a prompt, in its order.
pub fn pieces(prompt: &str) -> Vec<Piece> {
    let words = words(prompt);
    words.chunks(words.len().div_ceil(MAX_PIECES).max(1)).map(<[_]>::to_vec).collect()
}

/// The words of a prompt without the marks around them; adapters and breaks are none.
fn words(prompt: &str) -> Vec<Range<usize>> {
    let (mut found, mut start, mut is_tag) = (Vec::new(), 0, false);
    for (place, character) in prompt.char_indices().chain([(prompt.len(), ' ')]) {
        if !character.is_whitespace() && !"()[],;:<>|".contains(character) {
            continue;
        }
        let run = &prompt[start..place];
        let from = start + run.len() - run.trim_start_matches(|c: char| !c.is_alphanumeric()).len();
        let word = run.trim_matches(|c: char| !c.is_alphanumeric());
        if !is_tag && word != "BREAK" && word.contains(char::is_alphabetic) {
            found.push(from..from + word.len());
        }
        is_tag = (is_tag || character == '<') && character != '>';
        start = place + character.len_utf8();
    }
    found
}

/// A prompt without some of its pieces, and without the brackets and commas that then hold nothing.
pub fn without(prompt: &str, left_out: &[&Piece]) -> String {
    let mut rest = prompt.to_owned();
    let mut gone: Vec<_> = left_out.iter().copied().flatten().cloned().collect();
    gone.sort_by_key(|range| range.start);
    gone.into_iter().rev().for_each(|range| rest.replace_range(range, ""));
    while let Some(empty) = empty_brackets(&rest) {
        rest.replace_range(empty, " ");
    }
    let segments = rest.split(',').map(|segment| segment.split_whitespace().collect::<Vec<_>>().join(" "));
    segments.filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The first brackets with nothing but a weight between them.
fn empty_brackets(text: &str) -> Option<Range<usize>> {
    let mut open = None;
    for (place, character) in text.char_indices() {
        match character {
            '(' | '[' => open = Some(place),
            ')' | ']' if open.is_some() => return open.map(|open| open..place + 1),
            _ if !character.is_whitespace() && !"0123456789.:,+-".contains(character) => open = None,
            _ => {}
        }
    }
    None
}

/// How many shorter prompts there are of one.
pub fn n_shorter(prompt: &str) -> u32 {
    sizes(pieces(prompt).len()).len() as u32
}

/// How many pieces each shorter prompt keeps of so many.
fn sizes(n_pieces: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = KEPT.iter().map(|share| (share * n_pieces as f64).ceil() as usize).filter(|n| *n < n_pieces).collect();
    sizes.dedup();
    sizes
}

/// The shorter prompts: those pieces stay whose effects are largest. Each is shorter than the one before.
pub fn shorter_prompts(prompt: &str, effects: &[f64]) -> Vec<String> {
    let pieces = pieces(prompt);
    let mut order: Vec<usize> = (0..pieces.len().min(effects.len())).collect();
    order.sort_by(|one, other| effects[*other].total_cmp(&effects[*one]));
    let of = |n: usize| without(prompt, &order[n..].iter().map(|place| &pieces[*place]).collect::<Vec<_>>());
    sizes(order.len()).into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use inference::task::{Hires, Seed};

    use super::*;

    #[test]
    fn words_are_left_out_with_what_then_holds_nothing() {
        let check = |prompt: &str, expected: &[&str]| {
            let pieces = pieces(prompt);
            let found: Vec<_> = pieces.iter().map(|piece| without(prompt, &[piece])).collect();
            assert_eq!(found, expected, "{prompt}");
        };
        check("a red frog", &["red frog", "a frog", "a red"]);
        check("frog, (snow:1.3), night", &["(snow:1.3), night", "frog, night", "frog, (snow:1.3)"]);
        check("(red frog:1.2) [[ink]]", &["( frog:1.2) [[ink]]", "(red :1.2) [[ink]]", "(red frog:1.2)"]);
        check("<lora:ink:0.8> frog BREAK don't", &["<lora:ink:0.8> BREAK don't", "<lora:ink:0.8> frog BREAK"]);
        check("grün, 8 k — froschkönig", &["8 k — froschkönig", "grün, 8 — froschkönig", "grün, 8 k —"]);
        check("frog", &[""]);
        check(" , () 1.5", &[]);
    }

    #[test]
    fn a_comparison_has_the_whole_prompt_first_and_few_pictures_of_few_steps() {
        let long = (0..100).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        for (prompt, n_images) in [("a red frog", 4), (&*long, 16)] {
            let base = TextToImage { prompt: prompt.into(), n_images: 4, seed: Seed(7), ..TextToImage::default() };
            let found = compared(base).expect("there is something to compare");
            assert_eq!((found.n_images, found.readings.len(), &*found.readings[0]), (n_images, n_images as usize, prompt));
            assert!(found.readings[1..].iter().all(|reading| reading.len() < prompt.len()));
            assert_eq!(found.stop_at, Some(StopAt::Steps(5)));
        }
        let of = |prompt: &str, has_parts| compared(TextToImage { prompt: prompt.into(), has_parts, ..TextToImage::default() });
        assert_eq!(of("hot:: dog::2 cat::-0.5", true).map(|base| (base.prompt, base.has_parts)), Some(("hot, dog".into(), false)));
        assert_eq!((of("frog", false), of("", false)), (None, None));
    }

    #[test]
    fn shorter_prompts_keep_what_does_most() {
        let found = shorter_prompts("a very red frog, sitting", &[0.1, 0.0, 0.3, 0.9, 0.2]);
        assert_eq!(found, ["a red frog, sitting", "red frog, sitting", "red frog", "frog"].map(str::to_owned));
        assert_eq!(shorter_prompts("red frog", &[0.1, 0.2]), ["frog"]);
        let hires = Some(Hires { scale: 2.0, strength: 0.5, steps: None, enlarger: inference::task::Enlarger::Latent });
        let task = TextToImage { prompt: "red frog".into(), n_images: 1, steps: 9, hires, ..TextToImage::default() };
        let compared = compared(task.clone()).expect("two words");
        assert_eq!(shorter(&compared, "red frog".into(), 1), TextToImage { hires: None, ..task });
    }

    proptest::proptest! {
        #[test]
        fn every_prompt_is_taken_apart(prompt in "[a-cA-Z(\\[:,. 1ä<>)\\]]{0,60}") {
            let pieces = pieces(&prompt);
            proptest::prop_assert!(pieces.len() <= MAX_PIECES);
            let effects = vec![1.0; pieces.len()];
            let all = shorter_prompts(&prompt, &effects);
            proptest::prop_assert!(all.len() <= 5 && all.iter().all(|shorter| words(shorter).len() < words(&prompt).len()));
        }
    }
}
