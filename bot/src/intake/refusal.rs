//! Why a picture is not taken.

use image::ImageError;
use inference::task::ImageSize;

use crate::{pictures::PictureError, prompt::PromptError};

/// Why a picture is not taken. The sentences are in `messages/brought.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Its address is neither one of Discord's files nor one of a message.
    Address(String),
    /// More than one picture to change.
    Several,
    /// A mask and nothing that it would be laid on.
    MaskAlone,
    /// Picture and mask have different shapes.
    MaskShape {
        /// The picture's size.
        picture: ImageSize,
        /// The mask's.
        mask: ImageSize,
    },
    /// None of the pictures says what it was drawn from, and nobody else did.
    Wordless,
    /// The message is in a channel that the person may not look back into from here.
    ChannelClosed,
    /// Discord does not show the message to the bot.
    MessageUnseen,
    /// The message shows the bot no picture.
    NoPictureThere,
    /// The message that was chosen has no picture.
    NoPictureHere,
    /// The picture is larger than what is enlarged.
    TooLargeToEnlarge {
        /// Its size.
        size: ImageSize,
        /// Longest side in pixels.
        most: u32,
    },
    /// Discord does not answer in time.
    Unreachable,
    /// The file is not there any more.
    Gone,
    /// Too many others wait.
    Busy,
    /// The file has more bytes than are taken.
    TooManyBytes {
        /// The most, in MiB.
        most_mib: u64,
    },
    /// The picture has more pixels than are read.
    TooLarge {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// One of its sides is longer than any that is read.
    TooLong {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The end of its file is missing.
    CutOff,
    /// It is of no kind that is read.
    OtherKind,
    /// It is damaged.
    Damaged,
}

impl NotTaken {
    /// Why a file is no picture.
    pub fn of_picture(error: &PictureError) -> Self {
        match error {
            PictureError::TooManyBytes { most, .. } => Self::TooManyBytes { most_mib: most >> 20 },
            PictureError::TooLarge { width, height } => Self::TooLarge { width: *width, height: *height },
            PictureError::TooLong { width, height } => Self::TooLong { width: *width, height: *height },
            PictureError::CutOff => Self::CutOff,
            PictureError::Unreadable(ImageError::Unsupported(_)) => Self::OtherKind,
            PictureError::Animated | PictureError::Damaged | PictureError::Unreadable(_) => Self::Damaged,
        }
    }
}

/// Why a wish with pictures is no task yet.
#[derive(Debug)]
pub enum TakeError {
    /// What was typed is wrong.
    Prompt(PromptError),
    /// A picture is not taken.
    Picture(NotTaken),
    /// Our own fault.
    Internal(anyhow::Error),
}

impl From<NotTaken> for TakeError {
    fn from(refusal: NotTaken) -> Self {
        Self::Picture(refusal)
    }
}

impl From<PromptError> for TakeError {
    fn from(error: PromptError) -> Self {
        Self::Prompt(error)
    }
}
