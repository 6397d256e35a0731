//! The line of settings: `Name: value` between commas, by A1111's grammar (`modules/infotext_utils.py`, `re_param`), and where it begins.

/// Settings that are read at most; nobody writes so many.
const MAX_FIELDS: usize = 400;
/// Lines with `Steps:` that are tried as the line of settings.
const MAX_CANDIDATES: usize = 8;

/// A line of settings, taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// Names and values in their order.
    pub(super) fields: Vec<(String, String)>,
    /// What stands between them, as it is.
    pub(super) strays: Vec<String>,
    /// Whether a line ends outside a quotation, so that this is more than a line of settings.
    is_broken: bool,
}

/// The words before the settings, and the settings: the last line that has `Steps:`. Without one, all are words.
pub(super) fn split(text: &str) -> (&str, Fields) {
    for (place, _) in text.rmatch_indices("Steps:").take(MAX_CANDIDATES) {
        let start = text[..place].rfind('\n').map_or(0, |end| end + 1);
        let found = Fields::read(&text[start..]);
        if !found.is_broken && found.fields.iter().any(|(name, _)| name == "Steps") {
            return (text[..start].trim_end_matches('\n'), found);
        }
    }
    (text, Fields::default())
}

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn read(text: &str) -> Self {
        let mut found = Self::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((names, after)) = rest.split_once(':').filter(|_| found.fields.len() < MAX_FIELDS) else {
                found.add_stray(rest);
                break;
            };
            let (stray, name) = names.rsplit_once(',').unwrap_or(("", names));
            found.add_stray(stray);
            found.is_broken |= name.trim().contains('\n');
            let after = after.trim_start_matches(' ');
            let (value, n_bytes) = quoted(after).or_else(|| nested(after)).unwrap_or_else(|| {
                let n_bytes = after.find(',').unwrap_or(after.len());
                found.is_broken |= after[..n_bytes].trim().contains('\n');
                (after[..n_bytes].trim().to_owned(), n_bytes)
            });
            found.fields.push((name.trim().to_owned(), value));
            rest = after[n_bytes..].trim_start_matches([',', ' ']);
        }
        found
    }

    fn add_stray(&mut self, text: &str) {
        let text = text.trim_matches([',', ' ', '\n']);
        self.is_broken |= text.contains('\n');
        if !text.is_empty() {
            self.strays.push(text.to_owned());
        }
    }
}

/// A value in quotation marks with a comma or the end behind it, and its length. What is no JSON is taken as it stands.
fn quoted(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let place = inner.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (value, n_bytes) = (&text[..place + 2], place + 2);
    is_end(&text[n_bytes..]).then(|| {
        // A line's end in a quotation is none of JSON's, but some programs leave it there.
        let value = serde_json::from_str(&value.replace('\n', "\\n")).unwrap_or_else(|_| value.to_owned());
        (value, n_bytes)
    })
}

/// A value in brackets with a comma or the end behind it, such as JSON that nobody quoted, and its length.
fn nested(text: &str) -> Option<(String, usize)> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    text.starts_with(['{', '[']).then_some(())?;
    let place = text.bytes().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'{' | b'[' if !is_quoted => depth += 1,
            b'}' | b']' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })?;
    is_end(&text[place + 1..]).then(|| (text[..=place].to_owned(), place + 1))
}

fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start_matches(' ');
    rest.is_empty() || rest.starts_with(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[(&str, &str)], strays: &[&str]) {
        let found = Fields::read(line);
        let fields: Vec<_> = found.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, expected, "{line}");
        assert_eq!(found.strays, strays, "{line}");
    }

    #[test]
    fn no_value_damages_the_next_field() {
        let next = ("Seed", "7");
        for (value, read) in [
            ("plain", "plain"),
            ("a: b: c", "a: b: c"),
            ("\"a, b: c\"", "a, b: c"),
            (r#""a\nb, \"c\", \\""#, "a\nb, \"c\", \\"),
            ("\"a\nb, c\"", "a\nb, c"),
            (r#""no \q JSON, c""#, r#""no \q JSON, c""#),
            (r#"{"model": "ab", "lora:a, b": "c}"}"#, r#"{"model": "ab", "lora:a, b": "c}"}"#),
            (r#"[{"a": 1}, {"b": "]"}]"#, r#"[{"a": 1}, {"b": "]"}]"#),
            ("\"\"", ""),
            ("", ""),
            ("{a|b}", "{a|b}"),
        ] {
            check(&format!("Steps: 3, Hashes: {value}, Seed: 7"), &[("Steps", "3"), ("Hashes", read), next], &[]);
            check(&format!("Seed: 7, Hashes: {value}"), &[next, ("Hashes", read)], &[]);
        }
        check("Steps: 3, loose, words, Seed: 7, end", &[("Steps", "3"), next], &["loose, words", "end"]);
        check("Steps: 3, Note: \"open, Seed: 7", &[("Steps", "3"), ("Note", "\"open"), next], &[]);
        check("Steps: 3, Note: {\"open\": [, Seed: 7", &[("Steps", "3"), ("Note", "{\"open\": ["), next], &[]);
        check("Steps: 3, Note: \"a\" b, Seed: 7", &[("Steps", "3"), ("Note", "\"a\" b"), next], &[]);
    }

    #[test]
    fn the_settings_are_the_last_line_with_steps() {
        let words = |text| split(text).0;
        assert_eq!(words("a fox\nSteps: 3, Seed: 7"), "a fox");
        assert_eq!(words("a fox\nSteps: 3"), "a fox");
        assert_eq!(words("a fox\nNegative prompt: b\nSteps: 3, Note: \"x\ny\", Seed: 7"), "a fox\nNegative prompt: b");
        assert_eq!(words("Steps: 3, a: b\nSteps: 4, Seed: 7"), "Steps: 3, a: b");
        assert_eq!(words("Steps: 3, Seed: 7"), "");
        for text in
            ["", "a fox", "(red apple:1.2), (blue background:1.3), (best quality:1.1)", "a: b, c: d, e: f", "Steps: 3\na fox", "Steps:"]
        {
            let all = if text == "Steps:" { "" } else { text };
            assert_eq!(words(text), all, "{text}");
        }
    }
}
