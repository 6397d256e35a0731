//! The branches of a batch's rows.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::{
    branch::Branch,
    change::{Change, narrow},
    cpu,
};

/// The branches of one row on the processor, each so many times.
pub(super) type Packed<'a> = Vec<(&'a cpu::Branch, f32)>;

/// The branches of a batch's rows, packed in panels of `width` rows for one call: they stay unpacked between calls, because panels that are not full
/// would take up to sixteen times their memory.
pub(super) struct PackedBranches<'a> {
    branches: Vec<(&'a Arc<Branch>, cpu::Branch)>,
    rows: &'a [Option<&'a Change>],
}

impl<'a> PackedBranches<'a> {
    pub(super) fn new(rows: &'a [Option<&'a Change>], width: usize) -> Result<Self> {
        let mut branches: Vec<(&Arc<Branch>, cpu::Branch)> = Vec::new();
        for (branch, _) in rows.iter().flatten().flat_map(|change| &change.branches) {
            if !branches.iter().any(|(known, _)| Arc::ptr_eq(known, branch)) {
                branches.push((branch, branch.pack(width)?));
            }
        }
        Ok(Self { branches, rows })
    }

    /// Those of every row; nothing where no row has any.
    pub(super) fn rows(&self) -> Vec<Packed<'_>> {
        let find = |branch: &Arc<Branch>| self.branches.iter().find(|(known, _)| Arc::ptr_eq(known, branch)).map(|(_, packed)| packed);
        let of = |change: &Option<&Change>| {
            let branches = change.iter().flat_map(|change| &change.branches);
            branches.filter_map(|(branch, factor)| Some((find(branch)?, *factor as f32))).collect()
        };
        if self.branches.is_empty() { Vec::new() } else { self.rows.iter().map(of).collect() }
    }
}

/// Whether gradients are to flow to a branch.
pub(super) fn are_tracked(rows: &[Option<&Change>]) -> bool {
    rows.iter().flatten().flat_map(|change| &change.branches).any(|(branch, _)| branch.is_tracked())
}

/// `output` plus what each row's branches make of `input`: `down` and `up` run the two layers of one.
pub(super) fn add_plain(
    output: Tensor,
    input: &Tensor,
    rows: &[Option<&Change>],
    down: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
    up: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let same = |a: &Option<&Change>, b: &Option<&Change>| {
        let (a, b) = (a.map_or(&[][..], |change| &change.branches), b.map_or(&[][..], |change| &change.branches));
        a.len() == b.len() && a.iter().zip(b).all(|((a, x), (b, y))| Arc::ptr_eq(a, b) && x == y)
    };
    let mut first = 0;
    let mut outputs = Vec::new();
    for stretch in rows.chunk_by(same) {
        let range = first..first + stretch.len();
        first = range.end;
        let (mut sum, part) = (narrow(&output, &range)?, narrow(input, &range)?);
        for (branch, factor) in stretch[0].map_or(&[][..], |change| &change.branches) {
            sum = (sum + up(&(down(&part, &branch.down()?)? * *factor)?, &branch.up)?)?;
        }
        outputs.push(sum);
    }
    match &outputs[..] {
        [] => Ok(output),
        [whole] => Ok(whole.clone()),
        parts => Tensor::cat(parts, 0),
    }
}
