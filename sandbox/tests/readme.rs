//! The README's programs are the ones that are run.

use std::path::Path;

#[test]
fn the_readme_shows_the_programs_that_are_run() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(here.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let readme = read("README.md");
    for path in ["examples/echo.py", "examples/echo.mjs", "examples/echo.rs", "tests/echo.rs"] {
        assert!(readme.contains(&format!("\n{}\n```\n", read(path).trim_end())), "README.md does not show {path} as it is");
    }
    let shown = Path::new("../docs/images/grid.png");
    assert!(readme.contains(&shown.display().to_string()) && here.join(shown).is_file());
}
