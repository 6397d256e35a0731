//! A lineage as a picture: small pictures as nodes, each under the one that it comes from, with lines, numbers and labels.

use image::{Rgb, RgbImage, imageops};

use super::{grid, lettering};

/// Side of a node's picture in pixels.
pub const CELL: u32 = 128;
const GAP: u32 = 24;
/// Between two rows, for the line and the label.
const BETWEEN: u32 = 64;
const BACKGROUND: Rgb<u8> = Rgb([43, 45, 49]);
const INK: Rgb<u8> = Rgb([219, 222, 225]);
const LINE: Rgb<u8> = Rgb([128, 132, 142]);
const HERE: Rgb<u8> = Rgb([88, 101, 242]);
const MISSING: Rgb<u8> = Rgb([30, 31, 34]);

/// A node; its place among the others is its number.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node that it comes from, which stands before it.
    pub parent: Option<usize>,
    /// What was pressed, such as `U1`.
    pub label: String,
    /// At most [`CELL`] wide and tall.
    pub picture: Option<RgbImage>,
    /// Whether it is the one that was asked for.
    pub is_here: bool,
}

/// Where a node stands: its column in half columns, and its row.
type Place = (u32, u32);

/// Leaves stand side by side, and every other node over the middle of those that come from it.
fn places(parents: &[Option<usize>]) -> Vec<Place> {
    let mut places = vec![(0, 0); parents.len()];
    let mut next = 0;
    for root in (0..parents.len()).filter(|node| parents[*node].is_none()) {
        place(root, 0, parents, &mut places, &mut next);
    }
    places
}

fn place(node: usize, row: u32, parents: &[Option<usize>], places: &mut [Place], next: &mut u32) {
    let children: Vec<usize> = (node + 1..parents.len()).filter(|child| parents[*child] == Some(node)).collect();
    for child in &children {
        place(*child, row + 1, parents, places, next);
    }
    let column = match (children.first(), children.last()) {
        (Some(first), Some(last)) => (places[*first].0 + places[*last].0) / 2,
        _ => {
            *next += 2;
            *next - 2
        }
    };
    places[node] = (column, row);
}

/// The picture as JPEG.
pub fn tree(nodes: &[Node]) -> Vec<u8> {
    grid::preview_bytes(&drawn(nodes))
}

fn drawn(nodes: &[Node]) -> RgbImage {
    let places = places(&nodes.iter().map(|node| node.parent).collect::<Vec<_>>());
    let corner = |(column, row): Place| (GAP + column * (CELL + GAP) / 2, BETWEEN / 2 + row * (CELL + BETWEEN));
    let (columns, rows) = places.iter().fold((0, 0), |(columns, rows), place| (columns.max(place.0), rows.max(place.1)));
    let mut canvas =
        RgbImage::from_pixel(2 * GAP + CELL + columns * (CELL + GAP) / 2, BETWEEN + CELL + rows * (CELL + BETWEEN), BACKGROUND);
    for (node, place) in nodes.iter().zip(&places) {
        if let Some(parent) = node.parent {
            let ((from_x, from_y), (to_x, to_y)) = (corner(places[parent]), corner(*place));
            let (from, to) = ((from_x + CELL / 2, from_y + CELL), (to_x + CELL / 2, to_y));
            let middle = from.1 + 18;
            line(&mut canvas, from, (from.0, middle));
            line(&mut canvas, (from.0.min(to.0), middle), (from.0.max(to.0), middle));
            line(&mut canvas, (to.0, middle), to);
        }
    }
    for (number, (node, place)) in (1_u32..).zip(nodes.iter().zip(&places)) {
        let (left, top) = corner(*place);
        if node.is_here {
            rectangle(&mut canvas, (left - 4, top - 4), (CELL + 8, CELL + 8), HERE);
        }
        rectangle(&mut canvas, (left, top), (CELL, CELL), MISSING);
        if let Some(picture) = &node.picture {
            let small = grid::thumbnail(picture, CELL);
            let (right, down) = ((CELL - small.width()) / 2, (CELL - small.height()) / 2);
            imageops::replace(&mut canvas, &small, (left + right).into(), (top + down).into());
        }
        let label = format!("{number} {}", node.label);
        let width = lettering::width(&label, 2).min(CELL + GAP);
        let at = (left + CELL / 2 - width / 2, top.saturating_sub(lettering::height(2) + 8));
        rectangle(&mut canvas, (at.0.saturating_sub(4), at.1.saturating_sub(2)), (width + 8, lettering::height(2) + 4), BACKGROUND);
        lettering::write(&mut canvas, at, &label, 2, INK);
    }
    canvas
}

/// A straight line, two pixels wide, across or down.
fn line(canvas: &mut RgbImage, from: (u32, u32), to: (u32, u32)) {
    rectangle(canvas, from, (to.0 - from.0 + 2, to.1 - from.1 + 2), LINE);
}

fn rectangle(canvas: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32), ink: Rgb<u8>) {
    for y in top..(top + height).min(canvas.height()) {
        for x in left..(left + width).min(canvas.width()) {
            canvas.put_pixel(x, y, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_nodes_share_a_place_and_each_stands_below_its_parent() {
        let check = |parents: &[Option<usize>]| {
            let found = places(parents);
            for (node, place) in found.iter().enumerate() {
                assert!(!found[..node].iter().any(|other| other.1 == place.1 && other.0.abs_diff(place.0) < 2), "{parents:?}: {found:?}");
                assert_eq!(place.1, parents[node].map_or(0, |parent| found[parent].1 + 1), "{parents:?}");
            }
        };
        check(&[None]);
        check(&[None, Some(0), Some(0), Some(0)]);
        check(&[None, Some(0), Some(1), Some(2), Some(0), Some(4), Some(4), Some(1)]);
        let wide: Vec<_> = (0..25_usize).map(|node| node.checked_sub(1).map(|before| before / 3)).collect();
        check(&wide);
        let deep: Vec<_> = (0..25_usize).map(|node| node.checked_sub(1)).collect();
        check(&deep);
    }

    #[test]
    fn every_picture_is_seen_and_lines_lead_to_those_below() {
        let node = |parent, shade: u8| Node {
            parent,
            label: "V3".into(),
            picture: Some(RgbImage::from_pixel(CELL, CELL / 2, Rgb([shade, 0, 0]))),
            is_here: shade == 9,
        };
        let canvas = drawn(&[node(None, 3), node(Some(0), 6), node(Some(0), 9)]);
        for shade in [3, 6, 9] {
            let n = canvas.pixels().filter(|pixel| **pixel == Rgb([shade, 0, 0])).count() as u32;
            assert_eq!(n, CELL * CELL / 2, "{shade}");
        }
        assert!(canvas.pixels().filter(|pixel| **pixel == LINE).count() > 100);
        assert!(canvas.pixels().any(|pixel| *pixel == HERE));
        assert_eq!(drawn(&[node(None, 3)]).dimensions(), (2 * GAP + CELL, BETWEEN + CELL));
    }
}
