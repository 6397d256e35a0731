//! The message of a job that explains a picture.

use image::RgbImage;
use inference::task::TextToImage;
use storage::Job;

use super::{
    heat::{chosen, words},
    kept,
    strip::strip,
    ways::{self, ways},
};
use crate::{
    answer::{Answer, File},
    messages::{self, Explanation, Heading},
    pictures::{grid, render::Renderer},
};

impl Renderer {
    /// The message of a study that is done, and the numbers of pictures that are lost and therefore missing there.
    ///
    /// # Errors
    /// A picture cannot be read; lost ones are an error where no other is left.
    pub async fn explanation(&self, job: &Job, study: &TextToImage, heading: &Heading) -> anyhow::Result<(Answer, Vec<u32>)> {
        let (found, lost) = self.found(self.jobs.images(job.id).await?).await?;
        let first = found.first().filter(|(image, _)| image.index == 0).map(|(image, _)| image.blob.clone());
        let file = match first {
            Some(blob) => Some(self.blobs.get(&blob).await?),
            None => None,
        };
        let (mut guided, mut picture) = (Vec::new(), None);
        for (image, drawn) in found {
            let Some(way) = study.study.get(image.index as usize).copied() else { continue };
            let shown = self.shown.picture(image.blob.to_string(), drawn, ways::CELL).await?;
            picture = picture.or_else(|| (image.index == 0).then(|| shown.clone()));
            guided.push((way, shown));
        }
        let compose = move || {
            let explained = file.and_then(|file| kept::read(&file));
            let mut files = Vec::new();
            let mut add = |name: &str, picture: &RgbImage, description: &str| {
                let bytes = grid::preview_bytes(picture);
                files.push(File { name: name.to_owned(), bytes, description: description.to_owned() });
            };
            let mut told_words = None;
            if let (Some(explained), Some(picture)) = (&explained, &picture) {
                add("steps.jpg", &strip(explained, picture), "The steps from noise to the picture, with the noise below each");
                let all: Vec<String> = explained.words.iter().map(|map| map.word.clone()).collect();
                let shown = chosen(&all);
                if !shown.is_empty() {
                    let heats: Vec<_> = shown.iter().map(|place| &explained.words[*place]).map(|map| (&*map.word, &map.heat)).collect();
                    add("words.jpg", &words(&heats, picture), "The picture, and for each word of the prompt where it was looked at");
                    told_words = Some((shown.iter().map(|place| all[*place].clone()).collect(), all.len() - shown.len()));
                }
            }
            if guided.len() > 1 {
                add("guidance.jpg", &ways(&guided), "The same noise with other guidance");
            }
            if let (1, Some(picture)) = (guided.len(), &picture)
                && explained.is_none()
            {
                add("picture.jpg", picture, "The picture");
            }
            let noise = explained.map(|explained| (explained.sigmas.first().copied().unwrap_or_default(), explained.sigmas.len()));
            (files, noise, told_words)
        };
        let (files, noise, told_words) = tokio::task::spawn_blocking(compose).await?;
        let factor = self.models.offered().catalogue.model(study.model.as_deref()).map(|card| card.size_multiple);
        let told = Explanation { noise, words: told_words, ways: &study.study, picture: job.parent.map(|(_, index)| index), factor };
        let mut answer = messages::explained(heading, job.id, &told, files);
        messages::tell_lost(&mut answer, &lost);
        Ok((answer, lost))
    }
}
