//! CLIP's tokenizer: byte-level byte-pair encoding of lower-case text.

use std::path::Path;

use serde_json::Value;
use tokenizers::{
    AddedToken, NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior,
    models::bpe::{BPE, BpeBuilder, Vocab},
    normalizers::{Lowercase, NFC, Replace, Sequence, replace::ReplacePattern},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence as PreSequence,
        split::{Split, SplitPattern},
    },
};

use crate::{
    checkpoint::{TokenizerSource, hf_folder::read_json, regular, vocabulary},
    error::InferenceError,
};

const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Turns prompts into token ids.
pub struct Tokenizer {
    tokenizer: tokenizers::Tokenizer,
    n_positions: usize,
    start: u32,
    end: u32,
    pad: u32,
}

impl Tokenizer {
    /// The tokenizer of a model; prompts fill `n_positions` tokens.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn of(source: &TokenizerSource, n_positions: usize) -> Result<Self, InferenceError> {
        match source {
            TokenizerSource::Folder(folder) => Self::load(folder, n_positions),
            TokenizerSource::Clip { pad } => {
                let path = Path::new("the built-in vocabulary");
                let (tokens, merges) = vocabulary::clip().map_err(|source| unreadable(path, source.into()))?;
                let names = SpecialTokens::of_clip(pad);
                let model = BPE::builder().vocab_and_merges(tokens.into_iter().collect::<Vocab>(), merges);
                Self::new(from_model(model, path, &names)?, path, n_positions, &names)
            }
        }
    }

    /// Reads `tokenizer.json`, or `vocab.json` and `merges.txt` where there is none, from a folder; prompts fill `n_positions` tokens,
    /// or the folder's `model_max_length` where that is less.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn load(folder: &Path, n_positions: usize) -> Result<Self, InferenceError> {
        if !folder.is_dir() {
            return Err(InferenceError::Missing { path: folder.to_owned() });
        }
        let names = SpecialTokens::read(folder)?;
        let json = folder.join("tokenizer.json");
        let (path, tokenizer) = if json.is_file() {
            let tokenizer = regular::read(&json, regular::MAX_VOCABULARY_BYTES)?;
            let tokenizer = tokenizers::Tokenizer::from_bytes(tokenizer).map_err(|source| unreadable(&json, source))?;
            (json, tokenizer)
        } else {
            let path = folder.join("vocab.json");
            let tokenizer = from_vocabulary(&path, &folder.join("merges.txt"), &names)?;
            (path, tokenizer)
        };
        Self::new(tokenizer, &path, n_positions, &names)
    }

    fn new(mut tokenizer: tokenizers::Tokenizer, path: &Path, n_positions: usize, names: &SpecialTokens) -> Result<Self, InferenceError> {
        // transformers takes all of them out of the text, also the padding: "!" in the second tokenizer of Stable Diffusion XL.
        let added = tokenizer.get_added_vocabulary().get_vocab();
        let is_missing = |token: &&&AddedToken| !added.contains_key(&token.content) && tokenizer.token_to_id(&token.content).is_some();
        let missing: Vec<_> = [&names.start, &names.end, &names.unknown, &names.pad].iter().filter(is_missing).copied().cloned().collect();
        tokenizer.add_special_tokens(missing).map_err(|source| unreadable(path, source))?;
        // Cutting and filling up are done here, so that the end stays and no file's settings matter.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|source| unreadable(path, source))?;
        let id = |name: &str| tokenizer.token_to_id(name).ok_or_else(|| unreadable(path, format!("it has no token {name:?}").into()));
        let (start, end, pad) = (id(&names.start.content)?, id(&names.end.content)?, id(&names.pad.content)?);
        let n_positions = names.max_length.map_or(n_positions, |max| n_positions.min(max));
        if n_positions < 3 {
            return Err(unreadable(path, format!("prompts of {n_positions} tokens have no room for a word").into()));
        }
        Ok(Self { tokenizer, n_positions, start, end, pad })
    }

    /// The ids of a prompt: start, at most `n_positions - 2` tokens, end, and padding up to `n_positions`.
    pub fn ids(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        Ok(self.framed(&self.tokens(prompt)?))
    }

    /// Tokens of a prompt without start and end, however many.
    pub fn n_tokens(&self, prompt: &str) -> Result<usize, InferenceError> {
        Ok(self.tokens(prompt)?.len())
    }

    /// Tokens at the end of a prompt that the model will not see.
    pub fn n_dropped(&self, prompt: &str) -> Result<usize, InferenceError> {
        Ok(self.n_tokens(prompt)?.saturating_sub(self.n_kept()))
    }

    /// The largest id that the tokenizer can give.
    pub fn largest_id(&self) -> u32 {
        self.tokenizer.get_vocab(true).values().copied().max().unwrap_or(0)
    }

    /// Tokens of a prompt without start and end, however many.
    pub fn tokens(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.tokenizer.encode_fast(prompt, false).map_err(|source| unreadable(Path::new("tokenizer"), source))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Tokens between start and end.
    pub fn n_kept(&self) -> usize {
        self.n_positions - 2
    }

    /// The token before a prompt.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// The ids of start, at most `n_kept` tokens, end and padding.
    pub fn framed(&self, tokens: &[u32]) -> Vec<u32> {
        let mut ids = Vec::with_capacity(self.n_positions);
        ids.push(self.start);
        ids.extend_from_slice(&tokens[..tokens.len().min(self.n_kept())]);
        ids.push(self.end);
        ids.resize(self.n_positions, self.pad);
        ids
    }
}

/// What the small files beside the vocabulary say.
struct SpecialTokens {
    start: AddedToken,
    end: AddedToken,
    unknown: AddedToken,
    pad: AddedToken,
    max_length: Option<usize>,
}

impl SpecialTokens {
    fn of_clip(pad: &str) -> Self {
        let end = plain_special_token("<|endoftext|>");
        let start = plain_special_token("<|startoftext|>");
        Self { start, unknown: end.clone(), pad: plain_special_token(pad), max_length: None, end }
    }

    fn read(folder: &Path) -> Result<Self, InferenceError> {
        let mut files = Vec::new();
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = folder.join(name);
            if path.is_file() {
                files.push(read_json(&path)?);
            }
        }
        let find = |key: &str| files.iter().find_map(|json| special_token(json.get(key)?));
        let end = find("eos_token").unwrap_or_else(|| plain_special_token("<|endoftext|>"));
        Ok(Self {
            start: find("bos_token").unwrap_or_else(|| plain_special_token("<|startoftext|>")),
            unknown: find("unk_token").unwrap_or_else(|| end.clone()),
            pad: find("pad_token").unwrap_or_else(|| end.clone()),
            // Folders without a limit hold a number of thirty digits.
            max_length: files.iter().find_map(|json| Some(json.get("model_max_length")?.as_f64()? as usize)),
            end,
        })
    }
}

/// A token is either a string or an object with its `content`.
fn special_token(json: &Value) -> Option<AddedToken> {
    let Some(content) = json.get("content") else { return Some(plain_special_token(json.as_str()?)) };
    let flag = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or(false);
    let token = plain_special_token(content.as_str()?).normalized(flag("normalized"));
    Some(token.lstrip(flag("lstrip")).rstrip(flag("rstrip")).single_word(flag("single_word")))
}

fn plain_special_token(name: &str) -> AddedToken {
    AddedToken::from(name, true).normalized(false)
}

fn from_vocabulary(vocabulary: &Path, merges: &Path, names: &SpecialTokens) -> Result<tokenizers::Tokenizer, InferenceError> {
    for path in [vocabulary, merges] {
        // The library reads by path, whatever is there and however long.
        regular::read(path, regular::MAX_VOCABULARY_BYTES)?;
    }
    from_model(BPE::from_file(&vocabulary.to_string_lossy(), &merges.to_string_lossy()), vocabulary, names)
}

fn from_model(model: BpeBuilder, path: &Path, names: &SpecialTokens) -> Result<tokenizers::Tokenizer, InferenceError> {
    let failed = |source| unreadable(path, source);
    let model = model.unk_token(names.unknown.content.clone()).end_of_word_suffix("</w>".to_owned()).build().map_err(failed)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ").map_err(failed)?;
    let normalizers: Vec<NormalizerWrapper> = vec![NFC.into(), spaces.into(), Lowercase.into()];
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true).map_err(failed)?;
    let splits: Vec<PreTokenizerWrapper> = vec![words.into(), ByteLevel::new(false, true, true).into()];
    tokenizer.with_normalizer(Some(Sequence::new(normalizers))).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(PreSequence::new(splits)));
    Ok(tokenizer)
}

fn unreadable(path: &Path, source: tokenizers::Error) -> InferenceError {
    InferenceError::Unreadable { path: path.to_owned(), reason: source.to_string() }
}
