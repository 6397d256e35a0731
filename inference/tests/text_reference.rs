//! Prompts against transformers and diffusers in float32 (tests/data/text, made by tools/reference/text.py).

use std::{collections::HashMap, fs, path::Path};

use crate::common::{data, floats, max_difference, starter};
use candle_core::{DType, Device, Tensor};
use inference::{
    checkpoint::{TokenizerSource, Weights, hf_folder::read_json},
    family::stable_diffusion::Conditioning,
    text::clip::ClipConfig,
    text::{Embedding, EncoderFiles, Prompt, TextEncoders, TextOptions, Tokenizer},
};
use serde_json::Value;

fn folder() -> std::path::PathBuf {
    data().join("text")
}

fn tensors() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(folder().join("reference.safetensors"), &Device::Cpu).unwrap()
}

fn reference() -> Value {
    read_json(&folder().join("reference.json")).unwrap()
}

/// One encoder's weights and shape; `eos` replaces the configuration's.
fn encoder(name: &str, eos: Option<u64>, dtype: DType) -> (Weights, ClipConfig) {
    let path = folder().join(name).join("config.json");
    let mut json = read_json(&path).unwrap();
    if let Some(eos) = eos {
        json["eos_token_id"] = eos.into();
    }
    let weights = Weights::open(&[folder().join(name).join("model.safetensors")], &Device::Cpu, dtype).unwrap();
    (weights, ClipConfig::read(&json, &path).unwrap())
}

/// The encoders of one kind of model: `sd`, `xl` or `refiner`.
fn encoders(model: &str, eos: Option<u64>, options: TextOptions) -> TextEncoders {
    encoders_in(DType::F32, model, eos, options)
}

fn encoders_in(dtype: DType, model: &str, eos: Option<u64>, options: TextOptions) -> TextEncoders {
    let (first, second) = (encoder("text_encoder", None, dtype), encoder("text_encoder_2", eos, dtype));
    let [tokenizer1, tokenizer2] = ["tokenizer", "tokenizer_2"].map(|name| TokenizerSource::Folder(folder().join(name)));
    let files1 = EncoderFiles { weights: &first.0, config: &first.1, tokenizer: &tokenizer1 };
    let files2 = EncoderFiles { weights: &second.0, config: &second.1, tokenizer: &tokenizer2 };
    let (first, second) = (Some(files1).filter(|_| model != "refiner"), Some(files2).filter(|_| model != "sd"));
    TextEncoders::load(first, second, options, &Device::Cpu).unwrap()
}

fn with_words(model: &str, eos: Option<u64>) -> TextEncoders {
    let files: &[&str] = if model == "xl" { &["toy-xl"] } else { &["toy", "learned_embeds"] };
    let mut encoders = encoders(model, eos, TextOptions::default());
    for file in files {
        encoders.add_embedding(&Embedding::load(&folder().join(format!("embeddings/{file}.safetensors"))).unwrap()).unwrap();
    }
    encoders
}

fn encode(encoders: &TextEncoders, prompt: &str, clip_skip: u32) -> Conditioning {
    encoders.encode(&Prompt::parse(prompt), clip_skip, 1).unwrap()
}

fn relative(found: &Tensor, expected: &Tensor) -> f32 {
    max_difference(found, expected) / floats(expected).iter().fold(0.0, |a: f32, b| a.max(b.abs()))
}

fn same_bits(a: &Tensor, b: &Tensor) -> bool {
    a.dims() == b.dims() && floats(a).iter().zip(floats(b)).all(|(a, b)| a.to_bits() == b.to_bits())
}

#[test]
fn prompts_are_encoded_as_by_diffusers() {
    let (tensors, reference) = (tensors(), reference());
    let end = reference["pooled"]["end"].as_u64();
    let models = [
        ("sd", encoders("sd", None, TextOptions::default())),
        ("xl", encoders("xl", None, TextOptions::default())),
        ("refiner", encoders("refiner", None, TextOptions::default())),
        ("sd+words", with_words("sd", None)),
        ("xl+words", with_words("xl", end)),
    ];
    let mut worst = 0.0_f32;
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 16);
    for (i, case) in cases.iter().enumerate() {
        let (_, encoders) = models.iter().find(|(name, _)| case["model"] == *name).unwrap();
        let found = encode(encoders, case["prompt"].as_str().unwrap(), case["clip_skip"].as_u64().unwrap() as u32);
        let mut differences = vec![relative(&found.context, &tensors[&format!("{i}.context")])];
        assert_eq!(found.context.dim(2).unwrap(), encoders.context_width());
        assert_eq!(found.pooled.as_ref().map(|pooled| pooled.dims()[1]), encoders.pooled_width(), "{case}");
        if let Some(pooled) = &found.pooled {
            differences.push(relative(pooled, &tensors[&format!("{i}.pooled")]));
        }
        for difference in differences {
            assert!(difference <= 5e-6, "{case}: {difference}");
            worst = worst.max(difference);
        }
    }
    println!("embeddings differ by at most {worst:e} of the largest");
}

#[test]
fn pooled_token_is_the_one_that_the_configuration_names() {
    let (tensors, reference) = (tensors(), reference());
    let prompt = reference["pooled_prompt"].as_str().unwrap();
    for (name, eos) in reference["pooled"].as_object().unwrap() {
        let found = encode(&encoders("refiner", eos.as_u64(), TextOptions::default()), prompt, 0).pooled.unwrap();
        let difference = max_difference(&found, &tensors[&format!("pooled.{name}")]);
        assert!(difference <= 1e-5, "{name}: {difference}");
    }
    let largest = encode(&encoders("refiner", None, TextOptions::default()), prompt, 0).pooled.unwrap();
    assert!(max_difference(&largest, &tensors["pooled.end"]) <= 1e-5);
    assert!(max_difference(&largest, &tensors["pooled.word"]) > 1e-2);
}

/// With `eos_token_id` 2 diffusers would pool at the learned word; the end is meant.
#[test]
fn learned_words_do_not_move_the_pooled_token() {
    let end = reference()["pooled"]["end"].as_u64();
    let prompt = "my toy-xl on grass";
    let (old, new) = (encode(&with_words("xl", None), prompt, 0), encode(&with_words("xl", end), prompt, 0));
    assert!(same_bits(&old.pooled.unwrap(), &new.pooled.unwrap()));
}

#[test]
fn unused_layer_of_single_files_is_one_more_left_out() {
    let plain = encoders("sd", None, TextOptions::default());
    let unused = encoders("sd", None, TextOptions { has_unused_layer: true });
    for skip in [0, 1] {
        assert!(same_bits(&encode(&unused, "a fox", skip).context, &encode(&plain, "a fox", skip + 1).context));
    }
    let tokens: Vec<String> = [(&plain, 4), (&unused, 3), (&encoders("xl", None, TextOptions::default()), 3)]
        .map(|(encoders, skip)| encoders.encode(&Prompt::parse("a fox"), skip, 1).unwrap_err().to_string())
        .to_vec();
    assert_eq!(tokens[0], "clip skip must be at most 3 for this model, not 4");
    assert_eq!(tokens[1..], ["clip skip must be at most 2 for this model, not 3"; 2]);
}

#[test]
fn prompt_without_weights_has_the_bits_of_the_plain_text() {
    for encoders in ["sd", "xl"].map(|model| encoders(model, None, TextOptions::default())) {
        for text in ["a red fox", "it's 100% <b>bold</b>: yes, no", &"a cat, ".repeat(60)] {
            let (parsed, plain) = (Prompt::parse(text), Prompt::plain(text));
            let n = encoders.n_chunks(&plain).unwrap();
            let [parsed, plain] = [parsed, plain].map(|prompt| encoders.encode(&prompt, 0, n).unwrap());
            assert!(same_bits(&parsed.context, &plain.context), "{text}");
            if let Some((parsed, plain)) = parsed.pooled.zip(plain.pooled) {
                assert!(same_bits(&parsed, &plain), "{text}");
            }
        }
    }
}

#[test]
fn chunks_are_encoded_alone_and_filled_up_with_empty_ones() {
    let encoders = encoders("xl", None, TextOptions::default());
    let (a, b, empty) = (encode(&encoders, "a fox", 0), encode(&encoders, "in snow", 0), encode(&encoders, "", 0));
    for (prompt, parts) in [
        ("a fox BREAK in snow", vec![&a, &b]),
        ("(a fox BREAK in snow:1)", vec![&a, &b]),
        ("a fox BREAK BREAK in snow", vec![&a, &empty, &b]),
        ("BREAK in snow", vec![&empty, &b]),
        ("a fox BREAK", vec![&a]),
    ] {
        let parsed = Prompt::parse(prompt);
        assert_eq!(encoders.n_chunks(&parsed).unwrap(), parts.len(), "{prompt}");
        let found = encoders.encode(&parsed, 0, 4).unwrap();
        let filled = parts.iter().copied().chain(std::iter::repeat(&empty)).take(4).map(|part| &part.context).collect::<Vec<_>>();
        assert!(same_bits(&found.context, &Tensor::cat(&filled, 1).unwrap()), "{prompt}");
        assert!(same_bits(&found.pooled.unwrap(), parts[0].pooled.as_ref().unwrap()), "{prompt}");
    }
}

#[test]
fn zeros_in_place_of_a_negative_prompt_have_the_prompts_length() {
    let encoders = encoders("xl", None, TextOptions::default());
    let zeroed = encoders.zeroed(2).unwrap();
    assert_eq!((zeroed.context.dims(), zeroed.pooled.as_ref().unwrap().dims()), ([1, 154, 36].as_slice(), [1, 12].as_slice()));
    assert!(floats(&zeroed.context).iter().chain(&floats(zeroed.pooled.as_ref().unwrap())).all(|value| *value == 0.0));
}

/// Half precision takes the operations that also run on other devices.
#[test]
fn half_precision_is_close_to_single() {
    let word = Embedding::load(&folder().join("embeddings/toy-xl.safetensors")).unwrap();
    let prompt = "a (red:1.4) toy-xl in [the] snow BREAK at night";
    let [single, f16, bf16] = [DType::F32, DType::F16, DType::BF16].map(|dtype| {
        let mut encoders = encoders_in(dtype, "xl", None, TextOptions::default());
        encoders.add_embedding(&word).unwrap();
        let found = encode(&encoders, prompt, 0);
        assert_eq!((found.context.dtype(), found.pooled.as_ref().unwrap().dtype()), (dtype, dtype));
        [found.context, found.pooled.unwrap()].map(|tensor| tensor.to_dtype(DType::F32).unwrap())
    });
    for (found, tolerance) in [(f16, 0.01), (bf16, 0.08)] {
        for (found, expected) in found.iter().zip(&single) {
            let difference = relative(found, expected);
            println!("{difference}");
            assert!(difference <= tolerance, "{difference}");
        }
    }
}

#[test]
fn weights_that_cancel_leave_finite_numbers() {
    let encoders = encoders("xl", None, TextOptions::default());
    for prompt in ["(a fox:0)", "(a fox:-1)", "(a fox:99999)", &"(".repeat(3000), &format!("{}fox", "[".repeat(3000))] {
        let found = encode(&encoders, prompt, 0);
        assert!(floats(&found.context).iter().all(|value| value.is_finite()));
    }
}

#[test]
fn too_many_chunks_are_refused() {
    let encoders = encoders("sd", None, TextOptions::default());
    let error = encoders.encode(&Prompt::parse(&"a fox BREAK ".repeat(1000)), 0, 1).unwrap_err();
    assert_eq!(error.to_string(), "the prompt needs 1000 chunks of 75 tokens, at most 40 are read; make it shorter or use fewer `BREAK`s");
}

#[test]
fn learned_words_are_not_split_and_stand_for_their_vectors() {
    let encoders = with_words("sd", None);
    // 74 words and three vectors do not fit into 75 places.
    let (words, toy) = ("a ".repeat(74), encode(&encoders, "toy", 0).context);
    let found = encode(&encoders, &format!("{words}TOY"), 0).context;
    let expected = Tensor::cat(&[&encode(&encoders, &words, 0).context, &toy], 1).unwrap();
    assert!(same_bits(&found, &expected));
    // Not inside other words, but beside punctuation.
    for (is_word, prompt) in [(false, "toys"), (false, "atoy"), (false, "to y"), (true, "  toy,"), (true, "toy!"), (true, "Toy-like")] {
        let context = encode(&encoders, prompt, 0).context.narrow(1, 1, 3).unwrap();
        assert_eq!(same_bits(&context, &toy.narrow(1, 1, 3).unwrap()), is_word, "{prompt}");
    }
}

/// Both kinds of file, and the second tokenizer's padding, which transformers also takes out of the text.
#[test]
fn plain_words_give_the_ids_of_transformers() {
    let made = starter().join("model/tokenizer");
    let scratch = tempfile::tempdir().unwrap();
    let [json, json_bang, files, files_bang] = ["json", "json!", "files", "files!"].map(|name| scratch.path().join(name));
    for folder in [&json, &json_bang, &files, &files_bang] {
        fs::create_dir(folder).unwrap();
        let names: &[&str] =
            if folder.ends_with("json") || folder.ends_with("json!") { &["tokenizer.json"] } else { &["vocab.json", "merges.txt"] };
        for name in names {
            fs::copy(made.join(name), folder.join(name)).unwrap();
        }
    }
    for folder in [&json_bang, &files_bang] {
        fs::write(folder.join("special_tokens_map.json"), r#"{"pad_token": {"content": "!", "normalized": false}}"#).unwrap();
    }
    let load = |folder: &Path| Tokenizer::load(folder, 77).unwrap();
    let (plain, bang) = ([load(&json), load(&files)], [load(&json_bang), load(&files_bang)]);
    let words = read_json(&folder().join("words.json")).unwrap();
    assert!(words.as_array().unwrap().len() >= 50);
    for case in words.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids = |key: &str| case[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect::<Vec<_>>();
        for (tokenizers, key) in [(&plain, "ids"), (&bang, "ids_pad_exclamation")] {
            for tokenizer in tokenizers {
                assert_eq!(tokenizer.tokens(text).unwrap(), ids(key), "{text:?} {key}");
            }
        }
    }
    assert_eq!((plain[1].ids("").unwrap()[2], bang[0].ids("").unwrap()[2], bang[1].ids("").unwrap()[2]), (4095, 0, 0));
}

#[test]
fn shorter_model_max_length_makes_shorter_prompts() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["vocab.json", "merges.txt"] {
        fs::copy(starter().join("model/tokenizer").join(name), scratch.path().join(name)).unwrap();
    }
    for (max, expected) in [("10", 10), ("1000000000000000019884624838656", 77), ("null", 77)] {
        fs::write(scratch.path().join("tokenizer_config.json"), format!("{{\"model_max_length\": {max}}}")).unwrap();
        assert_eq!(Tokenizer::load(scratch.path(), 77).unwrap().ids("a cat").unwrap().len(), expected);
    }
    fs::write(scratch.path().join("tokenizer_config.json"), "{\"model_max_length\": 2}").unwrap();
    let error = Tokenizer::load(scratch.path(), 77).err().unwrap().to_string();
    assert!(error.ends_with("vocab.json cannot be read: prompts of 2 tokens have no room for a word"), "{error}");
}
