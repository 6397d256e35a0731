//! `[policy]`: who runs the bot, and what is not for everybody.

use serde::Deserialize;

use super::Config;

/// `[policy]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// The people who may use `/admin owner`; none for the owner of the application, as Discord says.
    #[serde(deserialize_with = "super::limits::ids")]
    pub owners: Vec<u64>,
    /// Names of models that draw what is for adults, beside those whose section says so.
    pub adult_models: Vec<String>,
}

impl Config {
    /// Whether a model draws what is for adults.
    pub fn is_adult(&self, model: &str) -> bool {
        self.aliases.get(model).is_some_and(|alias| alias.adult) || self.policy.adult_models.iter().any(|name| name == model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_for_adults_are_named_in_their_section_or_in_a_list() {
        let text = "[policy]\nowners = [\" 7 \", 8]\nadult_models = [\"loose\"]\n[aliases.dreamy]\npath = \"/x\"\nadult = true\n[aliases.calm]\npath = \"/x\"";
        let config = Config::parse(text).expect("it is valid");
        assert_eq!(["loose", "dreamy", "calm", "other"].map(|name| config.is_adult(name)), [true, true, false, false]);
        assert_eq!(config.policy.owners, [7, 8]);
    }
}
