//! What an empty channel offers to press: what the owner of the stand-in says, and nothing else.

use crate::support::*;
use sandbox::{Idea, Sandbox, SandboxConfig, Visitor};
use serde_json::json;

#[tokio::test]
async fn ideas_are_those_of_the_program_that_owns_the_stand_in() {
    let none = start().await;
    let ada = Visitor::connect(none.url(), "ada").await.expect("ada is here");
    assert_eq!(ada.state().await.expect("it answers")["ideas"], json!([]), "a stranger's bot draws no frogs");

    let idea = |label: &str, picture: Option<&[u8]>| Idea {
        label: label.to_owned(),
        line: format!("/order {label}"),
        picture: picture.map(|bytes| bytes.to_vec().into()),
    };
    let ideas = vec![idea("tea", None), idea("a cake", Some(b"jpeg"))];
    let sandbox = Sandbox::start(SandboxConfig { ideas, ..config(None) }).await.expect("a sandbox in memory starts");
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let expected = json!([
        { "label": "tea", "line": "/order tea", "picture": null },
        { "label": "a cake", "line": "/order a cake", "picture": "/sandbox/api/ideas/1" },
    ]);
    assert_eq!(ada.state().await.expect("it answers")["ideas"], expected);
    let rest = Rest::new(&sandbox);
    let ask = async |path: &str| rest.client.get(format!("{}/sandbox/api/ideas/{path}", sandbox.url())).send().await.expect("it answers");
    let picture = ask("1").await;
    assert_eq!((picture.status().as_u16(), &picture.headers()["content-type"]), (200, &"image/jpeg".parse().expect("a value")));
    assert_eq!(picture.bytes().await.expect("a body"), "jpeg");
    for (path, status) in [("0", 404), ("2", 404), ("x", 400), ("-1", 400)] {
        let refused = ask(path).await;
        assert_eq!(refused.status().as_u16(), status, "{path}");
        let body: serde_json::Value = refused.json().await.expect("the refusal is JSON");
        assert!(body["error"].is_string(), "{body}");
    }
}
