//! How many times smaller a picture is shown on its canvas: said in one form alone, so no parameter of every prompt.

use super::{
    PromptError, ZOOM,
    split::{clean, parameter_name},
};

/// What the form begins with.
pub const USUAL_ZOOM: f64 = 2.0;

/// Takes `--zoom` out of a line: its value, and the rest.
///
/// # Errors
/// It is no number in the range, or is given twice and differs.
pub fn take_zoom(line: &str) -> Result<(Option<f64>, String), PromptError> {
    let line = clean(line);
    let (mut found, mut rest): (Option<(f64, String)>, Vec<&str>) = (None, Vec::new());
    let mut words = line.split(' ').peekable();
    while let Some(word) = words.next() {
        let name = parameter_name(word).unwrap_or_default();
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        if !name.eq_ignore_ascii_case("zoom") {
            rest.push(word);
            continue;
        }
        let value = value.or_else(|| words.next_if(|word| parameter_name(word).is_none())).unwrap_or_default();
        let shown = format!("--zoom {value}").trim_end().to_owned();
        let zoom = value.parse().ok().filter(|zoom| ZOOM.contains(zoom)).ok_or_else(|| PromptError::Zoom { shown: shown.clone() })?;
        match found.replace((zoom, shown.clone())) {
            Some((before, first)) if before != zoom => return Err(PromptError::Twice { first, second: shown }),
            _ => {}
        }
    }
    Ok((found.map(|(zoom, _)| zoom), rest.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoom_is_taken_out_wherever_it_stands() {
        let check = |line: &str, zoom: Option<f64>, rest: &str| assert_eq!(take_zoom(line), Ok((zoom, rest.to_owned())), "{line}");
        check("a fox", None, "a fox");
        check("a fox --zoom 1.5 --ar 3:2", Some(1.5), "a fox --ar 3:2");
        check("a fox --ar 3:2 --ZOOM=2", Some(2.0), "a fox --ar 3:2");
        check("—zoom 1 a fox", Some(1.0), "a fox");
        check("--zoom 2 --zoom 2.0", Some(2.0), "");
        check("a zoom lens", None, "a zoom lens");
    }

    #[test]
    fn a_wrong_zoom_is_told() {
        for line in ["--zoom", "--zoom 0.9", "--zoom 2.1", "--zoom NaN", "--zoom many", "--zoom --ar 3:2"] {
            assert!(matches!(take_zoom(line), Err(PromptError::Zoom { .. })), "{line}");
        }
        let twice = PromptError::Twice { first: "--zoom 1.5".into(), second: "--zoom 2".into() };
        assert_eq!(take_zoom("a fox --zoom 1.5 --zoom 2"), Err(twice));
        assert_eq!(take_zoom("--zoom 3").expect_err("too far").to_string(), "`--zoom 3`: the zoom must be a number from 1 to 2.");
    }
}
