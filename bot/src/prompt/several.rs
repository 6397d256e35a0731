//! A line that asks for several grids.

use inference::task::Seed;

use super::{ParseContext, Parsed, PromptError, TypedOptions, parse, permute::permutations, personal::expanded, wildcards::mixed};

/// The grids that a line asks for, at least one: one for each permutation, as often as `--repeat` says.
///
/// Each has a seed of its own where none is given. A given seed is the same for every permutation, so that they can be compared, and goes on from one
/// repetition to the next, so that they differ.
///
/// # Errors
/// As [`parse`]; more grids than one line may ask for.
pub fn parse_all(line: &str, typed: &TypedOptions, context: &ParseContext) -> Result<Vec<Parsed>, PromptError> {
    let max = context.max_jobs;
    let expanded = expanded(line, typed, &context.personal)?;
    let line = expanded.as_deref().unwrap_or(line);
    let mut grids: Vec<Parsed> = Vec::new();
    for line in permutations(line, max)? {
        let of = |nth: u32, n_before: usize, n_images: u32| {
            let random_seed = if n_before == 0 { context.random_seed } else { Seed(mixed(context.random_seed.0, n_before as u64) >> 32) };
            let seed_offset = u64::from(nth) * u64::from(n_images);
            parse(&line, typed, &ParseContext { random_seed, seed_offset, ..context.clone() })
        };
        let first = of(0, grids.len(), 0)?;
        let (repeat, n_images) = (first.repeat, first.task.n_images);
        let found = grids.len() as u64 + u64::from(repeat);
        if found > u64::from(max) {
            return Err(PromptError::TooManyJobs { found, max });
        }
        grids.push(first);
        for nth in 1..repeat {
            grids.push(of(nth, grids.len(), n_images)?);
        }
    }
    Ok(grids)
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn grids(line: &str) -> Vec<(String, u64)> {
        let grids = parse_all(line, &TypedOptions::default(), &context()).expect(line);
        grids.into_iter().map(|grid| (grid.task.prompt, grid.task.seed.0)).collect()
    }

    #[test]
    fn every_grid_has_its_words_and_its_seed() {
        assert_eq!(grids("a fox"), [("a fox".to_owned(), 4242)]);
        let seeds: std::collections::HashSet<_> = grids("a {red, blue} fox --repeat 3").into_iter().map(|(_, seed)| seed).collect();
        assert_eq!(seeds.len(), 6);
        assert!(seeds.iter().all(|seed| *seed <= u32::MAX.into()));
        let prompts: Vec<_> = grids("a {red, blue} fox --r 2").into_iter().map(|(prompt, _)| prompt).collect();
        assert_eq!(prompts, ["a red fox", "a red fox", "a blue fox", "a blue fox"]);
        let of_seed = |words: &str, seed| (format!("a {words} fox"), seed);
        assert_eq!(grids("a {red, blue} fox --seed 7"), [of_seed("red", 7), of_seed("blue", 7)]);
        assert_eq!(grids("a red fox --seed 7 --repeat 2 --images 3"), [of_seed("red", 7), of_seed("red", 10)]);
        assert_eq!(grids("a fox --seed {1, 5}").iter().map(|(_, seed)| *seed).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(grids("a red fox --seed 4294967295 --r 2")[1].1, 3, "behind the largest comes 0");
    }

    #[test]
    fn the_sum_of_all_grids_is_bounded() {
        let error = |line: &str| parse_all(line, &TypedOptions::default(), &context()).expect_err(line).to_string();
        assert_eq!(error("a fox --repeat 11"), "That would be 11 grids, and 10 are the most for one prompt.");
        assert_eq!(error("a {red, blue} fox --repeat 6"), "That would be 12 grids, and 10 are the most for one prompt.");
        assert_eq!(error("a fox --repeat 0"), "`--repeat 0`: the value of `--repeat` must be a whole number from 1.");
        assert_eq!(error("a {red, blue} fox --steps {5, many}"), "`--steps many`: the steps must be a whole number from 1 to 100.");
    }
}
