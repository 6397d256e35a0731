//! What the page shows, and the journal: the stand-in's own API, as far as a person of the tests does not have it.

use serde_json::Value;

/// The stand-in's API for its page.
#[derive(Clone)]
pub struct Page {
    client: reqwest::Client,
    base: String,
}

impl Page {
    /// Of the stand-in at `url`.
    pub fn of(url: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { client, base: format!("{url}/sandbox/api") }
    }

    /// An answer of `GET`.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Value {
        let answer = self.client.get(format!("{}{path}", self.base)).query(query).send().await.expect("the stand-in answers");
        let answer = answer.error_for_status().expect("what is asked for is there");
        serde_json::from_slice(&answer.bytes().await.expect("the answer comes whole")).expect("JSON")
    }

    /// The journal's lines after a number, and the number to go on from. None of them may have been forgotten.
    pub async fn journal(&self, after: u64) -> (u64, Vec<Value>) {
        // Without those of heartbeats nobody knows whether one is missing.
        let query = [("after", after.to_string()), ("limit", "1000".to_owned()), ("heartbeats", "true".to_owned())];
        let mut answer = self.get("/control/journal", &query).await;
        let Value::Array(lines) = answer["lines"].take() else { panic!("the journal has lines") };
        if let Some(first) = lines.first() {
            assert_eq!(first["seq"], after + 1, "the journal forgot lines before they were read");
        }
        (answer["seq"].as_u64().expect("a number"), lines)
    }

    /// All messages of a channel that somebody sees.
    pub async fn messages(&self, user: &str, channel: &str) -> Vec<Value> {
        let (mut all, mut before): (Vec<Value>, Option<String>) = (Vec::new(), None);
        loop {
            let mut query = vec![("user", user.to_owned()), ("limit", "200".to_owned())];
            query.extend(before.take().map(|before| ("before", before)));
            let Value::Array(page) = self.get(&format!("/channels/{channel}/messages"), &query).await else { panic!("a list") };
            let Some(oldest) = page.first() else { return all };
            before = oldest["id"].as_str().map(str::to_owned);
            all.extend(page);
        }
    }
}
