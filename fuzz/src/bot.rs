//! The bot's readers of pictures and lines. Each takes a file's bytes and gives the message of the error, if there is one.

use std::{collections::BTreeMap, io::Cursor};

use atelier::{
    pictures,
    pictures::metadata::{self, Found, parameters},
    prompt::{self, Gone, ModelDefaults, ParseContext, TypedOptions},
};
use inference::task::{ImageSize, Role, Seed};

/// What a reader says of an input.
pub type Said = Result<(), String>;

/// A reader.
pub type Target = fn(&[u8]) -> Said;

/// A start picture or mask.
pub fn picture(bytes: &[u8]) -> Said {
    let picture = pictures::read(Cursor::new(bytes)).map_err(|error| atelier::cli::sentence(&error.into()))?;
    assert!(u64::from(picture.width()) * u64::from(picture.height()) <= pictures::MAX_MEGAPIXELS * 1_000_000);
    Ok(())
}

/// A picture that somebody brings, as a start picture and as a mask.
pub fn brought(bytes: &[u8]) -> Said {
    for role in [Role::Init, Role::Mask] {
        let brought = pictures::bring(bytes, &role).map_err(|error| atelier::cli::sentence(&error.into()))?;
        assert!(brought.size.megapixels() <= 4.2);
    }
    Ok(())
}

/// A picture's metadata; bytes that are no picture are read as another program's text.
pub fn metadata(bytes: &[u8]) -> Said {
    match metadata::read(Cursor::new(bytes)) {
        Ok(Found::Parameters(text)) => drop(parameters::read(&text)),
        Ok(Found::Record(record)) => drop(parameters::write(&record)),
        Ok(Found::Program(_) | Found::Nothing) => {}
        Err(error) => {
            drop(parameters::read(&String::from_utf8_lossy(bytes)));
            return Err(atelier::cli::sentence(&error));
        }
    }
    Ok(())
}

/// A prompt with its parameters. What is shown of each grid that it asks for is read as the same grid.
pub fn line(bytes: &[u8]) -> Said {
    let (line, context) = (String::from_utf8_lossy(bytes), line_context());
    for grid in prompt::parse_all(&line, &TypedOptions::default(), &context).map_err(|error| error.to_string())? {
        let shown = format!("{} {}", grid.task.prompt, prompt::describe(&grid.task, &context));
        let again = prompt::parse(&shown, &TypedOptions::default(), &context).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        assert_eq!(again.task, grid.task, "{shown:?}");
    }
    Ok(())
}

fn line_context() -> ParseContext {
    let model = ModelDefaults {
        name: "usual".into(),
        native_size: ImageSize::new(512, 512),
        size_multiple: 64,
        max_side: 2048,
        steps: 25,
        guidance_scale: 7.5,
        sampler: inference::sampler::Sampler::Euler,
        schedule: Default::default(),
        clip_skip: 0,
        negative_prompt: Some("noise".into()),
        reads_parts: true,
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let lists = [("colour", words(&["red", "green"])), ("animal", words(&["a __colour__ frog", "a mouse::2"]))];
    ParseContext {
        models: vec![ModelDefaults { name: "niji".into(), ..model.clone() }, model],
        loras: vec!["ink".into()],
        gone: Gone::default(),
        max_steps: 100,
        n_images: 4,
        max_images: 4,
        start: prompt::Start::Nothing,
        strength: 0.6,
        random_seed: Seed(4242),
        seed_offset: 0,
        max_jobs: 10,
        wildcards: BTreeMap::from(lists.map(|(name, words)| (name.to_owned(), words))).into(),
        usual: prompt::Usual::default(),
        personal: prompt::Personal::default(),
        max_seed: prompt::MAX_SEED,
    }
}
