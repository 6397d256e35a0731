//! `/model` and `/lora`: everything that can be drawn with, page by page, and what of it becomes somebody's default.

use std::{path::Path, sync::Arc};

use inference::{
    catalogue::{AdapterCard, ModelCard},
    task::Role,
};
use poise::serenity_prelude as serenity;
use storage::Chooser;

use super::{
    custom_id::{NameHash, Picker},
    presser::Presser,
};
use crate::{
    answer::{Answer, File},
    app::App,
    chosen::{self, One},
    discord,
    error::BotError,
    messages::{self, Picked, PickerPage, UserError},
    models::{self, Offered},
    pictures,
};

/// Entries of a page: what a menu holds.
pub const PAGE: usize = 25;
/// Largest file that is looked at for a sample.
const MAX_SAMPLE: u64 = 8 << 20;

/// The names that a picker has, in their order.
pub fn names(offered: &Offered, picker: Picker) -> Vec<String> {
    match picker {
        Picker::Model => offered.models.iter().map(|model| model.name.clone()).collect(),
        Picker::Lora => {
            let fits = |card: &AdapterCard| card.fault.is_none() && offered.catalogue.models().iter().any(|model| model.fits(card));
            offered.catalogue.adapters().iter().filter(|card| fits(card)).map(|card| card.name.clone()).collect()
        }
    }
}

/// A page of a picker, with one of its entries, by its name, if one was chosen.
///
/// # Errors
/// There is nothing of that name.
pub async fn view(presser: &Presser<'_>, app: &Arc<App>, picker: Picker, page: u32, name: Option<&str>) -> Result<Answer, BotError> {
    let offered = app.models.offered_now().await;
    let names = names(&offered, picker);
    // Of one alone nobody need choose.
    let only = names.first().filter(|_| names.len() == 1).map(String::as_str);
    let picked = match name.or(only) {
        Some(name) => Some(picked(app, &offered, picker, name).await.ok_or_else(|| UserError::NotThere(name.to_owned()))?),
        None => None,
    };
    let n_pages = names.len().div_ceil(PAGE).max(1) as u32;
    let page = match &picked {
        Some(picked) => (names.iter().position(|name| *name == picked.name).unwrap_or_default() / PAGE) as u32,
        None => page.min(n_pages - 1),
    };
    let here = chosen::here(&*app.jobs, presser.user, presser.payer(), presser.choosing_channel()).await?;
    let entries = names.iter().skip(page as usize * PAGE).take(PAGE).map(|name| (name.clone(), about(&offered, picker, name)));
    Ok(messages::picker(PickerPage {
        picker,
        entries: entries.collect(),
        n: names.len(),
        page: (page, n_pages),
        picked,
        default: match picker {
            Picker::Model => here.model,
            Picker::Lora => here.lora,
        },
        is_manager: presser.is_manager(),
    }))
}

/// A word about an entry.
fn about(offered: &Offered, picker: Picker, name: &str) -> String {
    match picker {
        Picker::Model => {
            offered.catalogue.model(Some(name)).map(|card| format!("{}, {}", card.family, card.native_size)).unwrap_or_default()
        }
        Picker::Lora => offered.catalogue.adapter(name).map(|card| family_of(card)).unwrap_or_default(),
    }
}

fn family_of(card: &AdapterCard) -> String {
    card.family.map_or_else(|| card.kind.clone(), |family| format!("{} for {family}", card.kind))
}

async fn picked(app: &Arc<App>, offered: &Arc<Offered>, picker: Picker, name: &str) -> Option<Picked> {
    let (name, facts, trigger_words, path) = match picker {
        Picker::Model => {
            let card = offered.catalogue.model(Some(name)).filter(|card| card.name == name)?;
            (card.name.clone(), facts(offered, card), Vec::new(), card.path.clone())
        }
        Picker::Lora => {
            let card = offered.catalogue.adapter(name)?;
            let fits: Vec<String> =
                offered.catalogue.models().iter().filter(|model| model.fits(card)).map(|model| model.name.clone()).collect();
            (
                card.name.clone(),
                vec![family_of(card), format!("draws with {}", fits.join(", "))],
                card.trigger_words.clone(),
                card.path.clone(),
            )
        }
    };
    let guide = app.models.guide.as_ref().filter(|_| picker == Picker::Model);
    let drawn =
        guide.and_then(|guide| guide.examples.iter().find_map(|example| example.picture.as_ref())).map(|picture| picture.file.clone());
    let look = move || beside(&path).or_else(|| drawn.filter(|_| models::is_starter(&path)).as_deref().and_then(read));
    let sample = tokio::task::spawn_blocking(look).await.ok().flatten();
    let sample = sample.map(|bytes| File { name: "sample.png".into(), bytes, description: format!("A sample of {name}") });
    Some(Picked { name, facts, trigger_words, sample })
}

/// What a model can do and is drawn with.
fn facts(offered: &Offered, card: &ModelCard) -> Vec<String> {
    let own = offered.models.iter().find(|model| model.name == card.name);
    let mut facts = vec![format!("{}, {} pixels", card.family, own.map_or(card.native_size, |own| own.native_size))];
    if let Some(own) = own {
        facts.push(format!("{} steps, guidance {}, {}", own.steps, own.guidance_scale, own.sampler.name()));
    }
    facts.push(match card.takes_negative_prompt {
        true => "takes a negative prompt".to_owned(),
        false => "takes no negative prompt".to_owned(),
    });
    if card.sees_mask {
        facts.push("fills in parts of pictures".to_owned());
    }
    let n_loras = offered.catalogue.adapters().iter().filter(|adapter| adapter.fault.is_none() && card.fits(adapter)).count();
    if n_loras > 0 {
        facts.push(format!("{n_loras} LoRAs fit it (/lora)"));
    }
    facts
}

/// A sample picture that lies beside a model's file, or in its folder; read as a stranger's, so that nothing but its pixels is shown.
fn beside(path: &Path) -> Option<Vec<u8>> {
    let stem = path.file_stem()?.to_str()?;
    let folder = path.parent()?;
    let endings = ["preview.png", "png", "jpg", "jpeg", "webp", "preview.jpg"];
    let named = endings.iter().map(|ending| folder.join(format!("{stem}.{ending}")));
    let inside = endings.iter().filter(|ending| !ending.contains('.')).map(|ending| path.join(format!("preview.{ending}")));
    named.chain(inside).find_map(|file| read(&file))
}

fn read(file: &Path) -> Option<Vec<u8>> {
    let about = std::fs::metadata(file).ok().filter(|about| about.is_file() && about.len() <= MAX_SAMPLE)?;
    let bytes = std::fs::read(file).ok().filter(|bytes| bytes.len() as u64 <= about.len().max(MAX_SAMPLE))?;
    Some(pictures::bring(&bytes, &Role::Init).ok()?.png)
}

/// Shows an entry that was chosen in a menu, or another page.
///
/// # Errors
/// It is gone, or the message cannot be edited.
pub async fn turn(
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &Arc<App>,
    picker: Picker,
    page: u32,
) -> Result<(), BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let answer = view(presser, app, picker, page, discord::values(press).first().map(String::as_str)).await?;
    show(presser, app, &answer).await
}

/// Makes an entry the presser's default, or that of the channel where they are.
///
/// # Errors
/// It is gone; somebody who does not manage the guild.
pub async fn choose(presser: &Presser<'_>, app: &Arc<App>, picker: Picker, name: NameHash, of: Chooser) -> Result<(), BotError> {
    let offered = app.models.offered_now().await;
    let name = names(&offered, picker).into_iter().find(|known| NameHash::of(known) == name);
    let name = name.ok_or_else(|| UserError::NotThere(messages::WHAT_WAS_SHOWN.to_owned()))?;
    if of != Chooser::Person(presser.user) && !presser.is_manager() {
        return Err(UserError::ManagersOnly.into());
    }
    let before = chosen::own(&*app.jobs, of).await?;
    // The same once more takes it back.
    let one = match picker {
        Picker::Model => One::Model(Some(name.clone()).filter(|_| before.model.as_ref() != Some(&name))),
        Picker::Lora => One::Lora(Some(name.clone()).filter(|_| before.lora.as_ref() != Some(&name))),
    };
    chosen::choose(&*app.jobs, of, one).await?;
    let answer = view(presser, app, picker, 0, Some(&name)).await?;
    show(presser, app, &answer).await
}

async fn show(presser: &Presser<'_>, app: &App, answer: &Answer) -> Result<(), BotError> {
    app.responder.fill(presser.token, answer).await.map_err(|error| BotError::Internal(error.into()))
}
