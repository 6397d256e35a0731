//! `/info`: queue, model and device.

use inference::catalogue::ModelCard;

use super::Context;
use crate::{
    error::BotError,
    messages::{self, Info},
    models::{self, Guide},
};

/// See the queue, the model and the device
#[poise::command(slash_command, install_context = "Guild|User", interaction_context = "Guild|BotDm|PrivateChannel")]
pub async fn info(ctx: Context<'_>) -> Result<(), BotError> {
    let app = ctx.data();
    app.looks.take(super::user_id(ctx.interaction.user.id), app.clock.now())?;
    let (offered, stats) = (app.models.offered_now().await, app.models.engine.stats());
    let model = offered.usual();
    let queue = app.jobs.queue_status().await?;
    // Whether the built-in model draws was found out at the start: nothing here waits for the file system.
    let guide = app.models.guide.as_ref().filter(|guide| guide.is_of_the_usual());
    let answer = messages::info(&Info {
        model: match (guide, model) {
            (Some(_), _) => models::STARTER.to_owned(),
            (None, Some(model)) => model.name.clone(),
            (None, None) => "no longer there".to_owned(),
        },
        examples: guide.map(Guide::told).unwrap_or_default(),
        native_size: model.map(|model| model.native_size.to_string()).unwrap_or_default(),
        prediction: model.map(messages::about_network).unwrap_or_default(),
        models: offered.models.iter().map(|model| format!("{} ({})", model.name, model.native_size)).collect(),
        loras: offered.loras(),
        n_parameters: model.map(ModelCard::n_parameters).unwrap_or_default(),
        device: app.models.engine.device().to_owned(),
        queued: queue.queued,
        drawing: stats.n_active,
        rows_per_call: (stats.n_network_calls > 0).then(|| stats.n_network_rows as f64 / stats.n_network_calls as f64),
        version: env!("CARGO_PKG_VERSION"),
    });
    super::tell(ctx, &answer).await;
    Ok(())
}
