//! Costs as whole numbers, so that sums are exact and order does not matter.

/// A row-megapixel in the unit of the database: row-pixels.
const ROW_PIXELS: f64 = 1e6;

/// More than any limit, and thousands of them still fit in 64 bits.
const MOST: f64 = 1e15;

/// Row-megapixels as row-pixels. Nothing computed is below 0; what is not a number costs nothing.
pub(crate) fn to_row_pixels(row_megapixels: f64) -> i64 {
    (row_megapixels * ROW_PIXELS).round().clamp(0.0, MOST) as i64
}

/// Row-pixels as row-megapixels.
pub(crate) fn to_row_megapixels(row_pixels: i64) -> f64 {
    row_pixels as f64 / ROW_PIXELS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_survive_the_way_through_the_database() {
        for cost in [0.0, 0.262144, 0.1, 41.94304, 0.3, 999_999.999_999] {
            assert_eq!(to_row_megapixels(to_row_pixels(cost)), cost);
        }
    }

    #[test]
    fn odd_costs_become_the_nearest_sensible_ones() {
        let check = |cost: f64, row_pixels: i64| assert_eq!(to_row_pixels(cost), row_pixels, "{cost}");
        check(-1.0, 0);
        check(f64::NAN, 0);
        check(f64::NEG_INFINITY, 0);
        check(f64::INFINITY, 1_000_000_000_000_000);
        check(0.000_000_4, 0);
        check(0.000_000_6, 1);
    }
}
