//! What to do by hand where nothing can be pulled.

use super::{
    Hub, ModelsFolder, Pull,
    folder::without_ending,
    source::{Repo, Source},
};

impl Pull {
    /// How to get by hand what cannot be pulled.
    pub fn by_hand(&self, hub: &Hub, models: &ModelsFolder) -> String {
        let name = self.name.clone().or_else(|| self.source.usual_name()).unwrap_or_else(|| "NAME".to_owned());
        let place = models.path().join(without_ending(&name));
        let page = |Repo { owner, name, .. }: &Repo| hub.url([owner.as_str(), name.as_str()]);
        let (what, from, to) = match &self.source {
            Source::Repo(repo) => ("the whole folder of".to_owned(), page(repo), place.display().to_string()),
            Source::RepoFile(repo, file) => (format!("{file} of"), page(repo), format!("{}.safetensors", place.display())),
            Source::Address(url) => ("the file at".to_owned(), url.clone(), format!("{}.safetensors", place.display())),
        };
        format!("without a network, download {what} {from} on another machine and copy it to {to}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Token;

    #[test]
    fn the_way_by_hand_names_where_from_and_where_to() {
        let hub = Hub::new("https://huggingface.co", Token::new("HF_TOKEN", "")).expect("an address");
        let models = ModelsFolder::new("./atelier-data/models");
        let by_hand = |source: &str, file: Option<&str>, name: Option<&str>| {
            let source = Source::parse(source, file, hub.endpoint()).expect(source);
            Pull { source, name: name.map(str::to_owned), sha256: None, variant: None }.by_hand(&hub, &models)
        };
        for (said, from, to) in [
            (by_hand("ada/tiny", None, None), "the whole folder of https://huggingface.co/ada/tiny on", "./atelier-data/models/tiny"),
            (by_hand("ada/tiny", None, Some("sd15")), "https://huggingface.co/ada/tiny on", "./atelier-data/models/sd15"),
            (
                by_hand("ada/tiny", Some("a/b.safetensors"), None),
                "a/b.safetensors of https://huggingface.co/ada/tiny on",
                "./atelier-data/models/b.safetensors",
            ),
            (
                by_hand("https://example.org/x.safetensors", None, Some("y")),
                "the file at https://example.org/x.safetensors on",
                "./atelier-data/models/y.safetensors",
            ),
        ] {
            assert!(said.contains(from) && said.ends_with(&format!("copy it to {to}")), "{said}");
        }
    }
}
