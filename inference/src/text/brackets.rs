//! Brackets, weights and breaks in linear time and without recursion.

use super::refusal::{MAX_WEIGHT, PromptError};

const ROUND: f64 = 1.1;
const SQUARE: f64 = 1.0 / 1.1;
/// Keeps products of many brackets finite, so that none becomes not-a-number.
const MAX_PRODUCT: f64 = 1e30;
const BREAK: &str = "BREAK";

/// A stretch of text without syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// Words.
    Words(&'a str),
    /// The word `BREAK`.
    Break,
}

/// The fragments of a text with their weights, and the first weight that is out of range.
pub fn read(text: &str) -> (Vec<(Fragment<'_>, f64)>, Option<PromptError>) {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => reader.escape(&rest[1..]),
            ':' => reader.colon(rest),
            '(' | '[' | ')' | ']' => {
                reader.bracket(first, &rest[..1]);
                &rest[1..]
            }
            _ => {
                let (run, rest) = rest.split_at(rest.find(['\\', '(', ')', '[', ']', ':']).unwrap_or(rest.len()));
                reader.run(run);
                rest
            }
        };
    }
    let Reader { fragments, mut round, mut square, problem } = reader;
    let weighted = fragments.into_iter().enumerate().map(|(place, fragment)| {
        let weight = round.product_at(place) * square.product_at(place);
        (fragment, weight.clamp(-MAX_WEIGHT, MAX_WEIGHT))
    });
    (weighted.collect(), problem)
}

#[derive(Default)]
struct Reader<'a> {
    fragments: Vec<Fragment<'a>>,
    round: Brackets,
    square: Brackets,
    problem: Option<PromptError>,
}

impl<'a> Reader<'a> {
    fn words(&mut self, words: &'a str) {
        self.fragments.push(Fragment::Words(words));
    }

    /// What follows a backslash: the character that it protects, if it is one of the syntax.
    fn escape(&mut self, rest: &'a str) -> &'a str {
        let n = usize::from(rest.starts_with(['(', ')', '[', ']', '\\']));
        self.words(&rest[..n]);
        &rest[n..]
    }

    /// `:1.3)` closes a bracket with a weight; any other colon is text.
    fn colon(&mut self, text: &'a str) -> &'a str {
        if let Some((weight, rest)) = closing_weight(&text[1..])
            && self.round.close(self.fragments.len(), weight.clamp(-MAX_WEIGHT, MAX_WEIGHT))
        {
            if weight.abs() > MAX_WEIGHT {
                self.problem.get_or_insert(PromptError::Weight(weight));
            }
            return rest;
        }
        self.words(&text[..1]);
        &text[1..]
    }

    fn bracket(&mut self, bracket: char, text: &'a str) {
        let place = self.fragments.len();
        let is_syntax = match bracket {
            '(' => self.round.open(place, ROUND),
            '[' => self.square.open(place, SQUARE),
            ')' => self.round.close(place, ROUND),
            _ => self.square.close(place, SQUARE),
        };
        if !is_syntax {
            self.words(text);
        }
    }

    fn run(&mut self, run: &'a str) {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let mut done = 0;
        for (start, _) in run.match_indices(BREAK) {
            let end = start + BREAK.len();
            if run[..start].ends_with(is_word) || run[end..].starts_with(is_word) {
                continue;
            }
            let before = if done == 0 { &run[..start] } else { run[done..start].trim_start() };
            self.words(before.trim_end());
            self.fragments.push(Fragment::Break);
            done = end;
        }
        self.words(if done == 0 { run } else { run[done..].trim_start() });
    }
}

/// The number of `1.3)` and what follows. A number is made of digits and dots, with a sign or without.
fn closing_weight(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start();
    let is_number = |character: char| character.is_ascii_digit() || character == '.';
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text).trim_start_matches(is_number);
    let (number, rest) = text.split_at(text.len() - digits.len());
    Some((number.parse().ok()?, rest.trim_start().strip_prefix(')')?))
}

/// Pairs of one kind of bracket: each holds the fragments from `first` to before `end`.
#[derive(Default)]
struct Brackets {
    pairs: Vec<Pair>,
    unclosed: Vec<usize>,
    n_entered: usize,
    entered: Vec<(usize, f64)>,
}

struct Pair {
    first: usize,
    end: usize,
    weight: f64,
}

impl Brackets {
    fn open(&mut self, first: usize, weight: f64) -> bool {
        self.unclosed.push(self.pairs.len());
        self.pairs.push(Pair { first, end: usize::MAX, weight });
        true
    }

    /// Closes the innermost bracket, if one is open.
    fn close(&mut self, end: usize, weight: f64) -> bool {
        let Some(pair) = self.unclosed.pop() else { return false };
        self.pairs[pair] = Pair { end, weight, ..self.pairs[pair] };
        true
    }

    /// The product of the weights round fragment `place`; places are asked for in order. Brackets of one kind nest, so a stack of products will do.
    fn product_at(&mut self, place: usize) -> f64 {
        while self.entered.last().is_some_and(|(end, _)| *end <= place) {
            self.entered.pop();
        }
        while let Some(pair) = self.pairs.get(self.n_entered).filter(|pair| pair.first <= place) {
            self.n_entered += 1;
            if pair.end > place {
                let outer = self.entered.last().map_or(1.0, |(_, product)| *product);
                self.entered.push((pair.end, (outer * pair.weight).clamp(-MAX_PRODUCT, MAX_PRODUCT)));
            }
        }
        self.entered.last().map_or(1.0, |(_, product)| *product)
    }
}
