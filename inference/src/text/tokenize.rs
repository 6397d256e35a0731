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
    checkpoint::{TokenizerSource, hf_folder::read_json, vocabulary},
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
                let names = SpecialTokens { start: "<|startoftext|>".into(), end: "<|endoftext|>".into(), pad: (*pad).into() };
                let model = BPE::builder().vocab_and_merges(tokens.into_iter().collect::<Vocab>(), merges);
                Self::new(from_model(model, path, &names)?, path, n_positions, &names)
            }
        }
    }

    /// Reads `tokenizer.json`, or `vocab.json` and `merges.txt` where there is none, from a folder; prompts fill `n_positions` tokens.
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
            let tokenizer = tokenizers::Tokenizer::from_file(&json).map_err(|source| unreadable(&json, source))?;
            (json, tokenizer)
        } else {
            let path = folder.join("vocab.json");
            let tokenizer = from_vocabulary(&path, &folder.join("merges.txt"), &names)?;
            (path, tokenizer)
        };
        Self::new(tokenizer, &path, n_positions, &names)
    }

    fn new(mut tokenizer: tokenizers::Tokenizer, path: &Path, n_positions: usize, names: &SpecialTokens) -> Result<Self, InferenceError> {
        // Cutting and filling up are done here, so that the end stays and no file's settings matter.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|source| unreadable(path, source))?;
        let id = |name: &str| tokenizer.token_to_id(name).ok_or_else(|| unreadable(path, format!("it has no token {name:?}").into()));
        let (start, end, pad) = (id(&names.start)?, id(&names.end)?, id(&names.pad)?);
        Ok(Self { tokenizer, n_positions, start, end, pad })
    }

    /// The ids of a prompt: start, at most `n_positions - 2` tokens, end, and padding up to `n_positions`.
    pub fn ids(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let tokens = self.tokens(prompt)?;
        let n_kept = tokens.len().min(self.n_kept());
        let mut ids = Vec::with_capacity(self.n_positions);
        ids.push(self.start);
        ids.extend_from_slice(&tokens[..n_kept]);
        ids.push(self.end);
        ids.resize(self.n_positions, self.pad);
        Ok(ids)
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

    fn n_kept(&self) -> usize {
        self.n_positions.saturating_sub(2)
    }

    fn tokens(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.tokenizer.encode(prompt, false).map_err(|source| unreadable(Path::new("tokenizer"), source))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// The words that a tokenizer uses for start, end and padding.
struct SpecialTokens {
    start: String,
    end: String,
    pad: String,
}

impl SpecialTokens {
    fn read(folder: &Path) -> Result<Self, InferenceError> {
        let mut files = Vec::new();
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = folder.join(name);
            if path.is_file() {
                files.push(read_json(&path)?);
            }
        }
        // A token is either a string or an object with its `content`.
        let token = |json: &Value, key: &str| {
            let value = json.get(key)?;
            Some(value.as_str().or_else(|| value.get("content")?.as_str())?.to_owned())
        };
        let find = |key: &str, default: &str| files.iter().find_map(|json| token(json, key)).unwrap_or_else(|| default.to_owned());
        let end = find("eos_token", "<|endoftext|>");
        Ok(Self { start: find("bos_token", "<|startoftext|>"), pad: find("pad_token", &end), end })
    }
}

fn from_vocabulary(vocabulary: &Path, merges: &Path, names: &SpecialTokens) -> Result<tokenizers::Tokenizer, InferenceError> {
    for path in [vocabulary, merges] {
        if !path.is_file() {
            return Err(InferenceError::Missing { path: path.to_owned() });
        }
    }
    from_model(BPE::from_file(&vocabulary.to_string_lossy(), &merges.to_string_lossy()), vocabulary, names)
}

fn from_model(model: BpeBuilder, path: &Path, names: &SpecialTokens) -> Result<tokenizers::Tokenizer, InferenceError> {
    let failed = |source| unreadable(path, source);
    let model = model.unk_token(names.end.clone()).end_of_word_suffix("</w>".to_owned()).build().map_err(failed)?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ").map_err(failed)?;
    let normalizers: Vec<NormalizerWrapper> = vec![NFC.into(), spaces.into(), Lowercase.into()];
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true).map_err(failed)?;
    let splits: Vec<PreTokenizerWrapper> = vec![words.into(), ByteLevel::new(false, true, true).into()];
    tokenizer.with_normalizer(Some(Sequence::new(normalizers)));
    tokenizer.with_pre_tokenizer(Some(PreSequence::new(splits)));
    let specials = [&names.start, &names.end].map(|name| AddedToken::from(name.clone(), true).normalized(false));
    tokenizer.add_special_tokens(&specials);
    Ok(tokenizer)
}

fn unreadable(path: &Path, source: tokenizers::Error) -> InferenceError {
    InferenceError::Unreadable { path: path.to_owned(), reason: source.to_string() }
}
