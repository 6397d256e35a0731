//! What the words of a prompt do, measured in pictures that were drawn without them.

use image::RgbImage;
use inference::task::TextToImage;
use storage::Job;

use super::render::Renderer;

impl Renderer {
    /// How far each picture of a comparison is from its first: the effects of the prompt's pieces, as shares of their sum. `None` where a picture is lost.
    ///
    /// # Errors
    /// A picture cannot be read.
    pub async fn effects(&self, job: &Job, base: &TextToImage) -> anyhow::Result<Option<Vec<f64>>> {
        let (found, _) = self.found(self.jobs.images(job.id).await?).await?;
        let mut pictures: Vec<_> = found.into_iter().map(|(image, picture)| (image.index, picture)).collect();
        pictures.sort_by_key(|(index, _)| *index);
        if pictures.len() != base.readings.len() {
            return Ok(None);
        }
        Ok(Some(tokio::task::spawn_blocking(move || shares(pictures.iter().map(|(_, picture)| picture))).await?))
    }
}

/// Each one's distance from the first, as a share of all; alike where nothing differs.
fn shares<'a>(mut pictures: impl Iterator<Item = &'a RgbImage>) -> Vec<f64> {
    let Some(first) = pictures.next() else { return Vec::new() };
    let far: Vec<f64> = pictures.map(|picture| distance(first, picture)).collect();
    let (sum, n) = (far.iter().sum::<f64>(), far.len() as f64);
    far.into_iter().map(|far| if sum > 0.0 { far / sum } else { 1.0 / n }).collect()
}

/// Root mean square of the differences, in shades of 256.
fn distance(one: &RgbImage, other: &RgbImage) -> f64 {
    let squares = one.iter().zip(other.iter()).map(|(one, other)| f64::from(one.abs_diff(*other)).powi(2));
    (squares.sum::<f64>() / one.as_raw().len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn effects_are_shares_of_all_that_differs() {
        let check = |shades: &[u8], expected: &[f64]| {
            let pictures: Vec<_> = shades.iter().map(|shade| RgbImage::from_pixel(2, 2, Rgb([*shade; 3]))).collect();
            assert_eq!(shares(pictures.iter()), expected, "{shades:?}");
        };
        check(&[100, 110, 70], &[0.25, 0.75]);
        check(&[100, 100, 103], &[0.0, 1.0]);
        check(&[100, 100, 100], &[0.5, 0.5]);
        check(&[100], &[]);
    }
}
