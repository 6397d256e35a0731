//! What a task is made from besides its words: pictures, each with the part that it plays.

use std::{fmt, str::FromStr};

use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};

use super::{Task, TaskKind};

/// A picture that a task is made from. The engine gets its pixels with the submission.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Input {
    /// The part that it plays.
    pub role: Role,
    /// The caller's name for it: where it is kept, or a hash. Empty where only its role is known.
    pub blob: String,
}

/// The part that an input plays. Stored as a word, such as `init` or `control:canny`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Role {
    /// The picture that is changed or enlarged.
    Init,
    /// Which part of it is drawn anew: white (128 and above); black stays.
    Mask,
    /// What a control network of this kind follows.
    Control(String),
    /// What the picture should be like, in this respect.
    Reference(String),
    /// A picture that the prompt speaks of.
    Edit,
    /// A picture that a film passes through.
    Frame,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("init"),
            Self::Mask => f.write_str("mask"),
            Self::Control(kind) => write!(f, "control:{kind}"),
            Self::Reference(kind) => write!(f, "reference:{kind}"),
            Self::Edit => f.write_str("edit"),
            Self::Frame => f.write_str("frame"),
        }
    }
}

/// No role goes by the word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role of a picture")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        match (word, word.split_once(':')) {
            ("init", _) => Ok(Self::Init),
            ("mask", _) => Ok(Self::Mask),
            ("edit", _) => Ok(Self::Edit),
            ("frame", _) => Ok(Self::Frame),
            (_, Some(("control", kind))) => Ok(Self::Control(kind.to_owned())),
            (_, Some(("reference", kind))) => Ok(Self::Reference(kind.to_owned())),
            _ => Err(UnknownRole(word.to_owned())),
        }
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.to_string()
    }
}

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(word: String) -> Result<Self, UnknownRole> {
        word.parse()
    }
}

impl TaskKind {
    /// The roles of the pictures that a task of this kind is made from: one of each.
    pub fn roles(&self) -> &'static [Role] {
        match self {
            Self::TextToImage(_) => &[],
            Self::ImageToImage(_) | Self::Upscale(_) => &[Role::Init],
            Self::Inpaint(_) => &[Role::Init, Role::Mask],
        }
    }
}

impl Task {
    /// The caller's name for the picture of a role.
    pub fn input(&self, role: &Role) -> Option<&str> {
        self.inputs.iter().find(|input| input.role == *role).map(|input| input.blob.as_str())
    }
}

/// An input's pixels.
#[derive(Clone, Debug)]
pub enum Pixels {
    /// A picture.
    Colour(RgbImage),
    /// A mask.
    Gray(GrayImage),
}

impl Pixels {
    /// Row by row, one or three bytes a pixel.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Colour(picture) => picture.as_raw(),
            Self::Gray(mask) => mask.as_raw(),
        }
    }
}

impl From<RgbImage> for Pixels {
    fn from(picture: RgbImage) -> Self {
        Self::Colour(picture)
    }
}

impl From<GrayImage> for Pixels {
    fn from(mask: GrayImage) -> Self {
        Self::Gray(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Role; 6] {
        [Role::Init, Role::Mask, Role::Control("canny".into()), Role::Reference("a:b".into()), Role::Edit, Role::Frame]
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in all() {
            assert_eq!(role.to_string().parse(), Ok(role.clone()));
            let stored = serde_json::to_string(&role).expect("JSON");
            assert_eq!((serde_json::from_str::<Role>(&stored).expect("a role"), stored), (role.clone(), format!("\"{role}\"")));
        }
        for word in ["", "Init", "init:", "control", "mask:x", ":canny"] {
            assert_eq!(word.parse::<Role>(), Err(UnknownRole(word.to_owned())));
        }
    }
}
