//! The syntax of prompts.

use inference::text::{AdapterTag, MAX_WEIGHT, Piece, Prompt};
use proptest::prelude::*;

/// Compares a prompt's pieces; `None` is a break.
fn check(text: &str, expected: &[Option<(&str, f64)>]) {
    let prompt = Prompt::parse(text);
    let found: Vec<Option<(&str, f64)>> = prompt
        .pieces()
        .iter()
        .map(|piece| match piece {
            Piece::Words { text, weight } => Some((text.as_str(), *weight)),
            Piece::Break => None,
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{text:?}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        match (found, expected) {
            (Some((words, weight)), Some((expected, expected_weight))) => {
                assert!(words == expected && (weight - expected_weight).abs() < 1e-12, "{text:?}: {found:?} is not {expected:?}");
            }
            _ => assert_eq!(found, expected, "{text:?}"),
        }
    }
}

fn words(text: &str, weight: f64) -> Option<(&str, f64)> {
    Some((text, weight))
}

/// The first six are the examples of the AUTOMATIC1111 web UI (`parse_prompt_attention` in modules/prompt_parser.py); the others follow from its definition.
#[test]
fn weights_are_read_as_in_the_web_ui() {
    check("normal text", &[words("normal text", 1.0)]);
    check("an (important) word", &[words("an ", 1.0), words("important", 1.1), words(" word", 1.0)]);
    check("(unbalanced", &[words("unbalanced", 1.1)]);
    check("\\(literal\\]", &[words("(literal]", 1.0)]);
    check("(unnecessary)(parens)", &[words("unnecessaryparens", 1.1)]);
    check(
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        &[
            words("a ", 1.0),
            words("house", 1.3 * 1.1 * 1.1),
            words(" ", 1.1),
            words("on", 1.0),
            words(" a ", 1.1),
            words("hill", 0.55),
            words(", sun, ", 1.1),
            words("sky", 1.4641),
            words(".", 1.1),
        ],
    );
    check("", &[words("", 1.0)]);
    check("()", &[words("", 1.0)]);
    check("a) b] c:2)", &[words("a) b] c:2)", 1.0)]);
    check("(a: 1.5 ) b", &[words("a", 1.5), words(" b", 1.0)]);
    check("(a:+.5)(b:-1.)(c:0)", &[words("a", 0.5), words("b", -1.0), words("c", 0.0)]);
    check(
        "(a:1.2.3) (b:1e3) (c:) (d:x)",
        &[
            words("a:1.2.3", 1.1),
            words(" ", 1.0),
            words("b:1e3", 1.1),
            words(" ", 1.0),
            words("c:", 1.1),
            words(" ", 1.0),
            words("d:x", 1.1),
        ],
    );
    check("[a:1.5]", &[words("a:1.5", 1.0 / 1.1)]);
    check("[a:1.5)", &[words("a:1.5)", 1.0 / 1.1)]);
    check("(a [b) c]", &[words("a ", 1.1), words("b", 1.0), words(" c", 1.0 / 1.1)]);
    check("[(b]) c", &[words("b c", 1.0)]);
    check("a\\\\b \\c \\", &[words("a\\b c ", 1.0)]);
    check("16:9 :) (:", &[words("16:9 :) ", 1.0), words(":", 1.1)]);
}

#[test]
fn breaks_are_whole_words() {
    check("a BREAK b", &[words("a", 1.0), None, words("b", 1.0)]);
    check("a\n BREAK \tBREAK,b", &[words("a", 1.0), None, words("", 1.0), None, words(",b", 1.0)]);
    check("BREAK", &[words("", 1.0), None, words("", 1.0)]);
    check("aBREAK BREAKb BREAK_ éBREAK break BREAK1", &[words("aBREAK BREAKb BREAK_ éBREAK break BREAK1", 1.0)]);
    check("(a BREAK b:1.2) c", &[words("a", 1.2), None, words("b", 1.2), words(" c", 1.0)]);
}

#[test]
fn adapters_are_taken_out() {
    let check = |text: &str, left: &str, expected: &[(&str, f64, f64)]| {
        let prompt = Prompt::parse(text);
        let adapter = |(name, text_encoder_weight, unet_weight): &(&str, f64, f64)| AdapterTag {
            name: (*name).to_owned(),
            text_encoder_weight: *text_encoder_weight,
            unet_weight: *unet_weight,
        };
        assert_eq!(prompt.adapters(), expected.iter().map(adapter).collect::<Vec<_>>(), "{text}");
        assert_eq!(prompt.text(), left, "{text}");
        assert_eq!(prompt.check(), Ok(()), "{text}");
    };
    check("a <lora:ink:0.8> fox", "a  fox", &[("ink", 0.8, 0.8)]);
    check("<lora:ink><lyco:my style v1.0:-0.5>fox", "fox", &[("ink", 1.0, 1.0), ("my style v1.0", -0.5, -0.5)]);
    check(
        "<lora:a:1:0.5> <lora:b:te=0.2:unet=0.3> <lora:c:0.7:unet=0.1:dyn=4>",
        "  ",
        &[("a", 1.0, 0.5), ("b", 0.2, 0.3), ("c", 0.7, 0.1)],
    );
    check("(<lora:ink:0.8>fox:1.2)", "fox", &[("ink", 0.8, 0.8)]);
    for text in ["<lora:>", "<lora: :1>", "<lora:open", "<LORA:x:1>", "<hypernet:x:1>", "a < b > c", "<cat-toy> backpack", "<b<lora"] {
        check(text, text, &[]);
    }
    check("<<lora:x>>", "<>", &[("x", 1.0, 1.0)]);
    let nested = Prompt::parse("<lora:open <lora:x:0.5>");
    assert_eq!((nested.text().as_str(), nested.adapters()[0].name.as_str()), ("", "open <lora"));
    assert!(nested.check().is_err());
}

#[test]
fn values_out_of_range_are_told_and_held_back() {
    for (text, expected) in [
        ("(a:100.5)", "the weight 100.5 in the prompt is out of range: weights go from -100 to 100"),
        ("(a:-101) (b:200)", "the weight -101 in the prompt is out of range: weights go from -100 to 100"),
        ("a <lora:x:nan>", "`<lora:x:nan>` in the prompt: the weight must be a number from -100 to 100"),
        ("a <lora:x:inf>", "`<lora:x:inf>` in the prompt: the weight must be a number from -100 to 100"),
        ("a <lora:x:1:te=strong>", "`<lora:x:1:te=strong>` in the prompt: the weight must be a number from -100 to 100"),
        ("<lora:x:>", "`<lora:x:>` in the prompt: the weight must be a number from -100 to 100"),
    ] {
        assert_eq!(Prompt::parse(text).check().unwrap_err().to_string(), expected);
    }
    for text in [format!("(a:{})", "9".repeat(400)), format!("{}a", "(".repeat(5000)), format!("{}a{}", "(".repeat(50), ":9)".repeat(50))] {
        check(&text, &[words("a", MAX_WEIGHT)]);
    }
    check(&format!("{}a", "[".repeat(8000)), &[words("a", 0.0)]);
    assert_eq!(Prompt::parse(&"(".repeat(5000)).check(), Ok(()));
}

/// A quadratic reader would need minutes for these.
#[test]
fn huge_prompts_are_read_in_linear_time() {
    const N: usize = 200_000;
    for text in [
        "(",
        "[",
        ")",
        "(a",
        "(a)",
        "[(a]b)",
        ":",
        ":1",
        ": ",
        "\\",
        "<lora:",
        "<lora::",
        "<lora: :",
        "<lora:a>",
        "BREAK ",
        "(BREAK:1.1)",
        "<",
        "<>",
    ] {
        let prompt = Prompt::parse(&text.repeat(N));
        assert!(!prompt.pieces().is_empty());
    }
    Prompt::parse(&format!("{}>", "<lora: :".repeat(N)));
    Prompt::parse(&format!("{}{}", "(a ".repeat(N), ":1.01)".repeat(N)));
}

proptest! {
    #[test]
    fn any_text_is_a_prompt(text in "\\PC{0,400}|[\\x00-\\x7f]{0,400}|[()\\[\\]:.0-9\\\\<>a lorBREAK-]{0,400}") {
        let prompt = Prompt::parse(&text);
        prop_assert!(!prompt.pieces().is_empty());
        for piece in prompt.pieces() {
            if let Piece::Words { weight, .. } = piece {
                prop_assert!(weight.abs() <= MAX_WEIGHT, "{weight}");
            }
        }
        // Nothing is made up: the words are a part of the text, in order.
        let mut left = text.chars();
        for character in prompt.text().chars().filter(|character| *character != ' ') {
            prop_assert!(left.any(|found| found == character), "{character:?} of {text:?}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is(text in "[^()\\[\\]\\\\<>B]{0,300}") {
        let prompt = Prompt::parse(&text);
        prop_assert_eq!(&prompt, &Prompt::plain(&text));
        prop_assert_eq!(prompt.text(), text);
    }

    #[test]
    fn escaped_text_is_drawn_as_it_is(text in "[^<B]{0,300}") {
        let escaped: String = text.chars().flat_map(|c| if "()[]\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
        prop_assert_eq!(Prompt::parse(&escaped), Prompt::plain(&text));
    }
}
