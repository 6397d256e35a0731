//! What a guild's people say of commands: who may use them, how a bot reads it, and when it hears of it.

use crate::support::*;
use reqwest::Method;
use sandbox::{Sandbox, Visitor, VisitorError};
use serde_json::{Value, json};

const GUILD: &str = "1000000000000000100";
const MODERATOR: &str = "1000000000000000102";
const MEMBER: &str = "1000000000000000104";

async fn say(sandbox: &Sandbox, id: &str, permissions: Value) -> Reply {
    let url = format!("{}/sandbox/api/control/command_permissions", sandbox.url());
    let body = json!({ "guild": GUILD, "id": id, "permissions": permissions });
    let answer = Rest::new(sandbox).client.put(url).json(&body).send().await.expect("it answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Reply { status, headers, body: answer.json().await.expect("it is JSON") }
}

fn on(kind: u64, id: &str, permission: bool) -> Value {
    json!({ "id": id, "type": kind, "permission": permission })
}

async fn may(person: &Visitor, channel: &str, command: &str) -> bool {
    match person.slash(channel, command, &[]).await {
        Ok(_) => true,
        Err(VisitorError::Refused { status: 403, sentence }) => {
            assert_eq!(sentence, "you are not allowed to use this command");
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn commands_obey_what_the_guild_says() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let commands = rest
        .register(
            json!([{ "name": "ping", "description": "x" }, { "name": "purge", "description": "x", "default_member_permissions": "0" }]),
        )
        .await;
    let (ping, purge) = (text(&commands[0], "id").to_owned(), text(&commands[1], "id").to_owned());
    let mut people = Vec::new();
    for name in ["ada", "grace", "linus"] {
        people.push(Visitor::connect(sandbox.url(), name).await.expect("the person is here"));
    }
    let check = async |what: &str, command: &str, channel: &str, expected: [bool; 3]| {
        let mut found = [false; 3];
        for (found, person) in found.iter_mut().zip(&people) {
            *found = may(person, channel, command).await;
            // The page knows the same beforehand.
            let query = format!("user={}&channel={}", person.user_id(), if channel == "general" { GENERAL } else { "1000000000000000111" });
            let listed: Value = rest
                .client
                .get(format!("{}/sandbox/api/commands?{query}", sandbox.url()))
                .send()
                .await
                .expect("it answers")
                .json()
                .await
                .expect("a list");
            assert_eq!(listed.as_array().expect("a list").iter().any(|known| known["name"] == command), *found, "{what}");
        }
        assert_eq!(found, expected, "{what}");
    };
    check("nothing is said", "ping", "general", [true, true, true]).await;
    check("a bot leaves it to administrators", "purge", "general", [true, false, false]).await;
    say(&sandbox, &purge, json!([on(1, MODERATOR, true)])).await;
    check("the guild gives it to moderators", "purge", "general", [true, true, false]).await;
    say(&sandbox, APP, json!([on(1, GUILD, false), on(1, MODERATOR, true)])).await;
    check("the application is the moderators'", "ping", "general", [true, true, false]).await;
    say(&sandbox, &ping, json!([on(1, MEMBER, true)])).await;
    check("but one command is everybody's", "ping", "general", [true, true, true]).await;
    let general = on(3, GENERAL, false);
    say(&sandbox, &ping, json!([on(1, MEMBER, true), general])).await;
    check("not in this channel", "ping", "general", [true, false, false]).await;
    check("in that one", "ping", "gallery", [true, true, true]).await;
    say(&sandbox, &ping, json!([])).await;
    say(&sandbox, APP, json!([])).await;
    check("nothing is said again", "ping", "general", [true, true, true]).await;
}

#[tokio::test]
async fn a_bot_reads_and_hears_what_the_guild_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sandbox = Sandbox::start(config(Some(folder.path()))).await.expect("it starts");
    let rest = Rest::new(&sandbox);
    let commands = rest.register(json!([{ "name": "ping", "description": "x" }])).await;
    let id = text(&commands[0], "id");
    let mut gateway = Gateway::ready(&sandbox).await;
    let list = json!([on(1, GUILD, false), on(2, "1000000000000000013", true), on(3, GENERAL, true)]);
    let said = say(&sandbox, id, list.clone()).await;
    let expected = json!({ "id": id, "application_id": APP, "guild_id": GUILD, "permissions": list });
    assert_eq!((said.status, &said.body), (200, &expected));
    assert_eq!(gateway.event("APPLICATION_COMMAND_PERMISSIONS_UPDATE").await, expected);
    let of_guild = format!("/applications/{APP}/guilds/{GUILD}/commands");
    assert_eq!(rest.get(&format!("{of_guild}/permissions")).await.body, json!([expected]));
    assert_eq!(rest.get(&format!("{of_guild}/{id}/permissions")).await.body, expected);
    assert_eq!(rest.get(&format!("{of_guild}/{APP}/permissions")).await.body["code"], 10066);
    drop(gateway);
    sandbox.shutdown().await;
    let sandbox = Sandbox::start(config(Some(folder.path()))).await.expect("it starts again");
    let rest = Rest::new(&sandbox);
    assert_eq!(rest.get(&format!("{of_guild}/permissions")).await.body, json!([expected]), "it outlives the process");
    let gone = rest.call(Method::DELETE, &format!("/applications/{APP}/commands/{id}"), Value::Null).await;
    assert_eq!(gone.status, 204);
    assert_eq!(rest.get(&format!("{of_guild}/permissions")).await.body, json!([]), "it goes with its command");
}

#[tokio::test]
async fn what_does_not_fit_the_guild_is_refused() {
    let sandbox = start().await;
    let many: Vec<Value> = (0..101).map(|_| on(1, GUILD, true)).collect();
    let cases = [
        (json!({}), "`permissions` must be a list"),
        (json!(many), "a command has at most 100 permissions"),
        (json!([{ "id": GUILD, "type": 1 }]), "a permission is {\"id\", \"type\": 1, 2 or 3, \"permission\": true or false}"),
        (json!([on(4, GUILD, true)]), "there is no 1000000000000000100 of kind 4 in this guild"),
        (json!([on(1, "7", true)]), "there is no 7 of kind 1 in this guild"),
        (json!([on(3, "1000000000000000210", true)]), "there is no 1000000000000000210 of kind 3 in this guild"),
        (json!([on(1, GUILD, true), on(1, GUILD, false)]), "1000000000000000100 is named twice"),
    ];
    for (permissions, sentence) in cases {
        let refused = say(&sandbox, APP, permissions).await;
        assert_eq!((refused.status, text(&refused.body, "error")), (400, sentence));
    }
    assert_eq!(say(&sandbox, "7", json!([])).await.status, 404);
    assert_eq!(say(&sandbox, APP, json!([on(3, "1000000000000000099", false)])).await.status, 200, "all channels");
}
