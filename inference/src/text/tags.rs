//! Adapters named in a prompt: `<lora:name:0.8>`.

use std::borrow::Cow;

use super::refusal::{MAX_WEIGHT, PromptError};

/// An adapter named in a prompt. The weights are 1 unless said: `<lora:name:0.8>` is both, `<lora:name:0.8:0.5>` or `<lora:name:te=0.8:unet=0.5>` each.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterTag {
    /// Its name as typed. Not a path: whoever looks it up decides what it stands for.
    pub name: String,
    /// The text encoders' share.
    pub text_encoder_weight: f64,
    /// The U-Net's share.
    pub unet_weight: f64,
}

/// The text without its tags, the adapters, and the first tag with a weight that cannot be used.
pub fn take_out(text: &str) -> (Cow<'_, str>, Vec<AdapterTag>, Option<PromptError>) {
    let (mut adapters, mut problem, mut kept) = (Vec::new(), None, String::new());
    let (mut done, mut from, mut close) = (0, 0, None);
    while let Some(start) = text[from..].find('<').map(|place| from + place) {
        from = start + 1;
        let Some(body) = ["lora:", "lyco:"].iter().find_map(|kind| text[from..].strip_prefix(kind)) else { continue };
        // Found once for all tags before it, or the time would grow with the square of their number.
        let first = text.len() - body.len();
        close = close.filter(|close| *close >= first).or_else(|| Some(first + body.find('>')?));
        let Some(end) = close.map(|close| close + 1) else { break };
        let Some(adapter) = read(&text[first..end - 1]) else { continue };
        adapters.push(adapter.unwrap_or_else(|adapter| {
            problem.get_or_insert(PromptError::AdapterWeight { tag: text[start..end].replace(char::is_control, " ") });
            adapter
        }));
        kept.push_str(&text[done..start]);
        (done, from) = (end, end);
    }
    if done == 0 {
        return (Cow::Borrowed(text), adapters, problem);
    }
    kept.push_str(&text[done..]);
    (Cow::Owned(kept), adapters, problem)
}

/// `Err` holds the adapter with a weight of 0 in place of what cannot be used; `None` is a tag without a name.
fn read(body: &str) -> Option<Result<AdapterTag, AdapterTag>> {
    let mut parts = body.split(':');
    let name = parts.next().map(str::trim).filter(|name| !name.is_empty())?;
    let (mut positional, mut text_encoder, mut unet, mut is_usable) = (Vec::new(), None, None, true);
    let mut weight = |text: &str| {
        let weight = text.trim().parse::<f64>().ok().filter(|weight| weight.abs() <= MAX_WEIGHT);
        is_usable &= weight.is_some();
        weight.unwrap_or(0.0)
    };
    for part in parts {
        match part.split_once('=') {
            None => positional.push(weight(part)),
            Some((key, value)) if key.trim() == "te" => text_encoder = Some(weight(value)),
            Some((key, value)) if key.trim() == "unet" => unet = Some(weight(value)),
            Some(_) => {}
        }
    }
    let text_encoder = text_encoder.or(positional.first().copied()).unwrap_or(1.0);
    let unet = unet.or(positional.get(1).copied()).unwrap_or(text_encoder);
    let adapter = AdapterTag { name: name.to_owned(), text_encoder_weight: text_encoder, unet_weight: unet };
    Some(if is_usable { Ok(adapter) } else { Err(adapter) })
}
