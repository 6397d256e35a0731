//! Rotary position embedding, a few tokens in one task.

use rayon::prelude::*;

use super::math::vectorised;

/// Which two numbers of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// Numbers 2i and 2i + 1.
    Adjacent,
    /// Numbers i and i + width / 2.
    Halves,
}

/// Turns tokens of `all` numbers; `angles` are cosines and sines, `half` of each for every place, and places repeat over the batch.
pub fn rotate(values: &[f32], angles: (&[f32], &[f32]), (half, all): (usize, usize), pairs: Pairs) -> Vec<f32> {
    let n_places = angles.0.len() / half;
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(all).zip(values.par_chunks(all)).with_min_len(16).enumerate().for_each(|(token, (out, values))| {
        let place = token % n_places * half;
        let (cosines, sines) = (&angles.0[place..][..half], &angles.1[place..][..half]);
        vectorised(
            #[inline(always)]
            || {
                for (out, head) in out.chunks_exact_mut(2 * half).zip(values.chunks_exact(2 * half)) {
                    match pairs {
                        Pairs::Adjacent => adjacent(out, head, cosines, sines),
                        Pairs::Halves => halves(out, head, cosines, sines),
                    }
                }
            },
        )
    });
    out
}

#[inline(always)]
fn adjacent(out: &mut [f32], head: &[f32], cosines: &[f32], sines: &[f32]) {
    let pairs = out.as_chunks_mut::<2>().0.iter_mut().zip(head.as_chunks::<2>().0);
    for ((out, [a, b]), (cosine, sine)) in pairs.zip(cosines.iter().zip(sines)) {
        *out = [a * cosine - b * sine, a * sine + b * cosine];
    }
}

#[inline(always)]
fn halves(out: &mut [f32], head: &[f32], cosines: &[f32], sines: &[f32]) {
    let half = cosines.len();
    let ((first, second), (a, b)) = (out.split_at_mut(half), head.split_at(half));
    for i in 0..half {
        first[i] = a[i] * cosines[i] - b[i] * sines[i];
        second[i] = a[i] * sines[i] + b[i] * cosines[i];
    }
}
