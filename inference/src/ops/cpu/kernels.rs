//! Which of the compiled versions of a kernel this processor runs. All give the same bits; what else is compiled for it (candle's own products)
//! need not.

use pulp::Arch;

/// The name of the best set of kernels that this processor has.
pub fn name() -> &'static str {
    name_of(Arch::new())
}

/// The name of a set.
#[cfg(target_arch = "x86_64")]
pub fn name_of(arch: Arch) -> &'static str {
    match arch {
        Arch::V4(_) => "x86-64-v4",
        Arch::V3(_) => "x86-64-v3",
        _ => "scalar",
    }
}

/// The name of a set.
#[cfg(not(target_arch = "x86_64"))]
pub fn name_of(arch: Arch) -> &'static str {
    if matches!(arch, Arch::Scalar) { "scalar" } else { "simd" }
}

/// Every set that this processor has, the plainest first.
#[cfg(test)]
pub fn all() -> Vec<Arch> {
    #[cfg(target_arch = "x86_64")]
    let better = [pulp::x86::V3::try_new().map(Arch::V3), pulp::x86::V4::try_new().map(Arch::V4)];
    #[cfg(not(target_arch = "x86_64"))]
    let better = [Some(Arch::new())];
    std::iter::once(Arch::Scalar).chain(better.into_iter().flatten()).collect()
}
