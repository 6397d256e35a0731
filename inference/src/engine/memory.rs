//! How much memory models may take on a device.

use super::DeviceChoice;

/// Of what a device has, what models may take: the rest is for what is computed.
const SHARE: f64 = 0.75;

/// Bytes that models may take on a device of which so many are used on this machine.
pub(super) fn budget(choice: DeviceChoice, n_alike: usize, memory_bytes: Option<u64>) -> u64 {
    let usual = || match choice {
        DeviceChoice::Cpu => shared(host_bytes(), n_alike),
        DeviceChoice::Cuda(n) => shared(free_bytes(n), 1),
    };
    memory_bytes.unwrap_or_else(usual)
}

/// All that there is, where nobody says how much that is.
fn shared(bytes: Option<u64>, n_alike: usize) -> u64 {
    bytes.map_or(u64::MAX, |bytes| (bytes as f64 * SHARE) as u64 / n_alike.max(1) as u64)
}

/// The machine's memory, or as much as its container may have.
fn host_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let limit = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].into_iter().filter_map(limit);
    limits.chain(total_bytes(&text)).min()
}

/// What `/proc/meminfo` says of all memory.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Memory of a GPU that nobody has yet.
#[cfg(feature = "cuda")]
fn free_bytes(ordinal: usize) -> Option<u64> {
    use candle_core::cuda_backend::cudarc::driver::{CudaContext, result};
    let context = CudaContext::new(ordinal).ok()?;
    context.bind_to_thread().ok()?;
    result::mem_get_info().ok().map(|(free, _)| free as u64)
}

#[cfg(not(feature = "cuda"))]
fn free_bytes(_: usize) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_what_is_said_or_a_share_of_what_there_is() {
        assert_eq!(budget(DeviceChoice::Cpu, 2, Some(3)), 3, "on each device");
        assert_eq!((shared(Some(1000), 1), shared(Some(1000), 2), shared(None, 2)), (750, 375, u64::MAX));
        let meminfo = "MemTotal:       16393172 kB\nMemFree:         2310960 kB\n";
        assert_eq!((total_bytes(meminfo), total_bytes("MemFree: 1 kB\n")), (Some(16_393_172 << 10), None));
    }
}
