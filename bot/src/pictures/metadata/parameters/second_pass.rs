//! The fields of a second pass ("hires fix") as A1111 has written them over the years.

use inference::task::{Enlarger, Hires, ImageSize};

use super::recipe::{Recipe, number, size};
use crate::prompt::{HIRES_STRENGTH, MAX_HIRES};

/// What A1111 once took for the first pass's area and for its sides' multiple (`modules/processing.py`,
/// `old_hires_fix_first_pass_dimensions`).
const OLD_FIRST_PASS: (f64, f64) = (512.0 * 512.0, 64.0);

/// Why a size is no enlargement.
const ALIKE: &str = "a second pass enlarges both sides alike, up to 4 times";

/// The fields of a second pass as they come.
#[derive(Default)]
pub(super) struct SecondPass {
    scale: Option<f64>,
    steps: Option<u32>,
    enlarger: Enlarger,
    /// `Hires resize`: the size of the second pass; a side of 0 follows from the other.
    target: Option<ImageSize>,
    /// `First pass size`: `Size` is the second pass's; a side of 0 follows from it.
    first: Option<ImageSize>,
    /// Whether there was one, understood or not, so that a strength is its own.
    is_told: bool,
    /// Whether a field of it was not understood, and so is noted.
    is_noted: bool,
}

impl SecondPass {
    /// Takes a field over; `false` if its meaning is not ours.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        let is_understood = match name {
            "Hires upscale" => {
                self.scale = number(value).filter(|scale| *scale > 1.0 && *scale <= MAX_HIRES);
                self.scale.is_some()
            }
            "Hires resize" => {
                self.target = size(value);
                self.target.is_some()
            }
            "First pass size" => {
                self.first = size(value);
                self.first.is_some()
            }
            "Hires steps" => {
                self.steps = value.parse().ok().filter(|steps| *steps > 0);
                self.steps.is_some() || value == "0"
            }
            "Hires upscaler" => {
                let is_network = !value.starts_with("Latent");
                self.enlarger = if is_network { Enlarger::Network } else { Enlarger::Latent };
                matches!(value, "Latent" | "Network")
            }
            _ => return false,
        };
        self.is_told = true;
        self.is_noted |= !is_understood;
        is_understood
    }

    /// Gives the recipe its second pass, or a note why it has none.
    pub(super) fn finish(self, recipe: &mut Recipe) {
        if !self.is_told {
            return;
        }
        let strength = recipe.strength.take().unwrap_or(HIRES_STRENGTH);
        let scale = match (self.first, self.target) {
            (Some(first), _) => old_scale(first, recipe),
            (None, Some(target)) => scale_to(target, recipe),
            (None, None) => self.scale,
        };
        if scale.is_none() && !self.is_noted && self.first.is_none() && self.target.is_none() {
            recipe.note("Hires upscale", "not told, so there is no second pass");
        }
        let hires = |scale| Hires { scale, strength, steps: self.steps, enlarger: self.enlarger };
        recipe.base.hires = scale.map(hires);
    }
}

/// The factor to `Hires resize`.
fn scale_to(target: ImageSize, recipe: &mut Recipe) -> Option<f64> {
    let scale = recipe.said.size.map(|first| scale_of(first, target));
    match scale {
        None => recipe.note("Hires resize", &format!("{target} (the first pass's size is not told)")),
        Some(None) => recipe.note("Hires resize", &format!("{target} ({ALIKE})")),
        Some(Some(_)) => {}
    }
    scale.flatten()
}

/// The factor in the old layout, where `Size` is the second pass's; it becomes the first's.
fn old_scale(first: ImageSize, recipe: &mut Recipe) -> Option<f64> {
    let Some(target) = recipe.said.size else {
        recipe.note("First pass size", &format!("{first} (the picture's size is not told)"));
        return None;
    };
    let first = if first.width == 0 || first.height == 0 { old_first_pass(target) } else { first };
    recipe.said.size = Some(first);
    let scale = scale_of(first, target);
    if scale.is_none() && first != target {
        recipe.note("First pass size", &format!("{first} ({ALIKE})"));
    }
    scale
}

/// The factor from one size to another if it is the same for both sides.
fn scale_of(first: ImageSize, target: ImageSize) -> Option<f64> {
    let side = |to: u32, from: u32| (to > 0 && from > 0).then(|| f64::from(to) / f64::from(from));
    let scale = match (side(target.width, first.width), side(target.height, first.height)) {
        (Some(wide), Some(high)) if wide == high => wide,
        (Some(scale), None) if target.height == 0 => scale,
        (None, Some(scale)) if target.width == 0 => scale,
        _ => return None,
    };
    Some(scale).filter(|scale| *scale > 1.0 && *scale <= MAX_HIRES)
}

fn old_first_pass(target: ImageSize) -> ImageSize {
    let (area, multiple) = OLD_FIRST_PASS;
    let scale = (area / (target.megapixels() * 1e6).max(1.0)).sqrt();
    let side = |side: u32| ((f64::from(side) * scale / multiple).ceil() * multiple) as u32;
    ImageSize::new(side(target.width), side(target.height))
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};

    #[track_caller]
    fn check(fields: &str, size: (u32, u32), scale: Option<f64>, notes: &[&str]) {
        let recipe = read(&format!("a\nSteps: 3, Denoising strength: 0.4, {fields}")).expect("a text");
        let expected = scale.map(|scale| Hires { scale, strength: 0.4, steps: None, enlarger: Enlarger::Latent });
        assert_eq!((recipe.base.hires, recipe.strength), (expected, None), "{fields}");
        assert_eq!(recipe.said.size, Some(ImageSize::new(size.0, size.1)).filter(|size| size.width > 0), "{fields}");
        let starts = |(note, start): (&String, &&str)| note.starts_with(start);
        assert!(recipe.notes.len() == notes.len() && recipe.notes.iter().zip(notes).all(starts), "{fields}: {:?}", recipe.notes);
    }

    #[test]
    fn a_second_pass_is_read_in_every_layout_and_is_no_source_picture() {
        check("Size: 64x48, Hires upscale: 2", (64, 48), Some(2.0), &[]);
        check("Size: 64x64, Hires resize: 128x128", (64, 64), Some(2.0), &[]);
        check("Hires resize: 96x72, Size: 64x48", (64, 48), Some(1.5), &[]);
        check("Size: 64x48, Hires resize: 128x0", (64, 48), Some(2.0), &[]);
        check("Size: 64x48, Hires resize: 0x96", (64, 48), Some(2.0), &[]);
        check("Size: 64x48, Hires resize: 128x128", (64, 48), None, &["Hires resize: 128×128 (a second"]);
        check("Size: 64x48, Hires resize: 0x0", (64, 48), None, &["Hires resize: 0×0 (a second"]);
        check("Size: 64x64, Hires resize: 640x640", (64, 64), None, &["Hires resize: 640×640 (a second"]);
        check("Hires resize: 128x128", (0, 0), None, &["Hires resize: 128×128 (the first"]);
        check("Size: 1024x1024, First pass size: 0x0", (512, 512), Some(2.0), &[]);
        check("Size: 1024x768, First pass size: 512x384", (512, 384), Some(2.0), &[]);
        check("Size: 1024x768, First pass size: 512x512", (512, 512), None, &["First pass size: 512×512 (a second"]);
        check("Size: 512x512, First pass size: 0x0", (512, 512), None, &[]);
        check("First pass size: 0x0", (0, 0), None, &["First pass size: 0×0 (the picture's"]);
        check("Size: 64x64, Hires upscale: 9", (64, 64), None, &["Hires upscale: 9"]);
        check("Size: 64x64, Hires upscaler: Latent", (64, 64), None, &["Hires upscale: not told"]);
        check("Size: 64x64, Hires resize: wide", (64, 64), None, &["Hires resize: wide"]);
    }
}
