//! Models in one file, from the folders by the tables of `tools/reference/ldm_names.py`, which diffusers' own converters undo.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use serde::Deserialize;

use crate::family_models::{self as models, Parts, Tensor, Tensors};

/// How a part's tensors are named in the file.
#[derive(Deserialize)]
struct Table {
    part: String,
    prefix: String,
    /// The longest beginning that fits is replaced.
    modules: Vec<(String, String)>,
    /// Of what follows it, the first that is there; tensors that get one name are put one below the other in this order.
    leaves: Vec<(String, String)>,
    /// Only names with this in them have leaves.
    #[serde(default)]
    within: String,
    /// Ends of names of matrices that become 1x1 convolutions.
    #[serde(default)]
    convolutions: Vec<String>,
    #[serde(default)]
    transposed: Vec<String>,
}

/// Writes a file for each family that the data has tables of, below `work/single`, with the tokenizers beside it.
pub fn write_all(data: &Path, work: &Path, parts: &Parts) {
    let tables = fs::read_to_string(data.join("single_files.json")).expect("the tables");
    let tables: HashMap<String, Vec<Table>> = serde_json::from_str(&tables).expect("tables");
    for (family, tables) in &tables {
        let folder = work.join("single").join(family);
        let mut file = Tensors::new();
        for table in tables {
            file.append(&mut table.converted(models::tensors(data, parts, family, &table.part)));
            if let Some(which) = table.part.strip_prefix("text_encoder") {
                let name = format!("tokenizer{which}");
                models::copy(&work.join("models").join(family).join(&name), &folder.join(&name));
            }
        }
        models::write_tensors(&folder.join(format!("{family}.safetensors")), &file);
    }
}

impl Table {
    fn converted(&self, tensors: &Tensors) -> Tensors {
        let mut stacks = BTreeMap::<String, BTreeMap<usize, Tensor>>::new();
        for (name, tensor) in tensors {
            let mut tensor = tensor.clone();
            if self.convolutions.iter().any(|end| name.ends_with(end)) {
                tensor.shape.extend([1, 1]);
            }
            if self.transposed.iter().any(|end| name.ends_with(end)) {
                tensor = transposed(&tensor);
            }
            let (name, leaf) = self.rename(name);
            stacks.entry(name).or_default().insert(leaf, tensor);
        }
        stacks.into_iter().map(|(name, stack)| (name, stacked(stack))).collect()
    }

    /// A name in the file, and the place among those of that name.
    fn rename(&self, name: &str) -> (String, usize) {
        let fitting = self.modules.iter().filter(|(old, _)| name.starts_with(old)).max_by_key(|(old, _)| old.len());
        let (old, new) = fitting.map_or(("", ""), |(old, new)| (old, new));
        let mut rest = name[old.len()..].to_owned();
        let leaf = self.leaves.iter().position(|(old, _)| name.contains(&self.within) && rest.contains(old));
        if let Some(leaf) = leaf {
            let (old, new) = &self.leaves[leaf];
            rest = rest.replace(old, new);
        }
        (format!("{}{new}{rest}", self.prefix), leaf.unwrap_or_default())
    }
}

fn transposed(tensor: &Tensor) -> Tensor {
    let [rows, columns] = tensor.shape[..] else { panic!("a matrix") };
    let number = |row: usize, column: usize| tensor.bytes[4 * (row * columns + column)..].iter().take(4);
    let bytes = (0..columns).flat_map(|column| (0..rows).flat_map(move |row| number(row, column))).copied().collect();
    Tensor { shape: vec![columns, rows], bytes }
}

fn stacked(stack: BTreeMap<usize, Tensor>) -> Tensor {
    let tensors: Vec<Tensor> = stack.into_values().collect();
    let mut shape = tensors[0].shape.clone();
    if tensors.len() > 1 {
        shape[0] = tensors.iter().map(|tensor| tensor.shape[0]).sum();
    }
    Tensor { shape, bytes: tensors.into_iter().map(|tensor| tensor.bytes).collect::<Vec<_>>().concat() }
}
