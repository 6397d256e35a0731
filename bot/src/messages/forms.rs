//! ✏️: forms with what somebody typed, or with what a job was drawn from.

use storage::DraftId;

use super::parts::named_button;
use crate::{
    answer::{Button, Field, File, Form},
    buttons::custom_id::{ButtonAction, FormId},
    jobs::drafts::{Part, Typed},
};

/// A form with what was typed.
pub fn form(draft: DraftId, typed: &Typed) -> Form {
    let field = |(part, number, value): (Part, usize, &str)| {
        let (label, hint) = match (part, number) {
            (Part::Prompt, 0) => ("Prompt", "What to draw, such as: a frog in the rain"),
            (Part::Prompt, _) => ("Prompt, continued", "It goes on where the field above ends"),
            (Part::Negative, 0) => ("What to stay away from", "Such as: text, people"),
            (Part::Negative, _) => ("What to stay away from, continued", "It goes on where the field above ends"),
            (Part::Parameters, _) => ("Parameters", "Such as --ar 3:2 --steps 30 --seed 7"),
        };
        Field {
            name: part.field_name(number),
            label,
            hint,
            value: value.to_owned(),
            is_long: part != Part::Parameters || value.contains('\n'),
            is_required: part == Part::Prompt && number == 0,
        }
    };
    let title = typed.is_onto().map_or("Remix", |onto| super::after::label(onto.after()));
    Form { custom_id: FormId { draft }.to_string(), title, fields: typed.fields().map(field).collect() }
}

/// What was typed, as a file.
pub fn as_file(typed: &Typed) -> File {
    let mut text = String::new();
    let mut before = None;
    for (part, _, value) in typed.fields() {
        if before.is_some_and(|before| before != part) {
            text.push_str("\n\n");
        }
        text.push_str(value);
        before = Some(part);
    }
    File { name: "what-you-typed.txt".into(), bytes: text.into_bytes(), description: "Prompt, negative prompt and parameters".into() }
}

/// Opens what was typed and refused.
pub fn reopen_button(draft: DraftId) -> Button {
    named_button("✏️", "Remix", ButtonAction::Reopen { draft })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::MAX_FIELDS, policy::Venue};

    #[test]
    fn every_form_fits_discord_and_its_file_has_all_of_it() {
        for (prompt, negative) in [("", ""), ("a frog", "leaves"), (&*"🐸 x".repeat(2000), &*"y".repeat(2000))] {
            let typed = Typed::new(prompt, negative, "--seed 7".into(), Venue::Direct);
            let form = form(DraftId::new(), &typed);
            assert!(form.custom_id.len() <= 100 && form.title.chars().count() <= 45 && (3..=MAX_FIELDS).contains(&form.fields.len()));
            for field in &form.fields {
                assert!(field.label.chars().count() <= 45 && field.hint.chars().count() <= 100 && field.value.chars().count() <= 4000);
            }
            let names: std::collections::HashSet<_> = form.fields.iter().map(|field| &field.name).collect();
            assert_eq!(names.len(), form.fields.len());
            assert_eq!(as_file(&typed).bytes, format!("{prompt}\n\n{negative}\n\n--seed 7").into_bytes());
        }
    }
}
