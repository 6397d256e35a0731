//! What strangers' pictures and lines may not do: every input of `fuzz/corpus/`, as it is and damaged in thousands of ways, is read or refused in one
//! sentence; never a panic, and never more memory than the limits allow.

#[path = "../../fuzz/src/bot.rs"]
mod bot;
#[path = "../../fuzz/src/mutate.rs"]
#[allow(dead_code, reason = "damage to tensors is for the engine's files")]
mod mutate;

use std::{collections::BTreeMap, fs, path::Path};

use bot::{Said, Target};
use mutate::Mutator;

fn replay(target: &str, read: Target, n: usize) -> BTreeMap<String, Said> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{target} has {} inputs", paths.len());
    let check = |input: &str, said: &Said| {
        let is_sentence = |message: &String| !message.is_empty() && message.lines().count() == 1 && !message.contains(char::is_control);
        assert!(said.as_ref().err().is_none_or(is_sentence), "{input}: {said:?}");
    };
    let mut said = BTreeMap::new();
    for (seed, path) in (1..).zip(paths) {
        let input = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("an input");
        let found = read(&bytes);
        check(&input, &found);
        let mut mutator = Mutator::new(seed);
        for i in 0..n {
            check(&format!("{input}, damage {i}"), &read(&mutator.damaged(&bytes)));
        }
        said.insert(input, found);
    }
    said
}

#[test]
fn pictures() {
    let said = replay("picture", bot::picture, 60);
    for input in ["rgb.png", "grey_16.png", "palette.png", "jpeg.jpg", "progressive.jpg", "turned.jpg", "lossy.webp", "lossless.webp"] {
        assert_eq!(said[input], Ok(()), "{input}");
    }
    for input in ["bomb.png", "bomb.jpg", "bomb_lossless.webp", "bomb_canvas.webp"] {
        assert!(said[input].is_err(), "{input}");
    }
    let animation = "it is an animation, or of a kind for animations: save one picture of it as PNG";
    for input in ["animated.webp", "animated_frame_too_wide.webp", "animated.png", "animated.gif", "gif"] {
        assert_eq!(said[input], Err(animation.to_owned()), "{input}");
    }
    for input in ["cut_off.png", "cut_off.jpg", "cut_at_scan.jpg", "cut_off.webp", "riff_length.webp"] {
        assert_eq!(said[input], Err("it is cut off: its end is missing".to_owned()), "{input}");
    }
    for input in ["thin.png", "thin_8.png"] {
        assert!(said[input].as_ref().is_err_and(|said| said.ends_with("is longer than 16384 pixels")), "{input}");
    }
    assert_eq!(said["bomb.png"], Err("60000×50000 are more than 64 megapixels".to_owned()));
    assert_eq!(said["bomb.jpg"], Err("65500×65500 are more than 64 megapixels".to_owned()));
}

#[test]
fn pictures_that_people_bring() {
    let said = replay("picture", bot::brought, 60);
    for input in ["rgb.png", "grey_16.png", "palette.png", "turned.jpg", "lossy.webp", "animated.webp", "animated.png", "animated.gif"] {
        assert_eq!(said[input], Ok(()), "{input}");
    }
    for input in ["bomb.png", "bomb.jpg", "bomb_lossless.webp", "bomb_canvas.webp", "cut_off.png", "thin.png", "gif"] {
        assert!(said[input].is_err(), "{input}");
    }
}

#[test]
fn metadata() {
    let said = replay("metadata", bot::metadata, 60);
    for input in [
        "a1111.jpg",
        "a1111_jpeg_end.jpg",
        "a1111.webp",
        "swarm.jpg",
        "fooocus.webp",
        "swarm.png",
        "comfy.png",
        "many_bombs.png",
        "parameters.png",
        "packed.png",
        "long.png",
        "long_packed.png",
        "after_pixels.png",
        "packed_bomb.png",
        "long_bomb.png",
    ] {
        assert_eq!(said[input], Ok(()), "{input}");
    }
    assert_eq!(said["a1111.txt"].as_ref().map_err(|said| said.starts_with("it is not a PNG, JPEG or WebP file")), Err(true));
    assert!(said["ours_wrong.png"].as_ref().is_err_and(|said| said.starts_with("its metadata is damaged or of a newer version")));
}

#[test]
fn lines() {
    let said = replay("line", bot::line, 300);
    for input in ["plain", "parameters", "midjourney", "short", "parts", "groups", "escapes", "words", "lora", "quoted", "strange"] {
        assert_eq!(said[input], Ok(()), "{input}");
    }
    for (input, expected) in [
        ("cancel", "That cannot be drawn: the weights of the prompt's parts add up to 0: together they must be more than 0."),
        ("too_many", "That would be 16 grids, and 10 are the most for one prompt."),
        ("unknown_words", "`__color__`: there is no such list of words; the nearest is `__colour__`."),
        ("rivals", "`--quality 2` and `--draft` contradict each other: keep one."),
    ] {
        assert_eq!(said[input], Err(expected.to_owned()), "{input}");
    }
}
