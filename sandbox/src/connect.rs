//! How a bot finds this stand-in, for each library: for the page, for the program's first words, and for the checks that run these lines.

use serde::Serialize;
use serde_json::json;

/// The addresses and the token that the whole programs have when they are not told others.
const EXAMPLE_URL: &str = "http://127.0.0.1:8090";
const EXAMPLE_TOKEN: &str = "sandbox";

/// How a bot that is written with one library connects.
#[derive(Clone, Debug, Serialize)]
pub struct Guide {
    /// The library.
    pub library: &'static str,
    /// The command that gets it.
    pub install: &'static str,
    /// The lines that make a bot of that library connect here.
    pub lines: String,
    /// A whole bot, as one file.
    pub program: String,
    /// What that file is called.
    pub file: &'static str,
    /// The command that runs it.
    pub run: &'static str,
}

struct Library {
    name: &'static str,
    install: &'static str,
    /// With `{url}`, `{gateway}` and `{token}` where texts are, without quotes.
    lines: &'static str,
    example: &'static str,
    /// How the example asks for its address and its token.
    asks: [&'static str; 2],
    /// How a text is written where it asked: `{}` is the text, with quotes.
    text: &'static str,
    /// Lines of the example that begin so are for its own place.
    left_out: &'static [&'static str],
    file: &'static str,
    run: &'static str,
}

const LIBRARIES: [Library; 3] = [
    Library {
        name: "discord.py",
        install: "pip install discord.py",
        lines: r#"import discord, yarl

# Both lines: with the first alone the bot would take its token to Discord's own gateway.
discord.http.Route.BASE = {url}/api/v10
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL({gateway})
client.run({token})
"#,
        example: include_str!("../examples/echo.py"),
        asks: [r#"os.environ.get("SANDBOX_URL", {})"#, r#"os.environ.get("DISCORD_TOKEN", {})"#],
        text: "{}",
        left_out: &["import os"],
        file: "bot.py",
        run: "python bot.py",
    },
    Library {
        name: "discord.js",
        install: "npm install discord.js",
        lines: r#"const client = new Client({ intents, rest: { api: {url}/api } });
await client.login({token});
"#,
        example: include_str!("../examples/echo.mjs"),
        asks: ["process.env.SANDBOX_URL ?? {}", "process.env.DISCORD_TOKEN ?? {}"],
        text: "{}",
        left_out: &[],
        file: "bot.mjs",
        run: "node bot.mjs",
    },
    Library {
        name: "serenity",
        install: "cargo add serenity@0.12 && cargo add reqwest@0.12 --no-default-features && cargo add tokio --features macros,rt-multi-thread",
        lines: r#"// With the library's own rate limiter on, the proxy is passed over and the token goes to Discord.
let http = HttpBuilder::new({token}).proxy({url}).ratelimiter_disabled(true).build();
let mut client = ClientBuilder::new_with_http(http, intents).event_handler(Handler).await?;
client.start().await?;
"#,
        example: include_str!("../examples/echo.rs"),
        asks: [
            r#"std::env::var("SANDBOX_URL").unwrap_or_else(|_| {}.to_owned())"#,
            r#"std::env::var("DISCORD_TOKEN").unwrap_or_else(|_| {}.to_owned())"#,
        ],
        text: "{}.to_owned()",
        left_out: &["//! ", "#[allow(dead_code"],
        file: "src/main.rs",
        run: "cargo run",
    },
];

/// One guide for each library.
pub(crate) fn guides(url: &str, gateway: &str, token: &str) -> Vec<Guide> {
    LIBRARIES.iter().map(|library| library.guide(url, gateway, token)).collect()
}

impl Library {
    fn guide(&self, url: &str, gateway: &str, token: &str) -> Guide {
        let lines = self.lines.replace("{url}/api/v10", &quoted(&format!("{url}/api/v10")));
        let lines = lines.replace("{url}/api", &quoted(&format!("{url}/api"))).replace("{url}", &quoted(url));
        let lines = lines.replace("{gateway}", &quoted(gateway)).replace("{token}", &quoted(token));
        let is_for_all = |line: &&str| !self.left_out.iter().any(|start| line.starts_with(start));
        let mut program = self.example.lines().filter(is_for_all).collect::<Vec<_>>().join("\n");
        for (ask, (given, text)) in self.asks.iter().zip([(EXAMPLE_URL, url), (EXAMPLE_TOKEN, token)]) {
            program = program.replace(&ask.replace("{}", &quoted(given)), &self.text.replace("{}", &quoted(text)));
        }
        Guide {
            library: self.name,
            install: self.install,
            lines,
            program: format!("{}\n", program.trim_start()),
            file: self.file,
            run: self.run,
        }
    }
}

/// A text as all three languages write it.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guide_names_this_stand_in_and_no_other() {
        for Guide { library, lines, program, .. } in guides("http://127.0.0.1:4321", "ws://127.0.0.1:4321", "a \"word\"") {
            for text in [&lines, &program] {
                assert!(text.contains("http://127.0.0.1:4321") && text.contains(r#""a \"word\"""#), "{library}: {text}");
                for other in ["8090", "environ.get", "process.env", "env::var"] {
                    assert!(!text.contains(other), "{library} has {other}: {text}");
                }
            }
            assert!(!["{url}", "{token}", "{gateway}"].iter().any(|place| lines.contains(place)), "{library}: {lines}");
        }
    }
}
