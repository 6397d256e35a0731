//! From an aspect to a size that the model draws well.

use inference::task::ImageSize;

use super::{Aspect, ModelDefaults};

/// The size of an aspect at the model's native area.
///
/// Exact sides are the square roots of area × aspect and area ÷ aspect, shrunk together if one passes the longest side. Of the sizes whose
/// sides are multiples, those are best whose worse side is nearest to exact in proportion; among these, the one of the nearest aspect.
pub fn size_of_aspect(aspect: Aspect, model: &ModelDefaults) -> ImageSize {
    let ModelDefaults { native_size, size_multiple, max_side, .. } = model;
    let multiple = (*size_multiple).max(1);
    let ratio = aspect.ratio();
    let area = f64::from(native_size.width) * f64::from(native_size.height);
    let (width, height) = ((area * ratio).sqrt(), (area / ratio).sqrt());
    let shrink = (f64::from(*max_side) / width.max(height)).min(1.0);
    let widths = candidates(width * shrink, multiple, *max_side);
    let heights = candidates(height * shrink, multiple, *max_side);
    let smallest = |sides: &[(u32, f64)]| sides.iter().map(|side| side.1).fold(f64::INFINITY, f64::min);
    // The slack lets sizes that are equally good in exact arithmetic stay equally good in floating point.
    let worst = smallest(&widths).max(smallest(&heights)) + 1e-9;
    let mut best = (f64::INFINITY, ImageSize::new(multiple, multiple));
    for (width, _) in widths.iter().filter(|side| side.1 <= worst) {
        for (height, _) in heights.iter().filter(|side| side.1 <= worst) {
            let miss = (f64::from(*width) / f64::from(*height) / ratio).ln().abs();
            if miss < best.0 - 1e-9 {
                best = (miss, ImageSize::new(*width, *height));
            }
        }
    }
    best.1
}

/// Allowed sides in descending order with their distance from the exact one in proportion.
fn candidates(exact: f64, multiple: u32, max_side: u32) -> Vec<(u32, f64)> {
    let n = (max_side / multiple).max(1);
    (1..=n).rev().map(|units| units * multiple).map(|side| (side, (f64::from(side) / exact).ln().abs())).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::model, *};

    fn check(native: u32, multiple: u32, cases: &[(u64, u64, u32, u32)]) {
        let model =
            ModelDefaults { native_size: ImageSize::new(native, native), size_multiple: multiple, max_side: native * 4, ..model("a") };
        for &(width, height, expected_width, expected_height) in cases {
            let aspect = Aspect::new(width, height).expect("an aspect within the limit");
            assert_eq!(size_of_aspect(aspect, &model), ImageSize::new(expected_width, expected_height), "{aspect} at {native}");
            let turned = Aspect::new(height, width).expect("an aspect within the limit");
            assert_eq!(size_of_aspect(turned, &model), ImageSize::new(expected_height, expected_width), "{turned} at {native}");
        }
    }

    #[test]
    fn aspects_of_stable_diffusion_keep_its_area() {
        check(
            512,
            64,
            &[
                (1, 1, 512, 512),
                (5, 4, 576, 448),
                (4, 3, 576, 448),
                (3, 2, 640, 448),
                (16, 9, 704, 384),
                (2, 1, 768, 384),
                (21, 9, 768, 320),
                (14, 1, 1792, 128),
            ],
        );
    }

    #[test]
    fn aspects_of_the_starter_model_keep_its_area() {
        check(
            64,
            16,
            &[(1, 1, 64, 64), (4, 3, 64, 48), (3, 2, 80, 48), (16, 9, 80, 48), (2, 1, 96, 48), (7, 1, 224, 32), (14, 1, 224, 16)],
        );
    }

    #[test]
    fn the_longest_side_shrinks_the_other_too() {
        let model = ModelDefaults { max_side: 1024, ..model("a") };
        let aspect = Aspect::new(14, 1).expect("an aspect within the limit");
        assert_eq!(size_of_aspect(aspect, &model), ImageSize::new(896, 64));
    }
}
