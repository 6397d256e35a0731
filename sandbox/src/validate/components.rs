use super::{is_given, items, number, text, url};
use crate::error::FormErrors;
use serde_json::Value;
use std::collections::HashSet;

const ACTION_ROW: u64 = 1;
const BUTTON: u64 = 2;
const STRING_SELECT: u64 = 3;
const SECTION: u64 = 9;
const TEXT_DISPLAY: u64 = 10;
const CONTAINER: u64 = 17;
const LINK_BUTTON: u64 = 5;
const PREMIUM_BUTTON: u64 = 6;

/// What stands at the top of a message without and with the flag for components alone, and inside of what.
const TOP: [u64; 1] = [ACTION_ROW];
const TOP_V2: [u64; 7] = [ACTION_ROW, SECTION, TEXT_DISPLAY, 12, 13, 14, CONTAINER];
const IN_ROW: [u64; 6] = [BUTTON, STRING_SELECT, 5, 6, 7, 8];
const IN_SECTION: [u64; 1] = [TEXT_DISPLAY];
const BESIDE_SECTION: [u64; 2] = [BUTTON, 11];
const IN_CONTAINER: [u64; 6] = [ACTION_ROW, SECTION, TEXT_DISPLAY, 12, 13, 14];

const N_ROWS: usize = 5;
/// A row is as wide as five buttons or one menu.
const ROW_WIDTH: usize = 5;
const N_COMPONENTS_V2: usize = 40;
/// What all texts of a message of components may hold.
const N_CHARACTERS_V2: usize = 4000;
const N_OPTIONS: usize = 25;

/// The custom ids of one message or form.
pub(super) type Seen<'a> = HashSet<&'a str>;

/// Notes what is wrong with the components of a message.
pub(super) fn of_message(errors: &mut FormErrors, at: &str, rows: &[Value], is_v2: bool) {
    if !is_v2 && rows.len() > N_ROWS {
        errors.too_long(at, N_ROWS);
    }
    if is_v2 && rows.iter().map(n_components).sum::<usize>() > N_COMPONENTS_V2 {
        let told = format!("Total number of components exceeds maximum of {N_COMPONENTS_V2}");
        errors.add(at, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", told);
    }
    if is_v2 && rows.iter().map(n_characters).sum::<usize>() > N_CHARACTERS_V2 {
        let told = format!("Components displayable text size exceeds maximum size of {N_CHARACTERS_V2}");
        errors.add(at, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", told);
    }
    let mut seen = Seen::new();
    for (n, row) in rows.iter().enumerate() {
        component(errors, &format!("{at}.{n}"), row, if is_v2 { &TOP_V2 } else { &TOP }, &mut seen);
    }
}

/// A component must be of a kind that its place takes.
pub(super) fn is_allowed(errors: &mut FormErrors, path: &str, value: &Value, allowed: &[u64]) -> bool {
    let is_allowed = value["type"].as_u64().is_some_and(|kind| allowed.contains(&kind));
    if !value.is_object() {
        errors.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
    } else if value["type"].is_null() {
        errors.required(&format!("{path}.type"));
    } else if !is_allowed {
        errors.union(path, &allowed.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    }
    is_allowed
}

fn component<'a>(errors: &mut FormErrors, path: &str, value: &'a Value, allowed: &[u64], seen: &mut Seen<'a>) {
    if !is_allowed(errors, path, value, allowed) {
        return;
    }
    let inner = items(&value["components"]);
    let mut children = |errors: &mut FormErrors, max: usize, allowed: &[u64]| {
        if inner.is_empty() || inner.len() > max {
            errors.bad_length(&format!("{path}.components"), 1, max);
        }
        for (n, child) in inner.iter().enumerate() {
            component(errors, &format!("{path}.components.{n}"), child, allowed, seen);
        }
    };
    match value["type"].as_u64() {
        Some(ACTION_ROW) => {
            children(errors, ROW_WIDTH, &IN_ROW);
            width(errors, path, inner);
        }
        Some(SECTION) => {
            children(errors, 3, &IN_SECTION);
            match &value["accessory"] {
                Value::Null => errors.required(&format!("{path}.accessory")),
                accessory => component(errors, &format!("{path}.accessory"), accessory, &BESIDE_SECTION, seen),
            }
        }
        Some(CONTAINER) => children(errors, N_COMPONENTS_V2, &IN_CONTAINER),
        Some(BUTTON) => button(errors, path, value, seen),
        Some(STRING_SELECT | 5..=8) => select(errors, path, value, seen),
        _ => {}
    }
}

/// A menu leaves no room for anything else in its row.
fn width(errors: &mut FormErrors, path: &str, row: &[Value]) {
    let mut width = 0;
    for (n, component) in row.iter().enumerate() {
        let is_menu = component["type"].as_u64().is_some_and(|kind| kind != BUTTON);
        width += if is_menu { ROW_WIDTH } else { 1 };
        if width > ROW_WIDTH && (is_menu || n < ROW_WIDTH) {
            let told = "The specified component exceeds the maximum width";
            errors.add(&format!("{path}.components.{n}"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", told);
        }
    }
}

fn button<'a>(errors: &mut FormErrors, path: &str, button: &'a Value, seen: &mut Seen<'a>) {
    let style = button["style"].as_u64().unwrap_or(0);
    if !(1..=PREMIUM_BUTTON).contains(&style) {
        errors.choice(&format!("{path}.style"), "1, 2, 3, 4, 5, 6");
        return;
    }
    let mut refuse = |field: &str, code: &str, told: &str| {
        if is_given(&button[field]) {
            errors.add(&format!("{path}.{field}"), code, told);
        }
    };
    const EXCLUSIVE: (&str, &str) = ("BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified");
    match style {
        PREMIUM_BUTTON => {
            for field in ["custom_id", "label", "url", "emoji"] {
                refuse(field, "BUTTON_COMPONENT_PREMIUM_INVALID", "Premium buttons cannot have a custom id, label, url or emoji");
            }
            if !is_given(&button["sku_id"]) {
                errors.add(&format!("{path}.sku_id"), "BUTTON_COMPONENT_SKU_ID_REQUIRED", "A sku id is required");
            }
            return;
        }
        LINK_BUTTON => {
            refuse("custom_id", EXCLUSIVE.0, EXCLUSIVE.1);
            if is_given(&button["url"]) {
                text(errors, &format!("{path}.url"), &button["url"], 1, 512);
                url(errors, &format!("{path}.url"), &button["url"], &["http", "https", "discord"]);
            } else {
                errors.add(&format!("{path}.url"), "BUTTON_COMPONENT_URL_REQUIRED", "A url is required");
            }
        }
        _ => {
            refuse("url", EXCLUSIVE.0, EXCLUSIVE.1);
            if is_given(&button["custom_id"]) {
                custom_id(errors, path, button, seen);
            } else {
                errors.add(&format!("{path}.custom_id"), "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A custom id is required");
            }
        }
    }
    if is_given(&button["sku_id"]) {
        errors.add(&format!("{path}.sku_id"), "BUTTON_COMPONENT_SKU_ID_INVALID", "Only premium buttons can have a sku id");
    }
    text(errors, &format!("{path}.label"), &button["label"], 0, 80);
    if !is_given(&button["label"]) && button["emoji"].is_null() {
        errors.add(path, "BUTTON_COMPONENT_MISSING_LABEL_OR_EMOJI", "A button must have a label or an emoji");
    }
}

/// Notes what is wrong with a menu of any kind.
pub(super) fn select<'a>(errors: &mut FormErrors, path: &str, select: &'a Value, seen: &mut Seen<'a>) {
    custom_id(errors, path, select, seen);
    text(errors, &format!("{path}.placeholder"), &select["placeholder"], 0, 150);
    number(errors, &format!("{path}.min_values"), &select["min_values"], 0, 25);
    number(errors, &format!("{path}.max_values"), &select["max_values"], 1, 25);
    let least = select["min_values"].as_i64().unwrap_or(1);
    let most = select["max_values"].as_i64().unwrap_or(1);
    if least > most {
        let told = format!("min_values must be equal to or less than {most}.");
        errors.add(&format!("{path}.min_values"), "NUMBER_TYPE_MAX", told);
    }
    if select["type"] == STRING_SELECT {
        options(errors, path, items(&select["options"]), most);
    } else if items(&select["default_values"]).len() as i64 > most {
        too_many_defaults(errors, &format!("{path}.default_values"));
    }
}

fn options(errors: &mut FormErrors, path: &str, options: &[Value], most: i64) {
    if options.is_empty() || options.len() > N_OPTIONS {
        errors.bad_length(&format!("{path}.options"), 1, N_OPTIONS);
    } else if most > options.len() as i64 {
        let told = format!("max_values must be equal to or less than {}.", options.len());
        errors.add(&format!("{path}.max_values"), "NUMBER_TYPE_MAX", told);
    }
    let mut values = HashSet::new();
    for (n, option) in options.iter().enumerate() {
        let at = format!("{path}.options.{n}");
        text(errors, &format!("{at}.label"), &option["label"], 1, 100);
        text(errors, &format!("{at}.value"), &option["value"], 1, 100);
        text(errors, &format!("{at}.description"), &option["description"], 0, 100);
        if option["value"].as_str().is_some_and(|value| !values.insert(value)) {
            errors.add(&at, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used");
        }
    }
    if options.iter().filter(|option| option["default"] == true).count() as i64 > most {
        too_many_defaults(errors, &format!("{path}.options"));
    }
}

fn too_many_defaults(errors: &mut FormErrors, path: &str) {
    let told = "The specified number of default values exceeds the specified maximum values";
    errors.add(path, "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", told);
}

/// A custom id is there once.
pub(super) fn custom_id<'a>(errors: &mut FormErrors, path: &str, component: &'a Value, seen: &mut Seen<'a>) {
    let path = format!("{path}.custom_id");
    text(errors, &path, &component["custom_id"], 1, 100);
    if let Some(custom_id) = component["custom_id"].as_str()
        && !seen.insert(custom_id)
    {
        errors.add(&path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
    }
}

fn n_components(component: &Value) -> usize {
    1 + children(component).map(n_components).sum::<usize>()
}

fn n_characters(component: &Value) -> usize {
    let own = component["content"].as_str().filter(|_| component["type"] == TEXT_DISPLAY).map_or(0, |text| text.chars().count());
    own + children(component).map(n_characters).sum::<usize>()
}

fn children(component: &Value) -> impl Iterator<Item = &Value> {
    items(&component["components"]).iter().chain(component.get("accessory").filter(|accessory| accessory.is_object()))
}
