//! How a parameter is found.

use super::{
    parameter::{Key, Parameter},
    ranking::and_list,
    table::PARAMETERS,
};

/// The parameter of a spelling.
pub(super) fn find(spelling: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.is(spelling))
}

/// Every spelling of every parameter.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    PARAMETERS.iter().flat_map(|parameter| parameter.spellings.iter().copied())
}

/// The parameters that there are, each by its first spelling, as code. The strength is left out: few places have a picture that could change.
pub(super) fn known() -> String {
    let shown = PARAMETERS.iter().filter(|parameter| parameter.key != Key::Strength);
    let names: Vec<_> = shown.map(|parameter| format!("`--{}`", parameter.name())).collect();
    and_list(&names.iter().map(String::as_str).collect::<Vec<_>>())
}
