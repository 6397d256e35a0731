//! Tiny models of every family, at every sampler and schedule: cases and latents are made by `tools/reference/families.py` and `z_image.py`.
//! The bot's parity test runs the same cases through its command line and compares pictures.

#[path = "../../../tests/family_models/mod.rs"]
pub(crate) mod models;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{Device, Tensor};
use serde::Deserialize;

use super::{catalogue, config, last_latents, relative_distance};
use crate::{
    catalogue::{Catalogue, CatalogueConfig, NamedFile},
    engine::{DeviceChoice, TestStore},
    task::{AdapterUse, ImageSize, ImageToImage, Inpaint, Seed, Task, TextToImage},
};

/// Greatest distance to diffusers' latents, relative.
const TOLERANCE: f64 = 1e-3;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

/// A command line of `atelier imagine`, without the model.
#[derive(Deserialize)]
struct Case {
    id: String,
    model: String,
    args: Vec<String>,
}

/// The folder of the data and that of the models made from it.
struct Setting {
    data: PathBuf,
    models: PathBuf,
}

#[test]
fn the_last_latents_of_every_stable_diffusion_equal_those_of_diffusers() {
    check("families");
}

#[test]
fn the_last_latents_of_z_image_equal_those_of_diffusers() {
    check("z_image");
}

/// Draws all cases of a folder of the reference data.
fn check(data: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(data);
    let cases = std::fs::read_to_string(data.join("cases.json")).expect("the cases");
    let mut cases = serde_json::from_str::<Cases>(&cases).expect("a list of cases").cases;
    // A single file holds the weights of a folder; it has no latents of its own.
    cases.retain(|case| !case.model.ends_with(".safetensors"));
    let mut expected: BTreeMap<_, HashMap<String, Tensor>> = BTreeMap::new();
    for case in &cases {
        let load = || candle_core::safetensors::load(data.join(format!("latents/{}.safetensors", case.model)), &Device::Cpu);
        expected.entry(case.model.as_str()).or_insert_with(|| load().expect("latents"));
    }
    models::write_all(&data, folder.path());
    let setting = Setting { data, models: folder.path().join("models") };

    let (next, distances) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let n_workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = setting.distances(case, &expected[case.model.as_str()]);
                    distances.lock().expect("no worker panics").extend(found);
                }
            });
        }
    });
    let mut distances = distances.into_inner().expect("no worker panics");
    assert_eq!(distances.len(), expected.values().map(HashMap::len).sum::<usize>(), "latents without a case, or cases without latents");
    distances.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let mut wrong = String::new();
    for (picture, distance) in distances.iter().filter(|(_, distance)| distance.is_nan() || *distance >= TOLERANCE) {
        writeln!(wrong, "  {picture}: {distance:.2e}").expect("a string takes all");
    }
    assert!(wrong.is_empty(), "too far from diffusers' latents:\n{wrong}");
    eprintln!("{} pictures' latents, the farthest {} {:.1e}", distances.len(), distances[0].0, distances[0].1);
}

impl Setting {
    /// The relative distances of a case's pictures.
    fn distances(&self, case: &Case, expected: &HashMap<String, Tensor>) -> Vec<(String, f64)> {
        let mut things = catalogue(&self.models.join(&case.model));
        let options = self.options(case, &mut things);
        let catalogue = Arc::new(Catalogue::open(&things).expect(&case.id));
        let mut store = TestStore::open((&config(), DeviceChoice::Cpu), &catalogue).expect(&case.id);
        let info = &catalogue.models()[0];
        assert_eq!(info.is_clip_alone, case.model.starts_with("sd1"), "{}", case.id);
        let mut base = TextToImage { prompt: case.args[0].clone(), ..TextToImage::default() };
        (base.sampler, base.schedule) = (info.sampler, info.schedule);
        let (mut init, mut mask, mut strength) = (None, None, 0.6);
        for (option, value) in &options {
            let number = || value.parse::<f64>().expect("a number");
            let whole = || value.parse::<u32>().expect("a whole number");
            match option.as_str() {
                "--negative" => base.negative_prompt = Some(value.clone()),
                "--steps" => base.steps = whole(),
                "--guidance" => base.guidance_scale = number(),
                "--guidance-rescale" => base.guidance_rescale = number(),
                "--sampler" => base.sampler = value.parse().expect("a sampler"),
                "--schedule" => base.schedule = value.parse().expect("a schedule"),
                "--seed" => base.seed = Seed(value.parse().expect("a seed")),
                "--width" => base.size = ImageSize::new(whole(), base.size.height),
                "--height" => base.size = ImageSize::new(base.size.width, whole()),
                "--count" => base.n_images = whole(),
                "--clip-skip" => base.clip_skip = whole(),
                "--lora" => {
                    let (name, weight) = value.rsplit_once(':').expect("a file and its weight");
                    base.adapters.push(AdapterUse::new(name, weight.parse().expect("a weight")));
                }
                "--init" => init = Some(image::open(value).expect("a picture").into_rgb8()),
                "--mask" => mask = Some(image::open(value).expect("a mask").into_luma8()),
                "--strength" => strength = number(),
                other => panic!("{}: nobody reads {other}", case.id),
            }
        }
        let task = match (&init, &mask) {
            (None, _) => Task::from(base),
            (Some(_), None) => Task::image_to_image(ImageToImage { base, strength }, ""),
            (Some(_), Some(_)) => Task::inpaint(Inpaint { base, strength }, "", ""),
        };
        let name = case.id.split_once('/').map_or(case.id.as_str(), |(_, name)| name);
        let distance = |index: u32| {
            let latents = last_latents((&mut store, &catalogue), task.clone(), init.clone(), mask.clone(), index);
            let expected = expected.get(&format!("{name}.{index}")).expect(&case.id);
            (format!("{}.{index}", case.id), relative_distance(&latents, expected).expect(&case.id))
        };
        (0..task.n_images()).map(distance).collect()
    }

    /// The options with their values; the files that tasks are to know go into the catalogue.
    fn options(&self, case: &Case, things: &mut CatalogueConfig) -> Vec<(String, String)> {
        let mut options = Vec::new();
        for pair in case.args[1..].chunks_exact(2) {
            let (option, value) = (pair[0].as_str(), self.placed(&pair[1]));
            match option {
                "--vae" => things.models[0].vae = Some(value.into()),
                "--embedding" => things.embeddings.push(named(&value)),
                "--lora" => {
                    let (file, weight) = value.rsplit_once(':').expect("a file and its weight");
                    let file = named(file);
                    options.push((option.to_owned(), format!("{}:{weight}", file.name)));
                    things.adapters.push(file);
                }
                _ => options.push((option.to_owned(), value)),
            }
        }
        options
    }

    /// An argument with the file that it names: `@` stands for the data's folder, `%` for that of the models.
    fn placed(&self, arg: &str) -> String {
        let in_folder = |folder: &Path, name: &str| folder.join(name).to_string_lossy().into_owned();
        match (arg.strip_prefix('@'), arg.strip_prefix('%')) {
            (Some(name), _) => in_folder(&self.data, name),
            (_, Some(name)) => in_folder(&self.models, name),
            _ => arg.to_owned(),
        }
    }
}

/// A file under its name without extension.
fn named(path: &str) -> NamedFile {
    let path = PathBuf::from(path);
    NamedFile { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), path }
}
