//! Noise against torch, bit for bit.

use inference::noise::TorchGenerator;
use serde_json::Value;

fn fnv1a64(values: &[f32]) -> String {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

fn bits(values: &[f32]) -> Vec<String> {
    values.iter().map(|value| format!("{:08x}", value.to_bits())).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from).collect()
}

#[test]
fn noise_equals_torch_bit_for_bit() {
    let file: Value = serde_json::from_str(include_str!("data/torch_randn.json")).expect("valid JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 30);
    for case in cases {
        let (seed, n) = (case["seed"].as_u64().expect("a seed"), case["n"].as_u64().expect("a count") as usize);
        let mut generator = TorchGenerator::new(seed);
        for call in ["first", "second"] {
            let (values, wanted) = (generator.randn(n), &case[call]);
            let head = strings(&wanted["head"]);
            assert_eq!(bits(&values[..head.len()]), head, "seed {seed}, n {n}, {call} call: head");
            let tail = strings(&wanted["tail"]);
            assert_eq!(bits(&values[n - tail.len()..]), tail, "seed {seed}, n {n}, {call} call: tail");
            assert_eq!(Some(fnv1a64(&values).as_str()), wanted["fnv1a64"].as_str(), "seed {seed}, n {n}, {call} call: all");
        }
    }
}
