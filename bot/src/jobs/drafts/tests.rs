use proptest::prelude::*;

use super::*;
use crate::intake::Address;

fn sent(typed: &Typed) -> Vec<(String, String)> {
    typed.fields().map(|(part, number, value)| (part.field_name(number), value.to_owned())).collect()
}

fn joined(typed: &Typed, of: Part) -> String {
    typed.fields().filter(|(part, ..)| *part == of).map(|(_, _, value)| value).collect()
}

/// What people type: words, white space of all kinds, marks, emoji of one to many characters.
fn text(max_pieces: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("frog ".to_owned()),
        Just("\n".to_owned()),
        Just("  \t".to_owned()),
        Just("`\"'\\*--".to_owned()),
        Just("👩‍🚀".to_owned()),
        Just("🐸".repeat(700)),
        Just("x".repeat(1999)),
        "\\PC{0,30}",
    ];
    prop::collection::vec(piece, 0..max_pieces).prop_map(|pieces| pieces.concat().chars().take(6000).collect())
}

proptest! {
    #[test]
    fn a_form_holds_what_was_typed_to_the_letter(prompt in text(12), negative in text(12), parameters in text(2)) {
        let negative: String = negative.chars().take(2000).collect();
        let file = Address::File { url: "https://cdn.discordapp.com/a.png".into() };
        let named = Named { init: Some(file), ..Named::default() };
        let typed = Typed::new(&prompt, &negative, parameters.clone(), Venue::Guild(7)).with(named);
        let fields: Vec<_> = typed.fields().collect();
        prop_assert!(fields.len() <= MAX_FIELDS, "{} fields", fields.len());
        for (part, _, value) in &fields {
            prop_assert!(*part == Part::Parameters || value.chars().count() <= MAX_FIELD);
        }
        prop_assert_eq!(joined(&typed, Part::Prompt), prompt);
        prop_assert_eq!(joined(&typed, Part::Negative), negative);
        prop_assert_eq!(joined(&typed, Part::Parameters), parameters);
        // Kept, opened and sent again without a change it is the same, however often.
        let again = Typed::of_fields(sent(&typed), Venue::Guild(7), Some(&typed));
        prop_assert_eq!(sent(&again), sent(&typed));
        let stored: Typed = serde_json::from_value(serde_json::to_value(&again).expect("JSON")).expect("a draft");
        prop_assert_eq!(&stored, &again);
        prop_assert_eq!(again.named(), typed.named());
    }

    #[test]
    fn pieces_fit_a_field_and_are_the_text_together(text in text(12)) {
        let pieces = split(&text, char::len_utf16);
        prop_assert_eq!(pieces.concat(), text.as_str());
        for piece in &pieces {
            prop_assert!(piece.encode_utf16().count() <= MAX_FIELD && !piece.is_empty());
        }
    }
}

#[test]
fn a_long_prompt_is_cut_inside_of_a_word() {
    let check = |text: &str, expected: &[usize]| {
        let pieces = split(text, char::len_utf16);
        assert_eq!(pieces.iter().map(|piece| piece.chars().count()).collect::<Vec<_>>(), expected);
        assert_eq!(pieces.concat(), text);
        for (one, next) in pieces.iter().zip(pieces.iter().skip(1)) {
            assert!(!one.ends_with(char::is_whitespace) && !next.starts_with(char::is_whitespace));
        }
    };
    check("", &[]);
    check(&"x".repeat(4000), &[4000]);
    check(&"x".repeat(4001), &[4000, 1]);
    check(&"frog ".repeat(1000), &[3998, 1002]);
    check(&"🐸".repeat(6000), &[2000, 2000, 2000]);
    // Nothing but white space has no better place; it is cut all the same.
    assert_eq!(split(&" ".repeat(4001), char::len_utf16).concat().len(), 4001);
}

#[test]
fn options_become_parameters_as_they_were_typed() {
    let options = [
        ("prompt", "a frog --sede 7"),
        ("negative", "text, `people`"),
        ("cfg", "7.5"),
        ("aspect", "0:2"),
        ("sampler", "DPM++ 2M Karras"),
        ("model", ""),
    ];
    let typed = Typed::of_options(options.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), Venue::Direct);
    let expected = [
        ("prompt0", "a frog --sede 7"),
        ("negative0", "text, `people`"),
        ("parameters0", "--cfg 7.5 --aspect 0:2 --sampler \"DPM++ 2M Karras\""),
    ];
    assert_eq!(sent(&typed), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
