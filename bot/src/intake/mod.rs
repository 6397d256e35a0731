//! Pictures that people bring with a wish: found where they say, fetched, read, and kept before there is a job of them.

mod address;
mod blend;
mod fetch;
mod refusal;
mod wanted;

use std::{iter, sync::Arc, time::Duration};

use image::RgbImage;
use inference::task::{ImageSize, Role};
use serde::{Deserialize, Serialize};
use storage::{BlobKey, BlobStore};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    discord::{Access, BuildError, Caller, ask::AskError},
    pictures::{self, Brought, PictureError},
};

pub use address::{Address, Hosts};
pub use fetch::Fetcher;
pub use refusal::{NotTaken, TakeError};
pub use wanted::{Ready, Wanted};

/// Pictures that are fetched and read at once; each may take a gigabyte while it is unpacked.
const AT_ONCE: usize = 2;
/// A picture that cannot be read by then is not waited for: many others may be before it.
const WAITS: Duration = Duration::from_secs(60);
/// Shapes of picture and mask may differ by so much: sides are whole pixels.
const SAME_SHAPE: f64 = 0.02;

/// The pictures that somebody names, none of them fetched yet. Kept with what they typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Address>,
    /// Which part of it is drawn anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Address>,
    /// Further pictures that are laid over the first, all as strong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Address>,
}

impl Named {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.init.is_none() && self.mask.is_none() && self.others.is_empty()
    }

    /// The channels whose messages it looks into.
    pub fn channels(&self) -> impl Iterator<Item = u64> {
        let all = [&self.init, &self.mask].into_iter().flatten().chain(&self.others);
        all.filter_map(|address| if let Address::Message { channel, .. } = address { Some(*channel) } else { None })
    }
}

/// Pictures that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// What is changed.
    pub init: Option<(BlobKey, ImageSize)>,
    /// Which part of it is drawn anew.
    pub mask: Option<BlobKey>,
    /// What pictures that were laid over each other say they were drawn from, each once.
    pub words: Vec<String>,
}

/// Fetches and keeps pictures.
pub struct Intake {
    /// Where pictures may come from.
    pub hosts: Hosts,
    fetcher: Fetcher,
    caller: Caller,
    blobs: Arc<dyn BlobStore>,
    turns: Semaphore,
}

impl Intake {
    /// An intake from whoever answers for Discord.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(access: &Access, caller: Caller, blobs: Arc<dyn BlobStore>) -> Result<Self, BuildError> {
        let hosts = Hosts::of(&access.endpoint);
        let fetcher = Fetcher::new(&access.endpoint, hosts.clone())?;
        Ok(Self { hosts, fetcher, caller, blobs, turns: Semaphore::new(AT_ONCE) })
    }

    /// Fetches pictures and keeps them. Nothing names them until they have a job, and what nobody names for a day is swept away.
    ///
    /// # Errors
    /// A picture that is not taken, and why.
    pub async fn take(&self, named: &Named) -> Result<Kept, TakeError> {
        if named.init.is_none() && named.mask.is_some() {
            return Err(NotTaken::MaskAlone.into());
        }
        if let (Some(first), [_, ..]) = (&named.init, &named.others[..]) {
            return self.blend(iter::once(first).chain(&named.others)).await;
        }
        let init = self.one(named.init.as_ref(), Role::Init).await?;
        let mask = self.one(named.mask.as_ref(), Role::Mask).await?;
        if let (Some((_, picture)), Some((_, mask))) = (&init, &mask) {
            let shape = |size: &ImageSize| f64::from(size.width) / f64::from(size.height);
            if (shape(picture) / shape(mask)).ln().abs() > SAME_SHAPE {
                return Err(NotTaken::MaskShape { picture: *picture, mask: *mask }.into());
            }
        }
        Ok(Kept { init, mask: mask.map(|(key, _)| key), words: Vec::new() })
    }

    async fn one(&self, address: Option<&Address>, role: Role) -> Result<Option<(BlobKey, ImageSize)>, TakeError> {
        let Some(address) = address else { return Ok(None) };
        let _turn = self.turn().await?;
        let bytes = self.bytes(address).await?;
        let read = tokio::task::spawn_blocking(move || pictures::bring(&bytes, &role)).await;
        let Brought { png, size } =
            read.map_err(|error| TakeError::Internal(error.into()))?.map_err(|error| NotTaken::of_picture(&error))?;
        let key = self.blobs.put(png.into()).await.map_err(|error| TakeError::Internal(error.into()))?;
        Ok(Some((key, size)))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, TakeError> {
        let turn = tokio::time::timeout(WAITS, self.turns.acquire()).await;
        turn.map_err(|_| NotTaken::Busy)?.map_err(|error| TakeError::Internal(error.into()))
    }

    /// The pixels of a picture's file, upright and on white.
    ///
    /// # Errors
    /// It is no picture that is taken, or too many others wait.
    pub async fn pixels(&self, bytes: Vec<u8>) -> Result<RgbImage, TakeError> {
        let _turn = self.turn().await?;
        let read = tokio::task::spawn_blocking(move || {
            let Brought { png, .. } = pictures::bring(&bytes, &Role::Init)?;
            Ok(image::load_from_memory(&png)?.into_rgb8())
        });
        let read: Result<RgbImage, PictureError> = read.await.map_err(|error| TakeError::Internal(error.into()))?;
        Ok(read.map_err(|error| NotTaken::of_picture(&error))?)
    }

    /// A picture's file as it lies there.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn bytes(&self, address: &Address) -> Result<Vec<u8>, TakeError> {
        match address {
            Address::File { url } => Ok(self.fetcher.get(url).await?),
            Address::Message { channel, message } => {
                let url = self.picture_of(*channel, *message).await?;
                Ok(self.fetcher.get(&url).await?)
            }
        }
    }

    /// Where the first picture of a message is.
    async fn picture_of(&self, channel: u64, message: u64) -> Result<String, TakeError> {
        match self.caller.message(channel, message).await {
            Ok(found) => Ok(found.picture().ok_or(NotTaken::NoPictureThere)?.url.clone()),
            Err(AskError::Refused { .. }) => Err(NotTaken::MessageUnseen.into()),
            Err(error) => {
                tracing::debug!(%error, "a message could not be asked for");
                Err(NotTaken::Unreachable.into())
            }
        }
    }
}
