//! What reading a large file costs, in a process of its own: the peak is the process's.

#![cfg(target_os = "linux")]

use std::{fs, process::Command};

use candle_core::{DType, Device};
use inference::checkpoint::Weights;

/// Most memory that the process has had, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Set in the process that reads.
const CHILD: &str = "ATELIER_TEST_READS_A_LARGE_FILE";

#[test]
fn what_was_read_of_a_file_does_not_stay_in_memory() {
    if std::env::var_os(CHILD).is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "model_memory::what_was_read_of_a_file_does_not_stay_in_memory", "--nocapture"]).env(CHILD, "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    const N_TENSORS: u64 = 12;
    const TENSOR_MIB: u64 = 32;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.safetensors");
    let n_bytes = TENSOR_MIB << 20;
    let entry =
        |i: u64| format!(r#""t{i}":{{"dtype":"F16","shape":[{}],"data_offsets":[{},{}]}}"#, n_bytes / 2, i * n_bytes, (i + 1) * n_bytes);
    let header = format!("{{{}}}", (0..N_TENSORS).map(entry).collect::<Vec<_>>().join(","));
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
    // The rest is a hole: zeros that take no room on the disk.
    fs::File::options().write(true).open(&path).unwrap().set_len(8 + header.len() as u64 + N_TENSORS * n_bytes).unwrap();

    let before = peak_mib();
    let weights = Weights::open(&[path], &Device::Cpu, DType::F32).unwrap();
    let read = |i: u64| weights.tensor(&format!("t{i}"), &[n_bytes as usize / 2]).unwrap();
    (0..N_TENSORS).for_each(|i| drop(read(i)));
    let peak = peak_mib() - before;
    println!("peak {peak} MiB over the start for {} MiB of file, {TENSOR_MIB} MiB a tensor", N_TENSORS * TENSOR_MIB);
    // One tensor: its pages, its copy in half precision and its numbers in single precision.
    assert!(peak <= 5 * TENSOR_MIB, "{peak} MiB");
}
