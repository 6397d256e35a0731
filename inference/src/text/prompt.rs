//! What somebody typed, taken apart: weights, breaks and adapters.

use super::{
    brackets::{self, Fragment},
    refusal::PromptError,
    tags::{self, AdapterTag},
};

/// A prompt with its syntax read.
///
/// The syntax is that of the AUTOMATIC1111 web UI (`modules/prompt_parser.py`, `parse_prompt_attention`): `(word:1.3)`; `(word)` is 1.1 and `[word]` 1/1.1,
/// and nesting multiplies; `\(` is a bracket to be drawn, and a backslash before anything else but `( ) [ ] \` is left out; a closing bracket without an
/// opening one is text, an opening one without a closing one reaches to the end; `BREAK` begins a new chunk of tokens. Unlike there, `BREAK` also works
/// inside brackets. `<lora:name:0.8>` and `<lyco:name:0.8>` are taken out first.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pieces: Vec<Piece>,
    adapters: Vec<AdapterTag>,
    problem: Option<PromptError>,
}

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Words of one weight; they are split into tokens together.
    Words {
        /// The words.
        text: String,
        /// Their weight, from `-MAX_WEIGHT` to `MAX_WEIGHT`.
        weight: f64,
    },
    /// The next words begin a new chunk.
    Break,
}

impl Prompt {
    /// Reads a prompt. Every text is a prompt; weights out of range are taken as the nearest in range, and `check` tells.
    pub fn parse(text: &str) -> Self {
        let (text, adapters, problem) = tags::take_out(text);
        let (fragments, weight_problem) = brackets::read(&text);
        Self { pieces: merged(fragments), adapters, problem: problem.or(weight_problem) }
    }

    /// A prompt whose text is drawn as it is, without any syntax.
    pub fn plain(text: &str) -> Self {
        Self { pieces: vec![Piece::Words { text: text.to_owned(), weight: 1.0 }], adapters: Vec::new(), problem: None }
    }

    /// Whether everything in it is in range.
    ///
    /// # Errors
    /// The first value that is not.
    pub fn check(&self) -> Result<(), PromptError> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    /// Its parts, in order; at least one.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The adapters that it names, in order.
    pub fn adapters(&self) -> &[AdapterTag] {
        &self.adapters
    }

    /// The words without any syntax.
    pub fn text(&self) -> String {
        let word = |piece: &Piece| match piece {
            Piece::Words { text, .. } => text.clone(),
            Piece::Break => " ".to_owned(),
        };
        self.pieces.iter().map(word).collect()
    }
}

/// Neighbours of one weight become one piece: "(un)(likely)" is one word.
fn merged(fragments: Vec<(Fragment<'_>, f64)>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (fragment, weight) in fragments {
        match (fragment, pieces.last_mut()) {
            (Fragment::Break, _) => pieces.push(Piece::Break),
            (Fragment::Words(words), Some(Piece::Words { text, weight: last })) if *last == weight => text.push_str(words),
            (Fragment::Words(words), _) => pieces.push(Piece::Words { text: words.to_owned(), weight }),
        }
    }
    if pieces.is_empty() {
        pieces.push(Piece::Words { text: String::new(), weight: 1.0 });
    }
    pieces
}
