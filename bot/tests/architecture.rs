//! The structure of the code itself: no modules that need each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Item, UseTree, visit::Visit};

/// A module's path in its crate, such as `["engine", "device"]`.
type ModulePath = Vec<String>;

/// What one module has and names.
#[derive(Default)]
struct Module {
    /// Names that are defined in it.
    defined: HashSet<String>,
    /// Names that it hands on: the name, and the path that it stands for.
    handed_on: HashMap<String, Vec<String>>,
    /// Modules all of whose names it hands on.
    handed_on_whole: Vec<Vec<String>>,
    /// Paths that it names, from the crate's root.
    named: Vec<Vec<String>>,
}

/// The modules of a crate.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<ModulePath, Module>,
}

impl Crate {
    fn read(folder: &str) -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("src");
        let mut found = Self::default();
        found.add_file(&src.join("lib.rs"), &src, Vec::new());
        found
    }

    fn add_file(&mut self, file: &Path, folder: &Path, path: ModulePath) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add(&parsed.items, folder, path);
    }

    fn add(&mut self, items: &[Item], folder: &Path, path: ModulePath) {
        let mut paths = Paths { here: path.clone(), module: Module::default() };
        for item in items.iter().filter(|item| !is_for_tests(item)) {
            let Item::Mod(inner) = item else {
                paths.module.defined.extend(name_of(item));
                paths.visit_item(item);
                continue;
            };
            let name = inner.ident.to_string();
            let inside = [path.clone(), vec![name.clone()]].concat();
            match &inner.content {
                Some((_, items)) => self.add(items, &folder.join(&name), inside),
                None => self.add_file(&file_of(folder, &name), &folder.join(&name), inside),
            }
        }
        self.modules.insert(path, paths.module);
    }

    /// The module that defines what a path names: re-exports are followed.
    fn defines(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let mut here: ModulePath = Vec::new();
        for (at, name) in path.iter().enumerate() {
            let inside = [here.clone(), vec![name.clone()]].concat();
            if self.modules.contains_key(&inside) {
                here = inside;
                continue;
            }
            let module = self.modules.get(&here)?;
            if module.defined.contains(name) || depth == 0 {
                return Some(here);
            }
            let rest = &path[at + 1..];
            if let Some(target) = module.handed_on.get(name) {
                return self.defines(&[target, rest].concat(), depth - 1);
            }
            let whole = module.handed_on_whole.iter().map(|target| [target, &path[at..]].concat());
            return whole.filter_map(|target| self.defines(&target, depth - 1)).find(|found| *found != here).or(Some(here));
        }
        Some(here)
    }

    /// Which modules each one needs; what lies inside one another needs each other by right.
    fn needs(&self) -> BTreeMap<&ModulePath, BTreeSet<ModulePath>> {
        let of = |(path, module): (_, &Module)| {
            let needed = module.named.iter().filter_map(|named| self.defines(named, 8));
            let is_inside = |a: &ModulePath, b: &ModulePath| a.starts_with(b) || b.starts_with(a);
            (path, needed.filter(|needed: &ModulePath| !is_inside(needed, path)).collect())
        };
        self.modules.iter().map(of).collect()
    }

    /// The circles, each as the modules that all need each other.
    fn circles(&self) -> Vec<Vec<String>> {
        let needs = self.needs();
        let reach: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> = needs.keys().map(|path| (*path, reachable(&needs, path))).collect();
        let mut circles = BTreeSet::new();
        for (path, reached) in &reach {
            let circle: BTreeSet<String> =
                reached.iter().filter(|other| reach[**other].contains(path)).map(|module| module.join("::")).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().map(|circle| circle.into_iter().collect()).collect()
    }
}

fn reachable<'a>(needs: &'a BTreeMap<&'a ModulePath, BTreeSet<ModulePath>>, from: &ModulePath) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&ModulePath> = needs[from].iter().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&needs[next]);
        }
    }
    reached
}

/// Collects the paths that a module names.
struct Paths {
    here: ModulePath,
    module: Module,
}

impl Paths {
    /// The path from the crate's root; `None` for what is another crate's or was brought in by a `use`.
    fn rooted(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([&self.here, rest].concat()),
            "super" => {
                let n_up = path.iter().take_while(|name| *name == "super").count();
                Some([&self.here[..self.here.len().checked_sub(n_up)?], &path[n_up..]].concat())
            }
            _ => None,
        }
    }

    fn uses(&mut self, tree: &UseTree, path: Vec<String>, is_handed_on: bool) {
        match tree {
            UseTree::Path(inner) => self.uses(&inner.tree, [path, vec![inner.ident.to_string()]].concat(), is_handed_on),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(tree, path.clone(), is_handed_on)),
            UseTree::Name(name) => self.used(path, &name.ident.to_string(), &name.ident.to_string(), is_handed_on),
            UseTree::Rename(name) => self.used(path, &name.ident.to_string(), &name.rename.to_string(), is_handed_on),
            UseTree::Glob(_) => {
                // A child may be named without `self`.
                let Some(target) = self.rooted(&path).or_else(|| Some([&self.here, &path[..]].concat())) else { return };
                self.module.handed_on_whole.push(target);
            }
        }
    }

    fn used(&mut self, path: Vec<String>, name: &str, shown_as: &str, is_handed_on: bool) {
        let whole = if name == "self" { path } else { [path, vec![name.to_owned()]].concat() };
        let target = self.rooted(&whole);
        // What is brought in privately is there for the modules inside.
        self.module.handed_on.insert(shown_as.to_owned(), target.clone().unwrap_or_else(|| [&self.here, &whole[..]].concat()));
        if !is_handed_on {
            self.module.named.extend(target);
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.uses(&item.tree, Vec::new(), !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.module.named.extend(self.rooted(&names).filter(|_| names.len() > 1));
        syn::visit::visit_path(self, path);
    }
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(format!("{name}.rs"));
    if file.exists() { file } else { folder.join(name).join("mod.rs") }
}

fn is_for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        _ => return None,
    })
}

#[test]
fn no_modules_need_each_other_in_a_circle() {
    for (folder, least) in [("inference", 100), ("storage", 20), ("bot", 100)] {
        let found = Crate::read(folder);
        assert!(found.modules.len() >= least, "only {} modules were seen in {folder}", found.modules.len());
        let n_needs: usize = found.needs().values().map(BTreeSet::len).sum();
        assert!(n_needs > found.modules.len(), "only {n_needs} needs were seen in {folder}");
        assert_eq!(found.circles(), Vec::<Vec<String>>::new(), "in {folder}");
    }
}

/// Handlers share the `App`; a loop, the door and the renderer are given what they need and no more.
#[test]
fn what_draws_and_delivers_does_not_take_the_whole_bot() {
    let found = Crate::read("bot");
    let app = vec!["app".to_owned()];
    let needs = found.needs();
    let rooms = needs.iter().filter(|(module, _)| {
        ["jobs", "pictures", "models", "policy"].iter().any(|room| module.first().is_some_and(|first| first == room))
    });
    let (seen, takers): (Vec<_>, Vec<_>) =
        (rooms.clone().collect(), rooms.filter(|(_, needed)| needed.contains(&app)).map(|(module, _)| module).collect());
    assert!(seen.len() > 20, "only {} modules were seen", seen.len());
    assert!(takers.is_empty(), "{takers:?}");
    assert!(needs.iter().any(|(_, needed)| needed.contains(&app)), "somebody takes it");
}
