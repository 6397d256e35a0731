//! Where the words of a prompt stand among the tokens that a network looks at.

use super::{
    learned_words::{LearnedWords, Unit},
    prompt::{Piece, Prompt},
    tokenize::Tokenizer,
};
use crate::error::InferenceError;

/// A word of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordPlace {
    /// The word, without signs around it.
    pub word: String,
    /// Its tokens' places in the prompt's embedding.
    pub tokens: Vec<usize>,
}

/// The words of a prompt in order, as its chunks have them. Learned words are none: they stand for no letters; nor is what is only signs.
pub fn word_places(tokenizer: &Tokenizer, learned: &LearnedWords, prompt: &Prompt) -> Result<Vec<WordPlace>, InferenceError> {
    let mut next = Next { n_kept: tokenizer.n_kept(), chunk: 0, at: 0 };
    let mut places = Vec::new();
    for piece in prompt.pieces() {
        let Piece::Words { text, .. } = piece else {
            next.begin_chunk();
            continue;
        };
        for unit in learned.split(text) {
            match unit {
                Unit::Vectors(vectors) => next.skip_together(vectors.dim(0)?),
                Unit::Text(text) => {
                    let count = |word| Ok((word, tokenizer.n_tokens(word)?));
                    let words = text.split_whitespace().map(count).collect::<Result<Vec<(&str, usize)>, InferenceError>>()?;
                    let n_tokens = tokenizer.n_tokens(text)?;
                    // A tokenizer that joins words leaves none of them alone.
                    if words.iter().map(|(_, n)| n).sum::<usize>() != n_tokens {
                        (0..n_tokens).for_each(|_| {
                            next.take();
                        });
                        continue;
                    }
                    for (word, n) in words {
                        let tokens: Vec<usize> = (0..n).map(|_| next.take()).collect();
                        let word = word.trim_matches(|character: char| !character.is_alphanumeric());
                        if !word.is_empty() && !tokens.is_empty() {
                            places.push(WordPlace { word: word.to_owned(), tokens });
                        }
                    }
                }
            }
        }
    }
    Ok(places)
}

/// The place of the next token.
struct Next {
    n_kept: usize,
    chunk: usize,
    at: usize,
}

impl Next {
    fn begin_chunk(&mut self) {
        (self.chunk, self.at) = (self.chunk + 1, 0);
    }

    fn take(&mut self) -> usize {
        if self.at == self.n_kept {
            self.begin_chunk();
        }
        self.at += 1;
        // Each chunk has a start before its tokens and an end after them.
        self.chunk * (self.n_kept + 2) + self.at
    }

    fn skip_together(&mut self, n: usize) {
        if self.at + n > self.n_kept {
            self.begin_chunk();
        }
        self.at += n;
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::{checkpoint::TokenizerSource, text::chunks::chunks};

    #[test]
    fn each_word_has_the_tokens_that_stand_at_its_places() {
        let tokenizer = Tokenizer::of(&TokenizerSource::Clip { pad: "<|endoftext|>".into() }, 77).expect("the built-in vocabulary");
        let mut learned = LearnedWords::default();
        learned.add("oldstyle", &Tensor::zeros((5, 8), DType::F32, &Device::Cpu).expect("vectors"));
        let check = |text: &str, expected: &[&str]| {
            let prompt = Prompt::parse(text);
            let ids: Vec<u32> = chunks(&tokenizer, &learned, &prompt).expect("chunks").into_iter().flat_map(|chunk| chunk.ids).collect();
            let places = word_places(&tokenizer, &learned, &prompt).expect("places");
            assert_eq!(places.iter().map(|place| place.word.as_str()).collect::<Vec<_>>(), expected, "{text}");
            for WordPlace { word, tokens } in &places {
                let found: Vec<u32> = tokens.iter().map(|place| ids[*place]).collect();
                let wanted = tokenizer.tokens(word).expect("tokens");
                // A sign after a word belongs to its tokens and not to its name.
                assert!(found.windows(wanted.len()).any(|some| some == wanted), "{word} of {text}: {found:?}, not {wanted:?}");
            }
        };
        check("a red frog", &["a", "red", "frog"]);
        check("  A   (Red:1.4) frog, on [a  lily-pad]!", &["A", "Red", "frog", "on", "a", "lily-pad"]);
        check("an antidisestablishmentarianism BREAK ) frog -- ~", &["an", "antidisestablishmentarianism", "frog"]);
        check("an oldstyle frog", &["an", "frog"]);
        check("ein Frosch für 3 €, 蛙", &["ein", "Frosch", "für", "3", "蛙"]);
        check("", &[]);
        let long: Vec<String> = (0..200).map(|n| format!("{}{n}", ["frog", "kaleidoscope", "red"][n % 3])).collect();
        check(&long.join(" "), &long.iter().map(String::as_str).collect::<Vec<_>>());
        let learned_late = format!("{} oldstyle frog", long[..30].join(" "));
        let mut expected: Vec<&str> = long[..30].iter().map(String::as_str).collect();
        expected.push("frog");
        check(&learned_late, &expected);
    }
}
