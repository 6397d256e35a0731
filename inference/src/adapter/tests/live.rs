//! What of an adapter stands beside the weights, what sets make layers of, and what both take.

use super::*;
use crate::{
    adapter::{base::Network, module::is_plain, n_numbers as n_numbers_of},
    checkpoint::{Header, Layer},
    family::ModelFiles,
    trajectory::tests::families::models,
};

/// An adapter, how many layers of the model have a branch of it, and how many are made anew for a set with it.
const FILES: [(&str, &str, usize, usize); 9] = [
    ("kohya", "sd1", 13, 0),
    ("old_processors", "sd1", 5, 0),
    ("peft_alpha", "sd1", 10, 0),
    ("kohya_xl", "xl", 14, 0),
    ("locon", "sd1", 4, 0),
    ("loha", "sd1", 0, 4),
    ("lokr", "sd1", 0, 6),
    ("dora_lycoris", "sd1", 0, 6),
    ("full", "sd1", 0, 3),
];

fn n_read(base: &Base) -> u64 {
    base.networks.iter().map(|network| network.weights.n_parameters()).sum()
}

/// All changes of a set.
fn changes(set: &AdapterSet) -> impl Iterator<Item = (Part, &str, &Change)> {
    PARTS.iter().flat_map(|(_, part)| set.changes(*part).iter().map(|(layer, change)| (*part, &**layer, change)))
}

#[test]
fn products_stand_beside_the_weights_and_other_kinds_copy_the_layers_that_they_change() {
    for (name, tiny_model, n_branches, n_made) in FILES {
        let (path, of) = (file(&format!("{name}.safetensors")), model(tiny_model, ""));
        let adapter = load(&path, &of).unwrap();
        assert_eq!(adapter.is_live(), n_made == 0, "{name}");
        let n_numbers: usize = if n_made == 0 {
            let tensors = safetensors::load(&path, &Device::Cpu).unwrap();
            tensors.iter().filter(|(name, _)| !name.ends_with("alpha")).map(|(_, tensor)| tensor.elem_count()).sum()
        } else {
            0
        };
        assert_eq!(adapter.n_bytes(), n_numbers * 4, "{name}: every number once, in the model's precision");
        assert_eq!(adapter.report().info.n_live, n_numbers, "{name}: which the header tells");
        assert_eq!(n_read(&of), 0, "{name}: no weight of the model is read for an adapter");
        let set = AdapterSet::new(vec![(adapter, 0.7.into())]).unwrap();
        let is_made = |change: &Change| change.weight.is_some() || change.bias.is_some();
        let n = |is: &dyn Fn(&Change) -> bool| changes(&set).filter(|(_, _, change)| is(change)).count();
        assert_eq!((n(&|change| !change.branches.is_empty()), n(&is_made)), (n_branches, n_made), "{name}");
        let mut n_changed = 0;
        for (part, layer, change) in changes(&set) {
            for (end, is_changed) in [("weight", change.weight.is_some()), ("bias", change.bias.is_some())] {
                let name = format!("{layer}.{end}");
                let tensor = base(tiny_model).iter().find(|tensor| tensor.part == part && tensor.name == name);
                n_changed += tensor.filter(|_| is_changed).map_or(0, |tensor| tensor.values.elem_count());
            }
        }
        let header = Header::read(&path).unwrap();
        assert_eq!(n_numbers_of(&path, &header.tensors), (n_numbers as u64, n_changed as u64), "{name}: as its header tells before");
        assert_eq!(n_read(&of), n_changed as u64, "{name}: what is changed is read once more, and nothing else");
        // Panels of packed weights are filled up: to sixteen rows, of which these tiny layers have four or eight.
        assert!(set.n_bytes() >= n_changed * 4 && set.n_bytes() <= n_changed * 4 * 4, "{name}: {} bytes", set.n_bytes());
    }
}

#[test]
fn another_weight_reads_nothing_and_takes_no_memory() {
    let of = model("sd1", "");
    let [kohya, locon] = ["kohya", "locon"].map(|name| load(&file(&format!("{name}.safetensors")), &of).unwrap());
    let n_of_file = || (kohya.file.weights.n_parameters(), locon.file.weights.n_parameters());
    let before = n_of_file();
    let mut seen = Vec::new();
    for weight in [0.1, 0.7, 0.8, -3.0] {
        let set = AdapterSet::new(vec![(kohya.clone(), weight.into()), (locon.clone(), 1.0.into())]).unwrap();
        assert_eq!((set.n_bytes(), n_read(&of), n_of_file()), (0, 0, before), "weight {weight}");
        let weights: Vec<_> = made(&set, "sd1", "").iter().map(floats).collect();
        assert!(!seen.contains(&weights), "weight {weight} does nothing");
        seen.push(weights);
    }
}

#[test]
fn adapters_may_be_loaded_by_one_thread_and_used_by_another() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Adapter>();
    check::<AdapterSet>();
    check::<Base>();
}

#[test]
fn sets_are_equal_when_they_are_the_same_adapters_at_the_same_weights() {
    let of = model("sd1", "");
    let [a, b] = [0, 1].map(|_| load(&file("kohya.safetensors"), &of).unwrap());
    let set = |uses: &[(&Arc<Adapter>, f64)]| {
        AdapterSet::new(uses.iter().map(|(adapter, weight)| ((*adapter).clone(), (*weight).into())).collect()).unwrap()
    };
    assert_eq!(set(&[]), AdapterSet::default());
    assert_eq!(set(&[(&a, 0.5), (&b, 0.1)]), set(&[(&a, 0.5), (&b, 0.1)]));
    for other in [set(&[]), set(&[(&a, 0.5)]), set(&[(&b, 0.1), (&a, 0.5)]), set(&[(&a, 0.5), (&b, 0.2)]), set(&[(&a, 0.5), (&a, 0.1)])] {
        assert_ne!(set(&[(&a, 0.5), (&b, 0.1)]), other);
    }
}

#[test]
fn what_headers_tell_of_a_model_is_what_its_networks_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    models::write_all(&data, folder.path());
    let mut n_models = 0;
    for entry in std::fs::read_dir(folder.path().join("models")).unwrap() {
        let path = entry.unwrap().path();
        let files = ModelFiles::open(&path).unwrap();
        let base = files.base().unwrap();
        let text = files.text(&Device::Cpu, DType::F32).unwrap().n_parameters();
        let unet = files.denoiser(&Device::Cpu, DType::F32).unwrap().n_parameters();
        let n_numbers = |network: &Network| {
            let of_layer = |layer: &Layer| layer.weight.iter().product::<usize>() + layer.bias.unwrap_or(0);
            network.layers.iter().map(of_layer).sum::<usize>() as u64
        };
        let (of_unet, of_text): (Vec<&Network>, Vec<&Network>) = base.networks.iter().partition(|network| network.part == Part::Unet);
        assert_eq!(of_unet.into_iter().map(n_numbers).sum::<u64>(), unet, "{}", path.display());
        assert_eq!(of_text.into_iter().map(n_numbers).sum::<u64>(), text, "{}", path.display());
        assert_eq!(n_read(&base), 0, "{}: no number is read", path.display());
        for layer in base.layers().filter(|layer| layer.kind == LayerKind::Plain) {
            assert!(is_plain(&layer.name) && is_plain(&layer.name.replace('.', "_")), "{}: `{}`", path.display(), layer.name);
        }
        n_models += 1;
    }
    assert!(n_models > 10, "{n_models} models");
}
