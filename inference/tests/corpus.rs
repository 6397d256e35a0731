//! What strangers' files and prompts may not do: every input of `fuzz/corpus/`, as it is and damaged in thousands of ways, gives a value or one
//! sentence that names the file; never a panic.

#[path = "../../fuzz/src/engine.rs"]
mod engine;
#[path = "../../fuzz/src/mutate.rs"]
mod mutate;

use std::{collections::BTreeMap, fs, path::Path};

use engine::{Said, Target};
use mutate::Mutator;

/// Inputs of a target, by name.
fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path());
    let named = entries.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("an input")));
    let inputs: BTreeMap<_, _> = named.collect();
    assert!(inputs.len() > 10, "{target} has {} inputs", inputs.len());
    inputs
}

/// One sentence, about the file.
fn check(name: &str, said: &Said, file: &str) {
    if let Err(message) = said {
        assert!(message.lines().count() == 1 && !message.contains(char::is_control), "{name}: {message:?}");
        assert!(message.contains(file), "{name} does not name the file: {message}");
        assert!(!message.contains("panicked") && !message.contains("computing failed"), "{name}: {message}");
    }
}

/// Reads every input and `n` damaged ones of each, and gives what was said of the inputs themselves.
fn replay(name: &str, target: Target, file: &str, n: usize) -> BTreeMap<String, Said> {
    let is_file = file.ends_with(".safetensors");
    let mut said = BTreeMap::new();
    for (seed, (input, bytes)) in corpus(name).into_iter().enumerate() {
        let found = target(&bytes);
        check(&input, &found, file);
        said.insert(input.clone(), found);
        let mut mutator = Mutator::new(0x9E37_79B9 + seed as u64);
        for i in 0..n {
            let damaged = if is_file { mutator.damaged_tensors(&bytes) } else { mutator.damaged(&bytes) };
            check(&format!("{input}, damage {i}"), &target(&damaged), file);
        }
    }
    if is_file {
        fs::remove_dir_all(engine::folder(file)).expect("the target's own folder");
    }
    said
}

/// These inputs are read, and the others of the same target are refused.
fn check_read(said: &BTreeMap<String, Said>, read: &[&str]) {
    for (input, said) in said {
        assert_eq!(said.is_ok(), read.contains(&input.as_str()), "{input}: {said:?}");
    }
}

fn check_said(said: &BTreeMap<String, Said>, expected: &[(&str, &str)]) {
    for (input, expected) in expected {
        let found = said[*input].as_ref().expect_err(input);
        assert!(found.contains(expected), "{input}: {found}");
    }
}

#[test]
fn weights() {
    let said = replay("weights", engine::weights, "weights.safetensors", 80);
    check_read(&said, &["below_state_dict", "float8_with_scales", "says_v", "sd1", "sd2", "sdxl"]);
    check_said(
        &said,
        &[
            ("empty", "the file is empty"),
            ("gguf", "GGUF"),
            ("zip", "PyTorch"),
            ("pickle", "PyTorch"),
            ("lfs", "git lfs pull"),
            ("html", "web page"),
            ("length_max", "more than 100 MB is refused"),
            ("length_100mb", "cut off"),
            ("cut_off", "cut off"),
            ("overlap", "overlap"),
            ("gap", "belong to no tensor"),
            ("tail", "belong to none"),
            ("twice", "two tensors `a`"),
            ("shape_overflow", "senseless"),
            ("shape_zero_then_huge", "senseless"),
            ("name_with_lines", "a name with line breaks"),
            ("nan", "`a` holds a value that is not a finite number"),
            ("sd2_not_thirds", "not queries, keys and values"),
            ("no_text", "without a text encoder"),
        ],
    );
}

#[test]
fn adapters() {
    let said = replay("adapter", engine::adapter, "adapter.safetensors", 60);
    check_said(
        &said,
        &[
            ("alpha_nan", "not a finite number"),
            ("alpha_empty", "is empty where one number is needed"),
            ("no_up", "but no `lora_up"),
            ("ranks", "differ"),
            ("loha_second_larger", "differ"),
            ("loha_half", "`hada_w1_a` but no `hada_w2_a`"),
            ("other_width", "changes a weight of 9×9 numbers"),
            ("nothing_matches", "0 of 1 modules match the model"),
            ("lokr_huge", "changes a weight of"),
            ("oft", "an OFT adapter, which is not supported"),
            ("boft", "a BOFT adapter, which is not supported"),
            ("glora", "a GLoRA adapter, which is not supported"),
            ("ia3", "an (IA)³ adapter, which is not supported"),
            ("text_of_other_width", "changes a weight of 9×9 numbers"),
            ("prefixes_alone", "but no `lora_up"),
            ("alpha_bool", "holds no number"),
            ("alpha_c64", "holds no number"),
            ("whole_numbers", "type I16"),
            ("gguf", "GGUF"),
        ],
    );
    let alphas = ["i8", "u8", "i16", "u16", "i32", "u32", "u64", "f8_e4m3", "f8_e5m2", "f16", "bf16", "f64", "long"];
    for alpha in alphas {
        assert_eq!(said[&format!("alpha_{alpha}")], Ok(()), "{alpha}");
    }
    for program in ["one_trainer", "comfy", "omi", "no_prefix", "two_of_one"] {
        assert_eq!(said[program], Ok(()), "{program}");
    }
    let read =
        ["kohya", "alpha_whole", "locon", "tucker", "loha", "loha_conv", "lokr", "difference", "dora", "dora_columns", "peft", "third"];
    for input in read {
        assert_eq!(said[input], Ok(()), "{input}");
    }
}

#[test]
fn embeddings() {
    let said = replay("embedding", engine::embedding, "embedding.safetensors", 100);
    for input in ["one", "xl", "word", "word_of_spaces"] {
        assert_eq!(said[input], Ok(()), "{input}");
    }
    check_said(&said, &[("zip", "PyTorch"), ("whole_numbers", "not vectors"), ("cube", "not vectors"), ("cut_off", "cut off")]);
}

#[test]
fn upscalers() {
    let said = replay("upscaler", engine::upscaler, "upscaler.safetensors", 40);
    check_read(&said, &["compact", "compact_params", "rrdb", "rrdb_trunk"]);
    check_said(&said, &[("rrdb_many_doublings", "doublings"), ("compact_width_0", "width 0"), ("rrdb_no_growth", "adds no channels")]);
}

#[test]
fn prompts() {
    let said = replay("prompt", engine::prompt, "in the prompt", 60);
    check_said(&said, &[("weight_large", "the weight 1000000000 in the prompt is out of range"), ("lora_bad", "`<lora:ink:1e999>`")]);
    assert!(said.values().filter(|said| said.is_ok()).count() > 15);
}

#[test]
fn schedules() {
    let said = replay("scheduler", engine::scheduler, "scheduler_config.json", 3);
    check_said(
        &said,
        &[
            ("many_timesteps", "num_train_timesteps"),
            ("order", "`solver_order`: 0"),
            ("cut_off", "EOF"),
            ("unknown_word", "timestep_spacing"),
        ],
    );
    for input in
        ["sd1", "zero_snr", "clipped", "clipped_all", "two_timesteps", "flow", "flow_by_size", "lcm_many", "runge_kutta", "infinite"]
    {
        assert_eq!(said[input], Ok(()), "{input}");
    }
}

#[test]
fn states() {
    let said = replay("state", engine::state, "state", 60);
    check_read(
        &said,
        &[
            "first",
            "gpu",
            "half_pair",
            "half_pair_nan",
            "history",
            "latents_nan",
            "latents_of_nothing",
            "numbers_largest",
            "second_pass",
            "words_exhausted",
        ],
    );
    check_said(
        &said,
        &[
            ("empty", "it does not begin as one"),
            ("other_word", "it does not begin as one"),
            ("version_0", "of format 0; this version reads format 1"),
            ("length_largest", "its header cannot be read"),
            ("no_description", "its description cannot be read"),
            ("description_deep", "its description cannot be read"),
            ("key_more", "its description cannot be read"),
            ("seed_too_large", "its description cannot be read"),
            ("words_too_few", "its generator cannot be"),
            ("position_too_large", "its generator cannot be"),
            ("words_of_floats", "it lacks a tensor"),
            ("latents_half", "it lacks a tensor"),
            ("latents_flat", "other shapes"),
            ("latents_absent", "it lacks a tensor"),
            ("history_17", "another number of tensors"),
            ("history_more", "another number of tensors"),
            ("history_other_shape", "other shapes"),
        ],
    );
}
