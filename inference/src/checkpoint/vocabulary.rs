//! CLIP's vocabulary, which is built in for files that hold no tokenizer. `inference/data/README.md` tells where it is from.

use std::{collections::HashMap, io::Read};

use flate2::read::GzDecoder;

static MERGES: &[u8] = include_bytes!("../../data/clip_merges.txt.gz");

/// Token ids by token, and the pairs that are joined, in their order.
pub(crate) type Vocabulary = (HashMap<String, u32>, Vec<(String, String)>);

/// CLIP's tokens: every byte, every byte at a word's end, every pair that is joined, start and end.
pub(crate) fn clip() -> std::io::Result<Vocabulary> {
    let mut text = String::new();
    GzDecoder::new(MERGES).read_to_string(&mut text)?;
    let merges: Vec<(String, String)> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let bytes = byte_letters();
    let letters = bytes.iter().map(char::to_string);
    let last_letters = bytes.iter().map(|letter| format!("{letter}</w>"));
    let pairs = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let ends = ["<|startoftext|>", "<|endoftext|>"].map(str::to_owned);
    let tokens = letters.chain(last_letters).chain(pairs).chain(ends).zip(0..).collect();
    Ok((tokens, merges))
}

/// A letter for each byte, as GPT-2 has them: printable ones stand for themselves and come first.
fn byte_letters() -> Vec<char> {
    let is_printable = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..256).filter(|byte| !is_printable(byte)).count() as u32;
    (0..256_u32).filter(is_printable).chain(256..256 + others).filter_map(char::from_u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids as in openai/clip-vit-large-patch14's vocab.json.
    #[test]
    fn tokens_have_the_published_ids() {
        let (tokens, merges) = clip().expect("built in");
        assert_eq!((tokens.len(), merges.len()), (49_408, 48_894));
        for (token, id) in [
            ("!", 0),
            ("~", 93),
            ("!</w>", 256),
            ("in", 512),
            ("a</w>", 320),
            ("cat</w>", 2368),
            ("photo</w>", 1125),
            ("<|startoftext|>", 49_406),
            ("<|endoftext|>", 49_407),
        ] {
            assert_eq!(tokens.get(token), Some(&id), "{token}");
        }
    }
}
