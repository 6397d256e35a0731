//! Why a picture that somebody brought is not taken, and what to do.

use crate::{
    intake::NotTaken,
    pictures::{MAX_MEGAPIXELS, MAX_SIDE},
};

/// Why a picture is not taken.
pub(super) fn not_taken(refusal: &NotTaken) -> String {
    match refusal {
        NotTaken::Address(address) => format!(
            "`{}` is not an address that I take pictures from: attach the picture with `image`, or give the link of a message or of a file on Discord.",
            address.replace('`', "'")
        ),
        NotTaken::Several => "I can change one picture at a time: please keep one of them.".to_owned(),
        NotTaken::MaskAlone => "A mask says which part of a picture is drawn anew, and there is no picture: give it with `image`, too.".to_owned(),
        NotTaken::MaskShape { picture, mask } => {
            format!("The picture has {picture} pixels and the mask {mask}: they must have the same shape.")
        }
        NotTaken::Wordless => {
            "None of these pictures says what it was drawn from, and I cannot see what they show: please give words for it with `prompt`.".to_owned()
        }
        NotTaken::ChannelClosed => {
            "I take pictures only from messages of this server, or of this conversation, in channels where you can read what was written before; and \
             those of age-restricted channels only in such channels."
                .to_owned()
        }
        NotTaken::MessageUnseen => {
            "I cannot see that message: it may be deleted, or I may not read that channel. Attach the picture with `image`.".to_owned()
        }
        NotTaken::NoPictureThere => {
            "That message shows me no picture. Discord shows me the files of my own messages, of those that mention me, and of our direct messages: \
             attach the picture with `image`, or use its message's menu under *Apps*."
                .to_owned()
        }
        NotTaken::NoPictureHere => "That message has no picture that I could take: choose one that has.".to_owned(),
        NotTaken::TooLargeToEnlarge { size, most } => {
            format!("The picture has {size} pixels, and what I enlarge may have {most} on a side. Make it smaller first.")
        }
        NotTaken::Unreachable => "I could not fetch the picture from Discord. Please try again in a moment.".to_owned(),
        NotTaken::Gone => "The picture is not there any more: its message may be deleted, or the link too old. Please attach it again.".to_owned(),
        NotTaken::Busy => "Too many pictures are being read at the moment. Please try again in a minute.".to_owned(),
        NotTaken::TooManyBytes { most_mib } => {
            format!("The picture's file is too long for me: {most_mib} MiB are the most. Save it smaller, or as JPEG.")
        }
        NotTaken::TooLarge { width, height } => {
            format!("The picture has {width}×{height} pixels, and {MAX_MEGAPIXELS} megapixels are the most that I read. Make it smaller first.")
        }
        NotTaken::TooLong { width, height } => {
            format!("The picture has {width}×{height} pixels, and {MAX_SIDE} are the most on a side. Cut it first.")
        }
        NotTaken::CutOff => "The picture's file is cut off: its end is missing. Save or send it again.".to_owned(),
        NotTaken::OtherKind => "I cannot read that kind of file as a picture: I read PNG, JPEG, WebP and GIF. Save it as one of these.".to_owned(),
        NotTaken::Damaged => "The picture's file is damaged. Open it in another program and save it again as PNG or JPEG.".to_owned(),
    }
}

/// Names as they are said one after the other.
pub(super) fn and_list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use inference::task::ImageSize;

    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        let size = ImageSize::new(3, 4);
        let all = [
            NotTaken::Address("http://a.example/`x`".into()),
            NotTaken::Several,
            NotTaken::MaskAlone,
            NotTaken::MaskShape { picture: size, mask: size },
            NotTaken::Wordless,
            NotTaken::ChannelClosed,
            NotTaken::MessageUnseen,
            NotTaken::NoPictureThere,
            NotTaken::NoPictureHere,
            NotTaken::TooLargeToEnlarge { size, most: 2048 },
            NotTaken::Unreachable,
            NotTaken::Gone,
            NotTaken::Busy,
            NotTaken::TooManyBytes { most_mib: 32 },
            NotTaken::TooLarge { width: 9000, height: 9000 },
            NotTaken::TooLong { width: 20_000, height: 1 },
            NotTaken::CutOff,
            NotTaken::OtherKind,
            NotTaken::Damaged,
        ];
        let asks = ["choose", "please", "attach", "keep", "give", "must", "Please", "Save", "Make", "Cut", "Open", "only", "Attach"];
        for refusal in all {
            let sentence = not_taken(&refusal);
            assert!(asks.iter().any(|word| sentence.contains(word)) && sentence.ends_with('.') && !sentence.contains("  "), "{sentence}");
        }
        assert_eq!(and_list(&["a".into(), "b".into(), "c".into()]), "`a`, `b` and `c`");
    }
}
