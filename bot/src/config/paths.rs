//! Paths as people write them: `~` is the home folder, and a backslash in TOML's double quotes begins an escape.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::Config;

/// Said where a backslash became something else.
const BACKSLASH: &str = "in TOML a backslash in double quotes begins an escape; write the path in single quotes, such as 'C:\\models\\new'";

impl Config {
    /// Every path of the configuration with its key.
    fn paths_mut(&mut self) -> Vec<(String, &mut PathBuf)> {
        let mut paths = vec![
            ("model.path".to_owned(), &mut self.model.path),
            ("model.upscaler".to_owned(), &mut self.model.upscaler),
            ("models.dir".to_owned(), &mut self.models.dir),
            ("data.dir".to_owned(), &mut self.data.dir),
            ("prompts.wildcards".to_owned(), &mut self.prompts.wildcards),
            ("describe.clip".to_owned(), &mut self.describe.clip),
            ("describe.words".to_owned(), &mut self.describe.words),
        ];
        for (name, alias) in &mut self.aliases {
            paths.push((format!("aliases.{name}.path"), &mut alias.path));
            paths.push((format!("aliases.{name}.vae"), &mut alias.vae));
            paths.push((format!("aliases.{name}.text_encoder"), &mut alias.text_encoder));
            paths.push((format!("aliases.{name}.tokenizer"), &mut alias.tokenizer));
        }
        for (table, files) in [("loras", &mut self.loras), ("embeddings", &mut self.embeddings)] {
            paths.extend(files.iter_mut().map(|(name, path)| (format!("{table}.{name}"), path)));
        }
        paths
    }

    /// Puts the home folder in place of `~`, and refuses what no path is.
    pub(super) fn settle_paths(&mut self, home: Option<&Path>) -> anyhow::Result<()> {
        for (key, path) in self.paths_mut() {
            settle(path, home).with_context(|| format!("`{key}`"))?;
        }
        Ok(())
    }
}

fn settle(path: &mut PathBuf, home: Option<&Path>) -> anyhow::Result<()> {
    let Some(text) = path.to_str() else { return Ok(()) };
    if let Some(sign) = text.chars().find(|sign| sign.is_control()) {
        bail!("the path has {} in it: {BACKSLASH}", sign.escape_default());
    }
    let Some(rest) = text.strip_prefix('~') else { return Ok(()) };
    let rest = match rest.strip_prefix('/') {
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => bail!(
            "`{text}`: only `~/` is read as a home folder, your own; write another's path in full, or `./{text}` for a folder of that name"
        ),
    };
    *path = home.with_context(|| format!("`{text}`: HOME is not set, so nobody knows where `~` is"))?.join(rest);
    Ok(())
}

/// A mistake in TOML, with what to do where a backslash is the reason.
pub(super) fn explained(error: toml::de::Error) -> anyhow::Error {
    let is_escape = error.message().contains("escape") || error.message().contains("unicode");
    let error = anyhow::Error::new(error);
    if is_escape { error.context(BACKSLASH) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(text: &str) -> anyhow::Result<PathBuf> {
        let mut path = PathBuf::from(text);
        settle(&mut path, Some(Path::new("/home/ada"))).map(|()| path)
    }

    #[test]
    fn the_tilde_is_the_home_folder_at_the_start_only() {
        for (text, expected) in [
            ("~", "/home/ada"),
            ("~/", "/home/ada"),
            ("~/atelier/data", "/home/ada/atelier/data"),
            ("", ""),
            ("./~", "./~"),
            ("/a/~/b", "/a/~/b"),
            ("a~b", "a~b"),
            ("/données/モデル", "/données/モデル"),
        ] {
            assert_eq!(settled(text).expect(text), Path::new(expected), "{text}");
        }
        let error = settled("~bob/x").expect_err("another's").to_string();
        assert!(error.contains("only `~/` is read as a home folder"), "{error}");
        let error = settle(&mut "~/x".into(), None).expect_err("no home").to_string();
        assert!(error.contains("HOME is not set"), "{error}");
    }

    #[test]
    fn every_path_of_the_configuration_is_settled() {
        let text = "[data]\ndir = \"~/d\"\n[model]\npath = \"~/m\"\nupscaler = \"~/u\"\n[models]\ndir = \"~/ms\"\n[prompts]\nwildcards = \"~/w\"\n\
                    [describe]\nclip = \"~/c\"\nwords = \"~/cw\"\n\
                    [aliases.a]\npath = \"~/a\"\nvae = \"~/v\"\ntext_encoder = \"~/te\"\ntokenizer = \"~/to\"\n[loras]\nink = \"~/l\"\n[embeddings]\ngood = \"~/e\"";
        let mut config: Config = toml::from_str(text).expect("it is TOML");
        config.settle_paths(Some(Path::new("/h"))).expect("a home");
        let paths: Vec<_> = config.paths_mut().into_iter().map(|(key, path)| format!("{key}={}", path.display())).collect();
        assert!(paths.len() == 13 && paths.iter().all(|path| path.contains("=/h/")), "{paths:?}");
    }

    #[test]
    fn a_backslash_that_became_something_else_is_explained() {
        for text in
            [r#"path = "C:\new\table""#, r#"path = "C:\models""#, r#"path = "C:\users\x""#, r#"path = "C:\U""#, r#"path = "\\server\new""#]
        {
            let error = format!("{:#}", Config::parse(&format!("[model]\n{text}")).expect_err(text));
            assert!(error.contains("write the path in single quotes"), "{text}: {error}");
        }
        let config = Config::parse("[model]\npath = 'C:\\new\\table'").expect("single quotes");
        assert_eq!(config.model.path, Path::new("C:\\new\\table"));
    }
}
