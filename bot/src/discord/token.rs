//! The bot's token: from the environment, a file, or what systemd hands over. It is never in the configuration, which people show each other.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use inference::checkpoint::regular;

/// The environment variable with the token itself.
pub const VARIABLE: &str = "DISCORD_TOKEN";
/// The environment variable with the path of a file that holds it.
pub const FILE_VARIABLE: &str = "DISCORD_TOKEN_FILE";
/// systemd's `LoadCredential=discord_token:PATH` puts it there, in `$CREDENTIALS_DIRECTORY`.
const CREDENTIAL: &str = "discord_token";
/// Tokens have some seventy letters.
const MAX_BYTES: u64 = 4096;

/// A token and where it was. It has no `Debug`, so that nothing prints it.
#[derive(Clone)]
pub struct Found {
    /// The token.
    pub token: String,
    /// Where it was, for people.
    pub place: String,
}

/// The bot's token, if there is one.
///
/// # Errors
/// Two places say something, or a file cannot be read or is empty.
pub fn find() -> anyhow::Result<Option<Found>> {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    found(variable(VARIABLE), variable(FILE_VARIABLE), credentials.as_deref())
}

fn found(token: Option<String>, file: Option<String>, credentials: Option<&Path>) -> anyhow::Result<Option<Found>> {
    match (token, file) {
        (Some(_), Some(_)) => bail!("{VARIABLE} and {FILE_VARIABLE} are both set; keep one"),
        (Some(token), None) => Ok(Some(Found { token, place: VARIABLE.to_owned() })),
        (None, Some(file)) => read(Path::new(&file), format!("the file of {FILE_VARIABLE}")).map(Some),
        (None, None) => match credentials.map(|folder| folder.join(CREDENTIAL)).filter(|path| path.exists()) {
            Some(path) => read(&path, format!("the credential {CREDENTIAL}")).map(Some),
            None => Ok(None),
        },
    }
}

fn read(path: &Path, place: String) -> anyhow::Result<Found> {
    let text = regular::read_text(path, MAX_BYTES).with_context(|| format!("{place} cannot be read"))?;
    let token = text.trim().to_owned();
    if token.is_empty() || token.contains(char::is_whitespace) {
        bail!("{place} ({}) holds no token: it must be the token alone, in one line", path.display());
    }
    Ok(Found { token, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_one_of_three_places() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let given = file("token", "abc.def.ghi\n");
        let token = |token: Option<&str>, path: Option<&str>, credentials: Option<&Path>| {
            let found = found(token.map(str::to_owned), path.map(str::to_owned), credentials);
            found.map(|found| found.map(|found| (found.token, found.place))).map_err(|error| format!("{error:#}"))
        };
        let of = |token: &str, place: &str| Ok(Some((token.to_owned(), place.to_owned())));
        assert_eq!(token(None, None, None), Ok(None));
        assert_eq!(token(None, None, Some(folder.path())), Ok(None));
        assert_eq!(token(Some("a.b.c"), None, None), of("a.b.c", "DISCORD_TOKEN"));
        assert_eq!(token(None, Some(&given), None), of("abc.def.ghi", "the file of DISCORD_TOKEN_FILE"));
        file("discord_token", "x.y.z");
        assert_eq!(token(None, None, Some(folder.path())), of("x.y.z", "the credential discord_token"));
        assert_eq!(token(Some("a.b.c"), None, Some(folder.path())), of("a.b.c", "DISCORD_TOKEN"), "what is set by hand goes before");
        for (path, expected) in [
            (file("empty", " \n"), "holds no token"),
            (file("two", "a b"), "holds no token"),
            (file("long", &"x".repeat(5000)), "4096 are the most"),
            (folder.path().display().to_string(), "it is a folder"),
            ("/nowhere/token".to_owned(), "is missing"),
        ] {
            let error = token(None, Some(&path), None).expect_err(&path);
            assert!(error.starts_with("the file of DISCORD_TOKEN_FILE") && error.contains(expected) && !error.contains("a b"), "{error}");
        }
        assert!(token(Some("a"), Some(&given), None).expect_err("two").contains("keep one"));
    }
}
