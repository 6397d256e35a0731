//! Parameters of Midjourney that have no meaning here: a line that was copied from there is drawn without them, and its writer told.

use super::parameter::Takes::{self, All, Nothing, One};

/// Every such parameter with its spellings, and what it takes, which may be left out. What has a meaning here too is in `table.rs`, `--style raw` with it.
const FOREIGN: [(&[&str], Takes); 21] = [
    (&["v", "version"], One),
    (&["niji"], One),
    (&["style"], One),
    (&["cw"], One),
    (&["sw"], One),
    (&["sv"], One),
    (&["ow"], One),
    (&["motion"], One),
    (&["bs"], One),
    (&["cref"], All),
    (&["sref"], All),
    (&["oref"], All),
    (&["p", "personalize", "personalise", "profile"], All),
    (&["turbo"], Nothing),
    (&["video"], Nothing),
    (&["loop"], Nothing),
    (&["sameseed"], Nothing),
    (&["public"], Nothing),
    (&["stealth"], Nothing),
    (&["uplight", "upbeta", "upanime"], Nothing),
    (&["test", "testp", "creative"], Nothing),
];

/// What a foreign parameter takes; `None` for any other name.
pub(super) fn takes(name: &str) -> Option<Takes> {
    FOREIGN.iter().find(|(spellings, _)| spellings.contains(&name)).map(|(_, takes)| *takes)
}

#[cfg(test)]
mod tests {
    use inference::task::{Note, TextToImage};

    use super::{
        super::{
            TypedOptions, lookup, parse,
            tests::{base, context},
        },
        *,
    };

    /// The task and the parameters without a meaning.
    #[track_caller]
    fn parsed(line: &str) -> (TextToImage, Vec<String>) {
        let parsed = parse(line, &TypedOptions::default(), &context()).expect(line);
        let name = |note: Note| match note {
            Note::ForeignParameter { name } => name,
            other => panic!("{other:?}"),
        };
        (parsed.task, parsed.notes.into_iter().map(name).collect())
    }

    #[track_caller]
    fn check(line: &str, expected: TextToImage, told: &[&str]) {
        assert_eq!(parsed(line), (expected, told.iter().map(|name| (*name).to_owned()).collect()), "{line}");
    }

    #[test]
    fn none_has_the_name_of_one_of_ours_or_two_places() {
        let mut spellings: Vec<_> = FOREIGN.iter().flat_map(|(spellings, _)| spellings.iter().copied()).collect();
        assert!(spellings.iter().all(|name| lookup::find(name).is_none()));
        let n = spellings.len();
        spellings.sort_unstable();
        spellings.dedup();
        assert_eq!(spellings.len(), n);
    }

    #[test]
    fn each_is_left_out_and_told_wherever_it_stands() {
        for (spellings, takes) in FOREIGN {
            for spelling in spellings {
                let name = format!("--{spelling}");
                let values: &[&str] = match takes {
                    Takes::Name => unreachable!("none is of names"),
                    Nothing => &[""],
                    One => &["", " 6", " scenic", "=.5", " 6.1"],
                    All => &["", " https://a.example/b.png", " abc123 4040"],
                };
                for value in values {
                    let seeded = TextToImage { seed: inference::task::Seed(7), ..base() };
                    check(&format!("a fox --{spelling}{value}"), base(), &[&name]);
                    check(&format!("a fox --{spelling}{value} --seed 7"), seeded.clone(), &[&name]);
                    check(&format!("a fox --seed 7 —{}{value}", spelling.to_uppercase()), seeded, &[&name]);
                }
            }
        }
    }

    #[test]
    fn lines_of_midjourney_are_drawn() {
        let wide = inference::task::ImageSize::new(704, 384);
        let expected = TextToImage {
            size: wide,
            negative_prompt: Some("text, people".into()),
            seed: inference::task::Seed(7),
            seamless: true,
            chaos: 20,
            steps: 13,
            guidance_scale: 6.96,
            ..base()
        };
        check(
            "a fox --ar 16:9 --v 6.1 --style raw --s 250 --no text, people --chaos 20 --tile --q .5 --seed 7 --sw 2 --v 6.1",
            expected,
            &["--v", "--sw"],
        );
        check("a fox --niji 6 --sref https://a.example/1.png 2214 --sw 50 --turbo", base(), &["--niji", "--sref", "--sw", "--turbo"]);
    }

    #[test]
    fn words_behind_one_are_not_lost() {
        for (line, words, after) in [
            ("--v 6 a fox", "a fox", "--v 6"),
            ("--turbo a fox", "a fox", "--turbo"),
            ("a fox --stealth 3", "3", "--stealth"),
            ("a fox --sw 2 in snow --seed 7", "in snow", "--sw 2"),
        ] {
            let error = parse(line, &TypedOptions::default(), &context()).expect_err(line).to_string();
            assert_eq!(error, format!("`{words}` stands after `{after}`: write the prompt first and the parameters last."));
        }
    }
}
