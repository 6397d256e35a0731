//! Tasks of every kind at once: a picture has the bits that it has alone, whatever else is in its batches.

use crate::engine_common::{Outcome, changed, drawn, engine, filled, finish, run, submit, text_to_image};
use inference::{
    engine::Submission,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Enlarger, Hires, ImageSize, TextToImage},
};

/// Tasks that differ in sampler, steps, seed, guidance, prompt length, layers, size, edges and kind.
fn submissions() -> Vec<Submission> {
    let base = |sampler, seed, steps| TextToImage {
        sampler,
        size: ImageSize::new(32, 32),
        ..text_to_image("a red apple on a blue background", seed, steps, 1)
    };
    let long = "a lighthouse by the sea, ".repeat(16);
    // Seven by eleven latents, which the U-Net halves to four by six and two by three.
    let odd = ImageSize::new(44, 28);
    vec![
        drawn(TextToImage { n_images: 2, ..base(Sampler::Ddim, 1, 4) }),
        drawn(TextToImage { guidance_scale: 1.0, schedule: ScheduleKind::Karras, ..base(Sampler::EulerA, 2, 5) }),
        drawn(TextToImage { size: odd, negative_prompt: Some("blurry".into()), ..base(Sampler::Heun, 3, 3) }),
        drawn(TextToImage { guidance_interval: (0.2, 0.8), guidance_rescale: 0.6, ..base(Sampler::DpmPp2MSde, 4, 5) }),
        drawn(TextToImage { clip_skip: 1, prompt: "a cat".into(), ..base(Sampler::Pndm, 5, 4) }),
        drawn(TextToImage { seamless: true, ..base(Sampler::Lcm, 6, 3) }),
        drawn(TextToImage { seamless: true, size: odd, ..base(Sampler::UniPc, 7, 3) }),
        drawn(TextToImage { prompt: long.clone(), ..base(Sampler::Ddim, 8, 3) }),
        drawn(TextToImage { prompt: "a dog".into(), negative_prompt: Some(long), guidance_scale: 3.0, ..base(Sampler::Euler, 9, 3) }),
        changed(TextToImage { size: odd, ..base(Sampler::DpmPp2M, 10, 6) }, 0.6),
        filled(base(Sampler::EulerA, 11, 6), 0.7),
        filled(TextToImage { seamless: true, ..base(Sampler::Heun, 12, 3) }, 1.0),
        drawn(TextToImage {
            size: ImageSize::new(28, 24),
            hires: Some(Hires { scale: 1.5, strength: 0.5, steps: None, enlarger: Enlarger::Latent }),
            ..base(Sampler::DpmPp3M, 13, 4)
        }),
    ]
}

#[test]
fn pictures_of_a_mixed_batch_have_the_bits_that_they_have_alone() {
    let submissions = submissions();
    let lone = engine(16, 0);
    let alone: Vec<Outcome> = submissions.iter().map(|submission| run(&lone, submission)).collect();
    let counted = lone.stats();
    let mut n_calls = counted.n_network_calls;
    for max_rows in [3, 16] {
        let engine = engine(max_rows, 0);
        let handles: Vec<_> = submissions.iter().map(|submission| submit(&engine, submission)).collect();
        for (i, (handle, alone)) in handles.into_iter().zip(&alone).enumerate() {
            let together = finish(handle);
            assert!(together.images == alone.images, "task {i} in batches of up to {max_rows} rows");
            let (used, cost) = (together.usage.row_megapixels, alone.usage.row_megapixels);
            assert!((used - cost).abs() < 1e-9, "task {i}: {used} is not {cost}");
        }
        let stats = engine.stats();
        assert_eq!(stats.n_network_rows, counted.n_network_rows);
        assert!(stats.n_network_calls < n_calls, "they share calls, the more the larger the batches");
        n_calls = stats.n_network_calls;
    }
}
