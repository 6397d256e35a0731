//! What can be drawn with now: the newest catalogue, and what suits each of its models here.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context;
use inference::{
    catalogue::{Catalogue, Kind, ModelCard, Quote, Shelf, position_of},
    error::InvalidTask,
    task::{Seed, Task, TextToImage},
};
use storage::Timestamp;

use super::{Known, catalog, name};
use crate::{
    config::Config,
    messages::UserError,
    prompt::{self, ModelDefaults},
};

/// Folders and files are looked at this often at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What can be drawn with at one time.
#[derive(Debug)]
pub struct Offered {
    /// Everything that is there.
    pub catalogue: Arc<Catalogue>,
    /// The models that may be named and what suits them; the first is the usual one.
    pub models: Vec<ModelDefaults>,
    /// Names of models and adapters that were there, and are not any more.
    pub gone: prompt::Gone,
}

/// Where the newest [`Offered`] is.
#[derive(Debug)]
pub struct Stock {
    config: Config,
    shelf: Arc<Shelf>,
    newest: RwLock<Arc<Offered>>,
    looked: Mutex<Timestamp>,
}

impl Stock {
    /// Reads everything that the configuration names and what lies in the models folder; blocks while it does.
    ///
    /// # Errors
    /// One sentence: what is missing or does not fit.
    pub fn open(config: &Config, now: Timestamp) -> anyhow::Result<Self> {
        catalog::check(config)?;
        let shelf = Shelf::open(catalog::catalogue_config(config)?)?;
        let offered = Offered::of(config, shelf.catalogue(), None)?;
        offered.catalogue.prepare();
        Ok(Self { config: config.clone(), shelf: Arc::new(shelf), newest: RwLock::new(Arc::new(offered)), looked: Mutex::new(now) })
    }

    /// What the engine draws by.
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// What was there when somebody looked last.
    pub fn offered(&self) -> Arc<Offered> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is there now: files are looked at, on a thread of their own, unless somebody did in the last second.
    pub async fn now(self: &Arc<Self>, now: Timestamp) -> Arc<Offered> {
        if self.is_due(now) {
            let own = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || own.refresh()).await {
                tracing::error!(%error, "the models could not be looked at");
            }
        }
        self.offered()
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = now < *looked || now >= looked.after(LOOK_EVERY);
        if is_due {
            *looked = now;
        }
        is_due
    }

    /// Looks at folders and files; blocks while it reads what is new.
    pub fn refresh(&self) {
        if !self.shelf.refresh() {
            return;
        }
        match Offered::of(&self.config, self.shelf.catalogue(), Some(&self.offered())) {
            Ok(offered) => *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(offered),
            Err(error) => tracing::warn!(error = crate::cli::sentence(&error), "what changed among the models cannot be used"),
        }
    }
}

impl Offered {
    /// What a catalogue's models are drawn with by the configuration. What only lies in the models folder and does not fit is left out; the log says
    /// so once.
    fn of(config: &Config, catalogue: Arc<Catalogue>, before: Option<&Self>) -> anyhow::Result<Self> {
        let told = before.map_or(&[][..], |before| before.catalogue.faults());
        for fault in catalogue.faults().iter().filter(|fault| !told.contains(fault)) {
            let name = if fault.kind.is_some() { fault.name.clone() } else { name::of_path(&fault.path) };
            tracing::warn!(name, reason = catalog::reason(fault), "this cannot be used and is left out");
        }
        let named = catalog::named(config)?;
        let mut models = Vec::new();
        for card in catalogue.models() {
            let known = named.iter().find(|known| known.entry.name == card.name).cloned();
            let is_found = known.is_none();
            let known = known.unwrap_or_else(|| Known { is_found, ..Known::by_path(&card.path) });
            let model = catalog::suited(config, &known, card);
            match check_defaults(&catalogue, &model) {
                Ok(()) => models.push(model),
                Err(error) if is_found => {
                    tracing::warn!(model = model.name, reason = crate::cli::sentence(&error), "what lies in the models folder is skipped");
                }
                Err(error) => return Err(error),
            }
        }
        if models.is_empty() {
            // Something must say what a picture would be like; whoever asks for one is told that its model is gone.
            models = before.map(|before| before.models.clone()).context("none of the configured models is there")?;
        }
        let gone = |kind| -> Vec<_> { catalogue.gone(kind).map(str::to_owned).collect() };
        let usual = if catalogue.model(None).is_some() { None } else { Some(catalogue.usual().to_owned()) };
        let gone = prompt::Gone { models: gone(Kind::Model), loras: gone(Kind::Adapter), usual };
        Ok(Self { catalogue, models, gone })
    }

    /// The adapters that may be named.
    pub fn loras(&self) -> Vec<String> {
        self.catalogue.adapters().iter().map(|card| card.name.clone()).collect()
    }

    /// The usual model.
    pub fn usual(&self) -> Option<&ModelCard> {
        self.catalogue.model(None).map(AsRef::as_ref)
    }

    /// Whether a task can be drawn with what is there, and what it takes: stored tasks may name what is not any more. Tokenizers may be read for it.
    ///
    /// # Errors
    /// What cannot be drawn, and what could be instead.
    pub fn check(&self, task: &Task) -> Result<Quote, UserError> {
        if let Some(base) = task.base() {
            let names = || self.models.iter().map(|model| model.name.as_str());
            // What was found and does not fit is known to the catalogue, but to nobody else.
            if let Some(found) = base.model.as_ref().filter(|name| position_of(names(), name).is_none()) {
                self.catalogue.check_values(task)?;
                return Err(InvalidTask::UnknownModel { found: found.clone(), known: names().collect::<Vec<_>>().join(", ") }.into());
            }
            if let Some(used) = base.adapters.iter().find(|used| self.catalogue.adapter(&used.name).is_none()) {
                let known = prompt::known_loras(&self.loras(), &used.name);
                return Err(match self.gone.has_lora(&used.name) {
                    true => InvalidTask::AdapterGone { name: used.name.clone() },
                    false => InvalidTask::UnknownAdapter { found: used.name.clone(), known },
                }
                .into());
            }
            prompt::check_loras(&base.prompt, &self.loras(), &self.gone)?;
        }
        self.catalogue.check(task).map_err(|why| self.with_others(task, why))
    }

    /// What a model cannot do, with those that can.
    fn with_others(&self, task: &Task, why: InvalidTask) -> UserError {
        if !matches!(why, InvalidTask::NeedsMask | InvalidTask::Seamless) {
            return why.into();
        }
        let able = |model: &&ModelDefaults| {
            let mut other = task.clone();
            if let Some(base) = other.base_mut() {
                (base.model, base.size) = (Some(model.name.clone()), model.native_size);
                (base.sampler, base.schedule) = (model.sampler, model.schedule);
            }
            self.catalogue.check_values(&other).is_ok()
        };
        let able: Vec<_> = self.models.iter().filter(able).map(|model| model.name.clone()).collect();
        if able.is_empty() { why.into() } else { UserError::ModelCannot { why, able } }
    }
}

/// Whether a model can be drawn with as the configuration has it, so that nobody learns of a mistake from their first picture.
fn check_defaults(catalogue: &Catalogue, model: &ModelDefaults) -> anyhow::Result<()> {
    let base = TextToImage { model: Some(model.name.clone()), ..model.drawing(Seed(0), 1) };
    match catalogue.check_values(&Task::from(base)) {
        // A model for inpainting draws nothing without a mask.
        Ok(()) | Err(InvalidTask::NeedsMask) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the settings of the model `{}` do not fit it", model.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::AliasConfig, models};

    #[test]
    fn settings_that_a_model_cannot_be_drawn_with_stop_the_start() {
        let alias = |width: u32, clip_skip: u32| {
            let path = models::starter().expect("the starter model").model;
            AliasConfig { path, width: Some(width), height: Some(64), clip_skip: Some(clip_skip), ..AliasConfig::default() }
        };
        let check = |alias: AliasConfig, expected: Option<&str>| {
            let mut config = Config::default();
            config.aliases.insert("other".into(), alias);
            let error = Stock::open(&config, Timestamp(0)).err().map(|error| crate::cli::sentence(&error));
            assert_eq!(error.as_deref().map(|error| error.split_at(error.find(':').expect("a reason")).0), expected, "{error:?}");
        };
        check(alias(64, 0), None);
        check(alias(65, 0), Some("the settings of the model `other` do not fit it"));
        check(alias(64, 100), Some("the settings of the model `other` do not fit it"));
    }

    #[test]
    fn what_a_model_cannot_is_told_with_those_that_can() {
        let catalogue = models::test_catalogue(|json| {
            let mut painter = json["models"][0].clone();
            painter["name"] = serde_json::json!("painter");
            painter["limits"]["rules"]["sees_mask"] = serde_json::json!(true);
            json["models"].as_array_mut().expect("a list").push(painter);
        });
        let config = Config::default();
        let suited = |card: &std::sync::Arc<ModelCard>| catalog::suited(&config, &Known::by_path(&card.path), card);
        let models = || catalogue.models().iter().map(|card| ModelDefaults { name: card.name.clone(), ..suited(card) }).collect::<Vec<_>>();
        let offered = |models| Offered { catalogue: Arc::new(catalogue.clone()), models, gone: prompt::Gone::default() };
        let base = TextToImage { model: Some("painter".into()), prompt: "a frog".into(), ..models()[0].drawing(Seed(7), 1) };
        let usual = models()[0].name.clone();
        let said = |offered: Offered| offered.check(&Task::from(base.clone())).expect_err("a mask is needed").to_string();
        let sentence =
            "That cannot be drawn: this model only fills in masked parts of a picture; give a picture and a mask, or choose another model";
        assert_eq!(said(offered(models())), format!("{sentence}: `{usual}` can do that."));
        assert_eq!(said(offered(models().split_off(1))), format!("{sentence}."), "where none can, none is named");
        let masked = Task::inpaint(inference::task::Inpaint { base, strength: 1.0 }, "a", "b");
        assert!(offered(models()).check(&masked).is_ok());
    }
}
