//! Prompts for a picture of which nobody knows how it was made: a CLIP of both kinds looks at it, and says which words of lists fit it best.

mod lists;

use std::path::Path;

use anyhow::Context;
use image::RgbImage;
use inference::{
    InferenceError,
    clip::{ClipFiles, Looker, Meaning},
};
use tokio::sync::OnceCell;

use crate::config::DescribeConfig;
use lists::Lists;

/// Largest file of lists, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Guesses prompts. What the words mean is found out at the first picture and kept.
pub struct Guesser {
    looker: Looker,
    lists: Lists,
    meanings: OnceCell<Vec<Meaning>>,
}

impl Guesser {
    /// The one of the configuration; `None` where there is none. Blocks while it looks at files.
    ///
    /// # Errors
    /// One sentence: what is wrong with the network or the lists.
    pub fn start(config: &DescribeConfig) -> anyhow::Result<Option<Self>> {
        if config.clip.as_os_str().is_empty() {
            return Ok(None);
        }
        let lists = lists(&config.words)?;
        let looker = Looker::start(&config.clip).context("`describe.clip`")?;
        Ok(Some(Self { looker, lists, meanings: OnceCell::new() }))
    }

    /// Four prompts, those that fit best first.
    ///
    /// # Errors
    /// The network cannot be loaded, fails, or has too much to do.
    pub async fn prompts(&self, picture: RgbImage) -> Result<[String; 4], InferenceError> {
        let meanings = self.meanings.get_or_try_init(|| self.looker.words(self.lists.sentences())).await?;
        let seen = self.looker.picture(picture).await?;
        let fits: Vec<f32> = meanings.iter().map(|words| seen.likeness(words)).collect();
        Ok(self.lists.prompts(&fits))
    }
}

/// Whether [`Guesser::start`] takes what the configuration says, and with how many words; `None` where it says nothing. Blocks.
///
/// # Errors
/// As for [`Guesser::start`].
pub fn check(config: &DescribeConfig) -> anyhow::Result<Option<usize>> {
    if config.clip.as_os_str().is_empty() {
        return Ok(None);
    }
    ClipFiles::open(&config.clip).context("`describe.clip`")?;
    Ok(Some(lists(&config.words)?.n()))
}

fn lists(path: &Path) -> anyhow::Result<Lists> {
    if path.as_os_str().is_empty() {
        return Lists::ours();
    }
    let read = || {
        anyhow::ensure!(std::fs::metadata(path)?.len() <= MAX_BYTES, "it has more than {MAX_BYTES} bytes");
        Lists::parse(&std::fs::read_to_string(path)?)
    };
    read().with_context(|| format!("`describe.words`: {}", path.display()))
}
