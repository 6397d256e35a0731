//! Places of parts by what the parts are loaded from.

use std::{collections::HashMap, path::PathBuf, rc::Rc, sync::Arc};

use super::{AdapterUse, Catalogue, Loaded, PartKey, Read, Source, UpscalerCard};
use crate::{
    adapter::{Adapter, AdapterSet, AdapterWeights},
    catalogue::{AdapterCard, ModelCard, Version},
    family::{Denoiser, Text},
    part::{PartId, Slot},
    preview::PreviewMap,
    upscale::Upscaler,
    vae::{Vae, taesd::Taesd},
};

/// The place of one part.
#[derive(Clone)]
pub(super) enum Place {
    Text(Rc<Slot<Text>>),
    Denoiser(Rc<Slot<Denoiser>>),
    Vae(Rc<Slot<Vae>>, Rc<Slot<PreviewMap>>),
    Preview(Rc<Slot<Taesd>>),
    Upscaler(Rc<Slot<Upscaler>>),
    Adapter(Rc<Slot<Adapter>>),
    Set(Rc<Slot<AdapterSet>>),
}

impl Place {
    pub(super) fn id(&self) -> PartId {
        match self {
            Self::Text(slot) => slot.id(),
            Self::Denoiser(slot) => slot.id(),
            Self::Vae(slot, _) => slot.id(),
            Self::Preview(slot) => slot.id(),
            Self::Upscaler(slot) => slot.id(),
            Self::Adapter(slot) => slot.id(),
            Self::Set(slot) => slot.id(),
        }
    }

    /// Whether a task has it.
    fn is_used(&self) -> bool {
        match self {
            Self::Text(slot) => Rc::strong_count(slot) > 1,
            Self::Denoiser(slot) => Rc::strong_count(slot) > 1,
            Self::Vae(slot, _) => Rc::strong_count(slot) > 1,
            Self::Preview(slot) => Rc::strong_count(slot) > 1,
            Self::Upscaler(slot) => Rc::strong_count(slot) > 1,
            Self::Adapter(slot) => Rc::strong_count(slot) > 1,
            Self::Set(slot) => Rc::strong_count(slot) > 1,
        }
    }
}

/// An adapter's file as it was read, for one model.
struct AdapterFile {
    number: u32,
    source: u32,
    path: PathBuf,
    version: Version,
}

/// What a set with layers of its own is made of, for one model: adapters by their numbers.
struct MadeOf {
    number: u32,
    source: u32,
    uses: Vec<(u32, AdapterWeights)>,
}

/// All places of a device, and what their parts are loaded from.
#[derive(Default)]
pub(super) struct Places {
    sources: Vec<(u32, Arc<Source>)>,
    upscalers: Vec<(u32, UpscalerCard)>,
    adapters: Vec<AdapterFile>,
    sets: Vec<MadeOf>,
    places: HashMap<PartKey, Place>,
    next: u32,
}

impl Places {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// A model's files, and their number.
    pub(super) fn source(&mut self, card: &Arc<ModelCard>, catalogue: &Catalogue) -> (u32, Arc<Source>) {
        if let Some(known) = self.sources.iter().find(|(_, source)| source.is(card, catalogue)) {
            return known.clone();
        }
        let new = (self.number(), Arc::new(Source::new(card, catalogue)));
        self.sources.push(new.clone());
        new
    }

    /// The number of a super-resolution network's file.
    pub(super) fn upscaler(&mut self, card: &UpscalerCard) -> u32 {
        if let Some((number, _)) = self.upscalers.iter().find(|(_, known)| known == card) {
            return *number;
        }
        let number = self.number();
        self.upscalers.push((number, card.clone()));
        number
    }

    /// The number of an adapter's file for a model.
    pub(super) fn adapter(&mut self, source: u32, card: &AdapterCard) -> u32 {
        let is_it = |known: &&AdapterFile| known.source == source && known.path == card.path && known.version == card.version;
        if let Some(known) = self.adapters.iter().find(is_it) {
            return known.number;
        }
        let number = self.number();
        self.adapters.push(AdapterFile { number, source, path: card.path.clone(), version: card.version.clone() });
        number
    }

    /// The number of a set of adapters, in this order and at these weights.
    pub(super) fn set(&mut self, source: u32, adapters: &[(u32, AdapterUse)]) -> u32 {
        let uses: Vec<_> = adapters.iter().map(|(number, used)| (*number, used.weights())).collect();
        if let Some(known) = self.sets.iter().find(|known| known.source == source && known.uses == uses) {
            return known.number;
        }
        let number = self.number();
        self.sets.push(MadeOf { number, source, uses });
        number
    }

    /// The adapters that a set is made of.
    pub(super) fn made_of(&self, key: PartKey) -> Vec<PartKey> {
        let set = self.sets.iter().find(|set| key == PartKey::Set(set.number));
        set.map(|set| set.uses.iter().map(|(number, _)| PartKey::Adapter(*number)).collect()).unwrap_or_default()
    }

    /// How a set is made of its adapters, which are in memory.
    pub(super) fn to_be_made(&self, key: PartKey) -> Option<Read> {
        let set = self.sets.iter().find(|set| key == PartKey::Set(set.number))?;
        let held = |number: u32| match self.places.get(&PartKey::Adapter(number)) {
            Some(Place::Adapter(slot)) => slot.get(),
            _ => None,
        };
        let uses = set.uses.iter().map(|(number, weights)| Some((held(*number)?, *weights))).collect::<Option<Vec<_>>>()?;
        Some(Box::new(move || AdapterSet::new(uses).map(|set| Loaded::Set(Arc::new(set)))))
    }

    /// The file of an adapter.
    pub(super) fn adapter_file(&self, number: u32) -> PathBuf {
        self.adapters.iter().find(|known| known.number == number).map(|known| known.path.clone()).unwrap_or_default()
    }

    pub(super) fn upscaler_file(&self, number: u32) -> PathBuf {
        self.upscalers.iter().find(|(known, _)| *known == number).map(|(_, card)| card.path.clone()).unwrap_or_default()
    }

    pub(super) fn source_by(&self, key: PartKey) -> Option<Arc<Source>> {
        let number = match key {
            PartKey::Text(number) | PartKey::Denoiser(number) | PartKey::Vae(number) => number,
            PartKey::Preview(number) | PartKey::Upscaler(number) => number,
            PartKey::Set(number) => self.sets.iter().find(|known| known.number == number)?.source,
            PartKey::Adapter(number) => self.adapters.iter().find(|known| known.number == number)?.source,
        };
        self.sources.iter().find(|(known, _)| *known == number).map(|(_, source)| source.clone())
    }

    pub(super) fn text(&mut self, number: u32) -> Rc<Slot<Text>> {
        match self.places.entry(PartKey::Text(number)).or_insert_with(|| Place::Text(Slot::empty())) {
            Place::Text(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn denoiser(&mut self, number: u32) -> Rc<Slot<Denoiser>> {
        match self.places.entry(PartKey::Denoiser(number)).or_insert_with(|| Place::Denoiser(Slot::empty())) {
            Place::Denoiser(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn vae(&mut self, number: u32) -> (Rc<Slot<Vae>>, Rc<Slot<PreviewMap>>) {
        match self.places.entry(PartKey::Vae(number)).or_insert_with(|| Place::Vae(Slot::empty(), Slot::empty())) {
            Place::Vae(slot, preview) => (slot.clone(), preview.clone()),
            _ => (Slot::empty(), Slot::empty()),
        }
    }

    pub(super) fn decoder(&mut self, number: u32) -> Rc<Slot<Taesd>> {
        match self.places.entry(PartKey::Preview(number)).or_insert_with(|| Place::Preview(Slot::empty())) {
            Place::Preview(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn set_slot(&mut self, number: u32) -> Rc<Slot<AdapterSet>> {
        match self.places.entry(PartKey::Set(number)).or_insert_with(|| Place::Set(Slot::empty())) {
            Place::Set(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn upscaler_slot(&mut self, number: u32) -> Rc<Slot<Upscaler>> {
        match self.places.entry(PartKey::Upscaler(number)).or_insert_with(|| Place::Upscaler(Slot::empty())) {
            Place::Upscaler(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn adapter_slot(&mut self, number: u32) -> Rc<Slot<Adapter>> {
        match self.places.entry(PartKey::Adapter(number)).or_insert_with(|| Place::Adapter(Slot::empty())) {
            Place::Adapter(slot) => slot.clone(),
            _ => Slot::empty(),
        }
    }

    pub(super) fn get(&self, key: PartKey) -> Option<&Place> {
        self.places.get(&key)
    }

    /// Which part has the place of this identity.
    pub(super) fn key(&self, id: PartId) -> Option<PartKey> {
        self.places.iter().find(|(_, place)| place.id() == id).map(|(key, _)| *key)
    }

    /// Puts what was loaded into its place.
    pub(super) fn fill(&self, key: PartKey, loaded: Loaded) {
        match (self.places.get(&key), loaded) {
            (Some(Place::Text(slot)), Loaded::Text(text)) => slot.fill(text),
            (Some(Place::Denoiser(slot)), Loaded::Denoiser(denoiser)) => slot.fill(denoiser),
            (Some(Place::Vae(slot, preview)), Loaded::Vae(vae, shown)) => {
                slot.fill(vae);
                preview.fill(shown);
            }
            (Some(Place::Preview(slot)), Loaded::Preview(decoder)) => slot.fill(decoder),
            (Some(Place::Set(slot)), Loaded::Set(set)) => slot.fill(set),
            (Some(Place::Upscaler(slot)), Loaded::Upscaler(upscaler)) => slot.fill(upscaler),
            (Some(Place::Adapter(slot)), Loaded::Adapter(adapter)) => slot.fill(adapter),
            _ => {}
        }
    }

    /// Lets go of a part.
    pub(super) fn clear(&self, key: PartKey) {
        match self.places.get(&key) {
            Some(Place::Text(slot)) => slot.clear(),
            Some(Place::Denoiser(slot)) => slot.clear(),
            // The map of previews is a few numbers; it stays for as long as tasks of the model are on their way.
            Some(Place::Vae(slot, _)) => slot.clear(),
            Some(Place::Preview(slot)) => slot.clear(),
            Some(Place::Set(slot)) => slot.clear(),
            Some(Place::Upscaler(slot)) => slot.clear(),
            Some(Place::Adapter(slot)) => slot.clear(),
            None => {}
        }
    }

    /// The files of a part are opened anew the next time.
    pub(super) fn forget_files(&self, key: PartKey) {
        if let Some(source) = self.source_by(key) {
            source.forget();
        }
    }

    /// Forgets what nobody needs and is not in memory.
    pub(super) fn tidy(&mut self, is_known: impl Fn(PartKey) -> bool) {
        if self.places.iter().all(|(key, place)| is_known(*key) || place.is_used()) {
            return;
        }
        self.places.retain(|key, place| is_known(*key) || place.is_used());
        let has = |number: u32| {
            let of = [PartKey::Text, PartKey::Denoiser, PartKey::Vae, PartKey::Preview, PartKey::Upscaler];
            of.iter().any(|key| self.places.contains_key(&key(number)))
        };
        self.sets.retain(|set| self.places.contains_key(&PartKey::Set(set.number)));
        self.adapters.retain(|file| self.places.contains_key(&PartKey::Adapter(file.number)));
        // What an adapter is loaded for stays as long as the adapter, and an adapter as long as sets of it.
        self.sources.retain(|(number, _)| has(*number) || self.adapters.iter().any(|file| file.source == *number));
        self.upscalers.retain(|(number, _)| has(*number));
    }
}
