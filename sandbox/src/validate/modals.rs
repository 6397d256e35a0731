use super::{
    components::{Seen, custom_id, is_allowed, select},
    items, join, number, text,
};
use crate::error::FormErrors;
use serde_json::Value;

const ROW: u64 = 1;
const TEXT_INPUT: u64 = 4;
const LABEL: u64 = 18;
const FILE_UPLOAD: u64 = 19;
const TOP: [u64; 3] = [ROW, 10, LABEL];
const IN_LABEL: [u64; 10] = [3, TEXT_INPUT, 5, 6, 7, 8, FILE_UPLOAD, 21, 22, 23];
const N_COMPONENTS: usize = 5;

/// Notes what is wrong with a form that a callback opens.
pub(crate) fn modal(errors: &mut FormErrors, at: &str, body: &Value) {
    text(errors, &join(at, "custom_id"), &body["custom_id"], 1, 100);
    text(errors, &join(at, "title"), &body["title"], 1, 45);
    let path = join(at, "components");
    let rows = items(&body["components"]);
    if rows.is_empty() || rows.len() > N_COMPONENTS {
        errors.bad_length(&path, 1, N_COMPONENTS);
    }
    let mut seen = Seen::new();
    for (n, row) in rows.iter().enumerate() {
        let path = format!("{path}.{n}");
        if !is_allowed(errors, &path, row, &TOP) {
            continue;
        }
        match row["type"].as_u64() {
            Some(ROW) => {
                let inputs = items(&row["components"]);
                if inputs.len() != 1 {
                    errors.bad_length(&format!("{path}.components"), 1, 1);
                }
                for (n, value) in inputs.iter().enumerate() {
                    let path = format!("{path}.components.{n}");
                    if is_allowed(errors, &path, value, &[TEXT_INPUT]) {
                        text(errors, &format!("{path}.label"), &value["label"], 1, 45);
                        input(errors, &path, value, &mut seen);
                    }
                }
            }
            Some(LABEL) => {
                text(errors, &format!("{path}.label"), &row["label"], 1, 45);
                text(errors, &format!("{path}.description"), &row["description"], 0, 100);
                let path = format!("{path}.component");
                if is_allowed(errors, &path, &row["component"], &IN_LABEL) {
                    input(errors, &path, &row["component"], &mut seen);
                }
            }
            _ => {}
        }
    }
}

fn input<'a>(errors: &mut FormErrors, path: &str, input: &'a Value, seen: &mut Seen<'a>) {
    match input["type"].as_u64() {
        Some(TEXT_INPUT) => text_input(errors, path, input, seen),
        Some(3 | 5..=8) => {
            select(errors, path, input, seen);
            if input["required"] == true && input["min_values"] == 0 {
                let told = "Select menus marked as required cannot have a min_values of 0";
                errors.add(&format!("{path}.min_values"), "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES", told);
            }
        }
        Some(FILE_UPLOAD) => {
            custom_id(errors, path, input, seen);
            number(errors, &format!("{path}.min_values"), &input["min_values"], 0, 10);
            number(errors, &format!("{path}.max_values"), &input["max_values"], 1, 10);
        }
        _ => custom_id(errors, path, input, seen),
    }
}

fn text_input<'a>(errors: &mut FormErrors, path: &str, input: &'a Value, seen: &mut Seen<'a>) {
    custom_id(errors, path, input, seen);
    if !matches!(input["style"].as_u64(), Some(1 | 2)) {
        errors.choice(&format!("{path}.style"), "1, 2");
    }
    text(errors, &format!("{path}.placeholder"), &input["placeholder"], 0, 100);
    text(errors, &format!("{path}.value"), &input["value"], 0, 4000);
    number(errors, &format!("{path}.min_length"), &input["min_length"], 0, 4000);
    number(errors, &format!("{path}.max_length"), &input["max_length"], 1, 4000);
    let most = input["max_length"].as_i64().unwrap_or(4000);
    if input["min_length"].as_i64().is_some_and(|least| least > most) {
        errors.add(&format!("{path}.min_length"), "NUMBER_TYPE_MAX", format!("int value should be less than or equal to {most}."));
    }
}
