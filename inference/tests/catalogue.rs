//! The catalogue: what it says of models and files is what loading them finds, and it follows them as they change.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use candle_core::{DType, Device};
use inference::{
    catalogue::{Catalogue, CatalogueConfig, Kind, ModelCard, ModelEntry, NamedFile, PartKind, Shelf},
    checkpoint::{Family, FileKind, OtherParts, inspect},
    error::{InferenceError, InvalidTask},
    family::{ModelFiles, ModelSource, stable_diffusion::Model},
    task::{AdapterUse, Enlarger, Hires, ImageSize, Task, TextToImage, Upscale},
    upscale::Upscaler,
};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;

use crate::{
    common::{
        families::{self, MODELS},
        starter,
    },
    z_image_common::Setting,
};

fn entry(name: &str, path: impl Into<PathBuf>) -> ModelEntry {
    ModelEntry { name: name.to_owned(), path: path.into(), vae: None, others: OtherParts::default(), prediction: None }
}

fn of_models(models: Vec<ModelEntry>) -> CatalogueConfig {
    CatalogueConfig { models, ..CatalogueConfig::default() }
}

fn opened(config: &CatalogueConfig) -> Catalogue {
    Catalogue::open(config).expect("everything is there")
}

/// A safetensors file of zeros.
fn write(path: &Path, tensors: &[(&str, &[usize])], metadata: &[(&str, &str)]) {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| vec![0; shape.iter().product::<usize>() * 4]).collect();
    let views =
        tensors.iter().zip(&bytes).map(|((name, shape), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    safetensors::serialize_to_file(views, Some(metadata), path).unwrap();
}

/// A LoRA for Stable Diffusion 1 of this rank.
fn write_lora(path: &Path, rank: usize) {
    let stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
    let (down, up) = (format!("{stem}.lora_down.weight"), format!("{stem}.lora_up.weight"));
    write(path, &[(&down, &[rank, 768]), (&up, &[320, rank])], &[]);
}

/// Makes a change of a file visible however coarse the file system's clock is.
fn touch(path: &Path, seconds: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

#[test]
fn parts_of_every_family_have_as_many_numbers_as_loading_reads() {
    let check = |what: &str, source: ModelSource| {
        let own = ModelEntry { vae: source.vae.clone(), ..entry(what, &source.path) };
        let catalogue = opened(&of_models(vec![own]));
        let card = catalogue.model(None).expect("the model");
        let loaded = Model::load(source, &Device::Cpu, DType::F32).unwrap();
        assert_eq!(card.n_parameters(), loaded.n_parameters(), "{what}");
        assert_eq!(card.n_bytes(), 4 * loaded.n_parameters(), "{what}");
        let kinds: Vec<_> = card.parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [PartKind::TextEncoders, PartKind::Denoiser, PartKind::Vae], "{what}");
        assert!(card.parts.iter().all(|part| part.n_parameters > 0), "{what}: {:?}", card.parts);
        assert_eq!(u64::from(card.size_multiple), loaded.vae_factor() as u64, "{what}");
        assert_eq!(card.native_size.width as usize, loaded.native_size(), "{what}");
        assert_eq!((card.sees_mask, card.takes_negative_prompt), (loaded.is_inpainting(), !loaded.takes_guidance()), "{what}");
    };
    check("the starter", (&starter().join("model")).into());
    for model in MODELS {
        let (folder, file) = (families::folder(model), families::single_file(model));
        check(model, folder.path().into());
        if model == "lcm" {
            // ldm has no name for where its guidance goes in.
            continue;
        }
        check(model, (&file.path().join("model.safetensors")).into());
        // With the autoencoder of the other layout.
        let (path, vae) = (folder.path().to_owned(), Some(file.path().join("model.safetensors")));
        check(model, ModelSource { path, vae, ..ModelSource::default() });
        let (path, vae) = (file.path().join("model.safetensors"), Some(folder.path().join("vae")));
        check(model, ModelSource { path, vae, ..ModelSource::default() });
    }
}

#[test]
fn a_z_image_has_as_many_numbers_as_loading_reads_and_its_own_off() {
    let setting = Setting::new();
    let catalogue = opened(&of_models(vec![entry("turbo", setting.part(""))]));
    let card = &catalogue.models()[0];
    let files = ModelFiles::open(&setting.part("")).unwrap();
    let (device, dtype) = (Device::Cpu, DType::F32);
    let loaded = [
        files.text(&device, dtype).unwrap().n_parameters(),
        files.denoiser(&device, dtype).unwrap().n_parameters(),
        files.vae(&device, dtype).unwrap().n_parameters(),
    ];
    assert_eq!(card.parts.iter().map(|part| part.n_parameters).collect::<Vec<_>>(), loaded);
    assert_eq!((card.family, card.guidance_off, card.takes_negative_prompt), (Family::ZImage, 0.0, true));
    assert_eq!(card.suited.map(|suited| (suited.steps, suited.guidance_scale)), Some((8, 0.0)));
}

/// A card without what only its place and its layout make different.
fn facts(card: &ModelCard) -> Value {
    let mut json = serde_json::to_value(card).expect("JSON");
    for key in ["name", "path", "version", "prompts", "prediction_said_by"] {
        json.as_object_mut().expect("an object").remove(key);
    }
    json
}

#[test]
fn a_folder_and_a_single_file_of_one_model_have_the_same_card() {
    for model in MODELS {
        let (folder, file) = (families::folder(model), families::single_file(model));
        // What a single file cannot say of its schedule is said beside it.
        for part in ["scheduler", "model_index.json"] {
            let to = file.path().join(part);
            if to.extension().is_none() {
                fs::create_dir(&to).unwrap();
                fs::copy(folder.path().join("scheduler/scheduler_config.json"), to.join("scheduler_config.json")).unwrap();
            } else {
                fs::copy(folder.path().join(part), to).unwrap();
            }
        }
        let catalogue = opened(&of_models(vec![entry("a", folder.path()), entry("b", file.path().join("model.safetensors"))]));
        let [a, b] = [&catalogue.models()[0], &catalogue.models()[1]];
        let (mut of_folder, mut of_file) = (facts(a), facts(b));
        // A file holds no size that it was trained at; the family's stands for it. Paths are for messages.
        for json in [&mut of_folder, &mut of_file] {
            for key in ["native_size", "max_side"] {
                json.as_object_mut().expect("an object").remove(key);
            }
            let limits = json["limits"].as_object_mut().expect("limits");
            limits.remove("max_side");
            limits["rules"].as_object_mut().expect("rules").remove("native_size");
            for key in ["schedule", "inpaint_schedule"] {
                limits[key].as_object_mut().expect("a schedule").remove("path");
            }
        }
        assert_eq!(of_folder, of_file, "{model}");
    }
}

#[test]
fn every_card_is_the_same_after_a_way_through_json() {
    let folder = tempfile::tempdir().unwrap();
    let models: Vec<_> = MODELS.iter().map(|model| (families::folder(model), families::single_file(model))).collect();
    let of_folders = models.iter().zip(MODELS).map(|((folder, _), name)| entry(name, folder.path()));
    let of_files = models.iter().zip(MODELS).map(|((_, file), name)| entry(&format!("{name} file"), file.path().join("model.safetensors")));
    write_lora(&folder.path().join("ink.safetensors"), 4);
    write(&folder.path().join("control.safetensors"), &[("input_hint_block.0.weight", &[4]), ("x.attn2.to_k.weight", &[4, 1024])], &[]);
    write(&folder.path().join("vae.safetensors"), &[("decoder.conv_in.weight", &[8, 4, 3, 3]), ("decoder.up.1.x", &[2])], &[]);
    write(&folder.path().join("word.safetensors"), &[("emb_params", &[3, 768])], &[]);
    fs::write(folder.path().join("broken.safetensors"), "nothing").unwrap();
    let config = CatalogueConfig {
        embeddings: vec![NamedFile { name: "word".into(), path: folder.path().join("word.safetensors") }],
        upscaler: Some(starter().join("upscaler/realesr-animevideov3-x4.safetensors")),
        folders: vec![folder.path().to_owned()],
        ..of_models(of_folders.chain(of_files).collect())
    };
    let catalogue = opened(&config);
    assert_eq!((catalogue.models().len(), catalogue.adapters().len(), catalogue.vaes().len()), (2 * MODELS.len(), 1, 1));
    assert_eq!((catalogue.controls().len(), catalogue.embeddings().len(), catalogue.faults().len()), (1, 1, 1));
    let text = serde_json::to_string(&catalogue).expect("JSON");
    let again: Catalogue = serde_json::from_str(&text).expect("a catalogue");
    assert_eq!(serde_json::to_value(&again).expect("JSON"), serde_json::to_value(&catalogue).expect("JSON"));
    // It judges and prices as the one that read the files.
    for card in catalogue.models() {
        for (hires, prompt) in [(None, "word, a fox ".repeat(40)), (Some(Enlarger::Network), "a fox".to_owned())] {
            let hires = hires.map(|enlarger| Hires { scale: 2.0, strength: 0.5, steps: Some(3), enlarger });
            let size = ImageSize::new(card.even_multiple, card.even_multiple);
            let task = Task::from(TextToImage { prompt, hires, size, model: Some(card.name.clone()), ..TextToImage::default() });
            assert_eq!(again.check(&task), catalogue.check(&task), "{}", card.name);
            assert!(card.sees_mask || catalogue.check(&task).is_ok(), "{}", card.name);
        }
    }
}

#[test]
fn what_fits_what_is_told_by_family_and_width() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.safetensors"));
    write_lora(&path("sd1"), 8);
    let tags = r#"{"10_ink":{"ink style":40,"a cat":3}}"#;
    let te2 = "lora_te2_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight";
    write(&path("xl"), &[(te2, &[4, 1280])], &[("ss_tag_frequency", tags)]);
    write(&path("said"), &[(te2, &[4, 1280])], &[("modelspec.trigger_phrase", "oil, thick paint")]);
    write(&path("oft"), &[("oft_unet_x.oft_blocks", &[4, 2, 2])], &[]);
    write(&path("vae"), &[("decoder.conv_in.weight", &[8, 4, 3, 3]), ("decoder.up.0.x", &[2]), ("decoder.up.1.x", &[2])], &[]);
    let models = MODELS.map(|model| (model, families::folder(model)));
    let config = CatalogueConfig {
        folders: vec![folder.path().to_owned()],
        ..of_models(models.iter().map(|(name, folder)| entry(name, folder.path())).collect())
    };
    let catalogue = opened(&config);
    let families: Vec<_> = catalogue.models().iter().map(|card| card.family).collect();
    use Family::*;
    assert_eq!(
        families,
        [StableDiffusion1, StableDiffusion1, StableDiffusion1, StableDiffusion2, StableDiffusionXl, StableDiffusionXlRefiner]
    );
    let fitting = |adapter: &str| -> Vec<&str> {
        let adapter = catalogue.adapter(adapter).expect("it is there");
        catalogue.models().iter().filter(|card| card.fits(adapter)).map(|card| card.name.as_str()).collect()
    };
    assert_eq!(fitting("sd1"), ["sd1", "sd1_inpaint", "lcm"]);
    assert_eq!(fitting("xl"), ["xl"]);
    let [sd1, xl, said] = ["sd1", "xl", "said"].map(|name| catalogue.adapter(name).expect("it is there"));
    assert_eq!((sd1.kind.as_str(), sd1.rank, sd1.n_parameters), ("LoRA", Some(8), 8 * (768 + 320)));
    assert_eq!((&sd1.parts[..], &xl.parts[..]), (&[PartKind::Denoiser][..], &[PartKind::TextEncoders][..]));
    assert_eq!(
        (&xl.trigger_words[..], &said.trigger_words[..]),
        (&["ink style".to_owned()][..], &["oil".into(), "thick paint".into()][..])
    );
    assert!(sd1.trigger_words.is_empty());
    let [fault] = catalogue.faults() else { panic!("{:?}", catalogue.faults()) };
    assert!(fault.kind.is_none() && fault.reason.contains("an OFT adapter, which is not supported"), "{}", fault.reason);
    let vae = &catalogue.vaes()[0];
    assert_eq!((vae.latent_channels, vae.factor), (4, 2));
    for card in catalogue.models() {
        assert_eq!(card.decodes_with(vae), (card.latent_channels, card.size_multiple) == (4, 2), "{}", card.name);
    }
}

#[test]
fn every_kind_of_file_is_what_inspecting_it_says() {
    let upscaler = starter().join("upscaler/realesr-animevideov3-x4.safetensors");
    assert_eq!(Upscaler::factor_of(&upscaler).unwrap(), Upscaler::load(&upscaler, &Device::Cpu).unwrap().factor());
    assert_eq!(inspect(&upscaler).unwrap().kind, FileKind::Upscaler);
    let with = |upscaler: &Path| {
        Catalogue::open(&CatalogueConfig {
            upscaler: Some(upscaler.to_owned()),
            ..of_models(vec![entry("starter", starter().join("model"))])
        })
    };
    let catalogue = with(&upscaler).unwrap();
    let card = catalogue.upscaler().expect("it is there");
    assert_eq!((card.factor, card.n_parameters), (4, inspect(&upscaler).unwrap().n_parameters));
    assert!(
        matches!(with(Path::new("/nowhere.safetensors")), Err(InferenceError::Unreadable { path, .. }) if path == Path::new("/nowhere.safetensors"))
    );
    assert!(matches!(Catalogue::open(&CatalogueConfig::default()), Err(InferenceError::NoModels)));
}

#[test]
fn a_quote_tells_sizes_and_grows_with_what_is_asked() {
    let upscaler = Some(starter().join("upscaler/realesr-animevideov3-x4.safetensors"));
    let catalogue = opened(&CatalogueConfig { upscaler, ..of_models(vec![entry("starter", starter().join("model"))]) });
    let base = TextToImage { size: ImageSize::new(64, 64), ..TextToImage::default() };
    let quote = |base: TextToImage| catalogue.check(&Task::from(base)).expect("it can be drawn");
    let plain = quote(base.clone());
    assert_eq!(plain.sizes, [ImageSize::new(64, 64)]);
    assert!(plain.bytes > catalogue.models()[0].n_bytes());
    let hires = Hires { scale: 2.0, strength: 0.5, steps: None, enlarger: Enlarger::Latent };
    let larger = quote(TextToImage { hires: Some(hires), ..base.clone() });
    assert_eq!(larger.sizes, [ImageSize::new(64, 64), ImageSize::new(128, 128)]);
    assert!(larger.cost > plain.cost && larger.bytes > plain.bytes);
    let passes = catalogue.check(&Task::upscale(Upscale { size: ImageSize::new(64, 32), passes: 2 }, "s"));
    assert_eq!(passes.expect("it can be enlarged").sizes, [ImageSize::new(256, 128), ImageSize::new(1024, 512)]);
}

/// Which thing of a running program changes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Thing {
    ModelFolder,
    ModelFile,
    FoundAdapter,
    NamedAdapter,
    Embedding,
    Upscaler,
}

#[test]
fn what_is_added_changed_and_removed_is_noticed_and_nothing_else_read_again() {
    use Thing::*;
    for thing in [ModelFolder, ModelFile, FoundAdapter, NamedAdapter, Embedding, Upscaler] {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let named = |name: &str| NamedFile { name: name.to_owned(), path: outside.path().join(format!("{name}.safetensors")) };
        write_lora(&outside.path().join("steady.safetensors"), 1);
        let path = match thing {
            ModelFolder => folder.path().join("new"),
            ModelFile | FoundAdapter => folder.path().join("new.safetensors"),
            NamedAdapter | Embedding | Upscaler => outside.path().join("new.safetensors"),
        };
        let made = families::folder("sd1");
        let file = families::single_file("sd1");
        // What is changed of it: a part of a folder, or the only file.
        let put = |version: usize| {
            let changed = match thing {
                ModelFolder => {
                    if version == 1 {
                        crate::family_models::copy(made.path(), &path);
                    }
                    path.join("scheduler/scheduler_config.json")
                }
                ModelFile => {
                    fs::copy(file.path().join("model.safetensors"), &path).unwrap();
                    fs::copy(file.path().join("model.json"), path.with_extension("json")).unwrap();
                    path.with_extension("json")
                }
                FoundAdapter | NamedAdapter => {
                    write_lora(&path, version);
                    path.clone()
                }
                Embedding => {
                    write(&path, &[("emb_params", &[version, 768])], &[]);
                    path.clone()
                }
                Upscaler => {
                    fs::copy(starter().join("upscaler/realesr-animevideov3-x4.safetensors"), &path).unwrap();
                    path.clone()
                }
            };
            touch(&changed, 1_000_000 + version as u64);
        };
        let is_configured = matches!(thing, NamedAdapter | Embedding | Upscaler);
        if is_configured {
            put(1);
        }
        let config = CatalogueConfig {
            adapters: [Some(named("steady")), (thing == NamedAdapter).then(|| named("new"))].into_iter().flatten().collect(),
            embeddings: (thing == Embedding).then(|| named("new")).into_iter().collect(),
            upscaler: (thing == Upscaler).then(|| path.clone()),
            folders: vec![folder.path().to_owned()],
            ..of_models(vec![entry("starter", starter().join("model"))])
        };
        let shelf = Shelf::open(config).unwrap();
        let version = |catalogue: &Catalogue| match thing {
            ModelFolder | ModelFile => catalogue.model(Some("new")).map(|card| card.version.clone()),
            FoundAdapter | NamedAdapter => catalogue.adapter("new").map(|card| card.version.clone()),
            Embedding => catalogue.embeddings().first().map(|card| card.version.clone()),
            Upscaler => catalogue.upscaler().map(|card| card.version.clone()),
        };
        let first = shelf.catalogue();
        assert_eq!(version(&first).is_some(), is_configured, "{thing:?}");
        assert!(!shelf.refresh(), "{thing:?}: nothing was changed");

        if !is_configured {
            put(1);
        }
        assert_eq!(shelf.refresh(), !is_configured, "{thing:?}: added");
        let second = shelf.catalogue();
        let added = version(&second).unwrap_or_else(|| panic!("{thing:?} is there: {:?}", second.faults()));
        assert!(!shelf.refresh(), "{thing:?}: nothing was changed since");

        put(2);
        assert!(shelf.refresh(), "{thing:?}: changed");
        let third = shelf.catalogue();
        assert_ne!(version(&third).expect("it is there"), added, "{thing:?}");

        match thing {
            ModelFolder => fs::remove_dir_all(&path).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        assert!(shelf.refresh(), "{thing:?}: removed");
        let fourth = shelf.catalogue();
        assert_eq!(version(&fourth), None, "{thing:?}");
        let task = |base: TextToImage| Task::from(TextToImage { size: ImageSize::new(64, 64), ..base });
        match thing {
            ModelFolder | ModelFile => {
                let gone = fourth.check(&task(TextToImage { model: Some("new".into()), ..TextToImage::default() }));
                assert_eq!(gone, Err(InvalidTask::ModelGone { name: "new".into() }), "{thing:?}");
            }
            FoundAdapter | NamedAdapter => {
                let gone = fourth.check(&task(TextToImage { adapters: vec![AdapterUse::new("new", 1.0)], ..TextToImage::default() }));
                assert_eq!(gone, Err(InvalidTask::AdapterGone { name: "new".into() }), "{thing:?}");
            }
            Embedding => assert!(fourth.is_gone(Kind::Embedding, "new")),
            Upscaler => {
                let gone = fourth.check(&Task::upscale(Upscale { size: ImageSize::new(8, 8), passes: 1 }, "s"));
                assert_eq!(gone, Err(InvalidTask::NoUpscaler));
            }
        }
        // Whoever has an older one keeps it; what did not change was not read again.
        assert_eq!(version(&second), Some(added), "{thing:?}");
        for catalogue in [&second, &third, &fourth] {
            assert!(std::sync::Arc::ptr_eq(&first.models()[0], &catalogue.models()[0]), "{thing:?}");
            assert!(std::sync::Arc::ptr_eq(&first.adapters()[0], catalogue.adapter("steady").expect("it is there")), "{thing:?}");
        }

        put(1);
        assert!(shelf.refresh() && version(&shelf.catalogue()).is_some(), "{thing:?}: there again");
        assert!(!shelf.catalogue().is_gone(Kind::Model, "new") && !shelf.catalogue().is_gone(Kind::Adapter, "new"), "{thing:?}");
    }
}
