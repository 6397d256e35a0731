//! The networks against diffusers and transformers in float32 (models/starter/reference and tests/data/tiny; their READMEs and scripts say how they were made).

use std::{collections::HashMap, fs, path::Path};

use crate::common::{data, floats, max_difference, predict, psnr, read_picture, starter};
use candle_core::{DType, Device, Tensor};
use inference::family::stable_diffusion::Model;

type Tensors = HashMap<String, Tensor>;

fn load(folder: &Path) -> Model {
    Model::load(folder, &Device::Cpu, DType::F32).unwrap()
}

fn reference(name: &Path) -> Tensors {
    candle_core::safetensors::load(name, &Device::Cpu).unwrap()
}

/// Prompt and tensors of the four pictures.
fn cases() -> Vec<(String, Tensors)> {
    let folder = starter().join("reference");
    let json = inference::checkpoint::hf_folder::read_json(&folder.join("reference.json")).unwrap();
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    cases
        .iter()
        .map(|case| (case["prompt"].as_str().unwrap().to_owned(), reference(&folder.join(case["file"].as_str().unwrap()))))
        .collect()
}

fn ids(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<i32>().unwrap().iter().map(|id| *id as u32).collect()
}

fn relative(found: &Tensor, expected: &Tensor) -> f32 {
    max_difference(found, expected) / floats(expected).iter().fold(0.0, |a: f32, b| a.max(b.abs()))
}

#[test]
fn text_is_encoded_as_by_transformers() {
    let model = load(&starter().join("model"));
    let mut worst = 0.0_f32;
    for (prompt, tensors) in cases() {
        assert_eq!(model.text().tokenizer().unwrap().ids(&prompt).unwrap(), ids(&tensors["input_ids"]), "{prompt}");
        assert_eq!(model.text().tokenizer().unwrap().ids("").unwrap(), ids(&tensors["uncond_input_ids"]));
        let found = model.encode_text(&[&prompt, ""]).unwrap();
        let expected = Tensor::cat(&[&tensors["text_embeddings"], &tensors["uncond_text_embeddings"]], 0).unwrap();
        worst = worst.max(max_difference(&found, &expected));
    }
    println!("text embeddings differ by at most {worst:e}");
    assert!(worst <= 2e-5, "{worst}");
}

#[test]
fn unet_answers_as_in_diffusers() {
    let model = load(&starter().join("model"));
    let mut worst = 0.0_f32;
    for (_, tensors) in cases() {
        let timestep = f64::from(floats(&tensors["timesteps"])[0]);
        let latents = Tensor::cat(&[&tensors["unet_input_step0"]; 2], 0).unwrap();
        let context = Tensor::cat(&[&tensors["text_embeddings"], &tensors["uncond_text_embeddings"]], 0).unwrap();
        let found = predict(&model, &latents, &[timestep; 2], &context);
        let expected = Tensor::cat(&[&tensors["unet_output_step0"], &tensors["unet_output_uncond_step0"]], 0).unwrap();
        worst = worst.max(relative(&found, &expected));
    }
    println!("U-Net outputs differ by at most {worst:e} of the largest");
    assert!(worst <= 1e-4, "{worst}");
}

#[test]
fn decoder_draws_as_in_diffusers() {
    let model = load(&starter().join("model"));
    for (prompt, tensors) in cases() {
        let psnr = psnr(&model.decode(&tensors["final_latents"]).unwrap(), &tensors["decoded"], 2.0);
        println!("{prompt}: {psnr:.1} dB");
        assert!(psnr >= 90.0, "{prompt}: {psnr} dB");
    }
}

#[test]
fn picture_survives_encoder_and_decoder() {
    let model = load(&starter().join("model"));
    for n in 0..4 {
        let pixels = (read_picture(&starter().join(format!("reference/{n}.png"))) * 2.0).unwrap().affine(1.0, -1.0).unwrap();
        let (mean, deviation) = model.encode_image(&pixels).unwrap();
        assert_eq!(mean.dims(), [1, 4, 16, 16]);
        assert!(floats(&deviation).iter().all(|deviation| (0.0..2.0).contains(deviation)));
        let again = model.decode(&(mean * model.scaling_factor()).unwrap()).unwrap();
        let psnr = psnr(&again, &pixels, 2.0);
        println!("picture {n}: {psnr:.1} dB");
        assert!(psnr >= 20.0, "picture {n}: {psnr} dB");
    }
}

/// Types other than float32 take the operations that also run on other devices.
#[test]
fn plain_operations_answer_as_in_diffusers() {
    let model = Model::load(&starter().join("model"), &Device::Cpu, DType::F64).unwrap();
    let (prompt, tensors) = cases().swap_remove(1);
    let single = |tensor: Tensor| tensor.to_dtype(DType::F32).unwrap();
    let text = max_difference(&single(model.encode_text(&[&prompt]).unwrap()), &tensors["text_embeddings"]);
    assert!(text <= 2e-5, "{text}");
    let timestep = f64::from(floats(&tensors["timesteps"])[0]);
    let found = predict(&model, &tensors["unet_input_step0"], &[timestep], &tensors["text_embeddings"]);
    let unet = relative(&single(found), &tensors["unet_output_step0"]);
    assert!(unet <= 1e-4, "{unet}");
    let psnr = psnr(&model.decode(&tensors["final_latents"]).unwrap(), &tensors["decoded"], 2.0);
    assert!(psnr >= 90.0, "{psnr} dB");
}

#[test]
fn starter_model_describes_itself() {
    let model = load(&starter().join("model"));
    assert_eq!((model.latent_channels(), model.vae_factor(), model.native_size()), (4, 4, 64));
    assert_eq!(model.scaling_factor(), 0.18215);
    // Sizes of the three files in float16: 4.3, 32.5 and 5.4 MB.
    assert!((20_900_000..21_200_000).contains(&model.n_parameters()), "{}", model.n_parameters());
    assert_eq!(model.dtype(), DType::F32);
    assert!(model.checkpoint().path().ends_with("model"));
}

/// The tiny model's files together with the starter model's tokenizer.
fn tiny() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&data().join("tiny"), folder.path());
    copy(&starter().join("model/tokenizer"), &folder.path().join("tokenizer"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn other_shapes_and_old_names_answer_as_in_diffusers() {
    let folder = tiny();
    let model = load(folder.path());
    let tensors = reference(&data().join("tiny/reference.safetensors"));
    let prompt = "two  Cats' and 3 dogs, café!";
    assert_eq!(model.text().tokenizer().unwrap().ids(prompt).unwrap(), ids(&tensors["input_ids"]));
    let text = max_difference(&model.encode_text(&[prompt]).unwrap(), &tensors["text_embeddings"]);
    assert!(text <= 1e-5, "text: {text}");
    for size in ["even", "odd"] {
        let tensor = |name: &str| &tensors[&format!("{size}.{name}")];
        let timesteps: Vec<f64> = floats(tensor("timesteps")).iter().map(|timestep| f64::from(*timestep)).collect();
        let found = predict(&model, tensor("latents"), &timesteps, tensor("context"));
        let difference = relative(&found, tensor("output"));
        assert!(difference <= 1e-4, "{size}: {difference}");
    }
    let (mean, deviation) = model.encode_image(&tensors["vae.pixels"]).unwrap();
    let decoded = model.decode(&tensors["vae.latents"]).unwrap();
    for (name, found) in [("vae.mean", mean), ("vae.deviation", deviation), ("vae.decoded", decoded)] {
        let difference = relative(&found, &tensors[name]);
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

#[test]
fn vocabulary_and_merges_give_the_same_ids_as_tokenizer_json() {
    let folder = tiny();
    let json = inference::text::Tokenizer::load(&folder.path().join("tokenizer"), 77).unwrap();
    fs::remove_file(folder.path().join("tokenizer/tokenizer.json")).unwrap();
    let files = inference::text::Tokenizer::load(&folder.path().join("tokenizer"), 77).unwrap();
    for prompt in ["", "a cat", "  Two\tCats'\n and 3 dogs, CAFÉ!", "cafe\u{301} 中文 🦊", "it's <|endoftext|> here", "a<|startoftext|>b"]
    {
        assert_eq!(files.ids(prompt).unwrap(), json.ids(prompt).unwrap(), "{prompt:?}");
    }
}

#[test]
fn long_prompts_are_cut_and_keep_their_end() {
    let model = load(&starter().join("model"));
    let (tokenizer, prompt) = (model.text().tokenizer().unwrap(), "cat ".repeat(100));
    let ids = tokenizer.ids(&prompt).unwrap();
    assert_eq!((ids.len(), ids[0], ids[76]), (77, 4094, 4095));
    assert_eq!(ids[75], ids[1]);
    assert_eq!((tokenizer.n_tokens(&prompt).unwrap(), tokenizer.n_dropped(&prompt).unwrap()), (100, 25));
    assert_eq!(tokenizer.n_dropped(&"cat ".repeat(75)).unwrap(), 0);
}
