//! Tables for people: columns as wide as their widest word.

use std::io::Write;

use crate::system::printable::visible;

/// Writes rows with their columns below each other; nothing is written after a row's last word.
pub(super) fn write(out: &mut impl Write, rows: &[Vec<String>]) -> std::io::Result<()> {
    // Cells hold what strangers' files are called and say; a terminal must not obey it.
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..n_columns).map(width).collect();
    for row in &rows {
        let line: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_plain_lines() {
        let mut out = Vec::new();
        let rows = [vec!["a\u{1b}[31m".to_owned(), "b\nc".to_owned(), "x\u{202e}y".to_owned()]];
        super::write(&mut out, &rows).expect("memory takes it");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "a\\u{1b}[31m  b\\nc  x\\u{202e}y\n");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["é", "b"], ["long", "c"]].map(|row| row.map(str::to_owned).to_vec());
        let mut out = Vec::new();
        super::write(&mut out, &rows).expect("memory takes it");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), "é     b\nlong  c\n");
    }
}
