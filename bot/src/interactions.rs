//! What Discord sends, led to the command or button that it is for.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use poise::serenity_prelude as serenity;
use storage::GuildId;

use crate::{
    answer::Answer,
    app::App,
    buttons, commands,
    discord::{self, ask::AskError},
    error::BotError,
    messages, reactions,
    system::log::chain,
};

/// Registered commands and answers on their way outlive a change of the configuration: each use is checked, too.
async fn check_venue(ctx: poise::Context<'_, Arc<App>, BotError>) -> Result<bool, BotError> {
    if let poise::Context::Application(ctx) = ctx {
        let interaction = ctx.interaction;
        let venue = discord::venue_of(interaction.guild_id, interaction.context, &interaction.authorizing_integration_owners);
        venue.check(&ctx.data().config.limits)?;
    }
    Ok(true)
}

/// The framework with all commands; its setup cannot fail.
pub fn framework(app: Arc<App>) -> poise::Framework<Arc<App>, BotError> {
    let options = poise::FrameworkOptions {
        commands: commands::all(&app.config.limits),
        command_check: Some(|ctx| Box::pin(check_venue(ctx))),
        on_error: |error| Box::pin(on_error(error)),
        event_handler: |framework, event| {
            Box::pin(async move {
                on_event(framework.serenity_context, event, framework.user_data).await;
                Ok(())
            })
        },
        allowed_mentions: Some(serenity::CreateAllowedMentions::new()),
        initialize_owners: false,
        ..Default::default()
    };
    poise::Framework::builder()
        .options(options)
        .setup(move |ctx, ready, framework| {
            let (http, cache) = (ctx.http.clone(), ctx.cache.clone());
            let commands = poise::builtins::create_application_commands(&framework.options().commands);
            let commands = commands::with_ranges(&commands, &app);
            let bot = ready.application.id;
            let registrar = app.clone();
            let _ =
                app.identity.set(messages::Identity { name: ready.user.tag(), id: bot.get(), n_guilds: Some(ready.guilds.len() as u64) });
            app.link.found();
            Box::pin(async move {
                app.responder.connect(http.clone());
                app.messenger.connect(http);
                app.door.whereabouts.connect(cache);
                // Not awaited: every event waits until the setup has returned, and a failed setup leaves a silent bot.
                registrar.clone().tasks.spawn(async move {
                    let (mut waits, mut told) = (discord::Waits::default(), Vec::new());
                    while let Err(error) = register(&registrar, bot, &commands).await {
                        let why = chain(error.as_ref());
                        let wait = waits.next(error.downcast_ref().and_then(AskError::wait));
                        if !told.contains(&why) {
                            tracing::warn!("{}", messages::not_registered(&why, wait));
                            told.push(why);
                        }
                        tokio::select! {
                            () = registrar.clock.sleep(wait) => {}
                            () = registrar.shutdown.cancelled() => break,
                        }
                    }
                });
                Ok(app)
            })
        })
        .build()
}

/// Registers the commands if they changed since the last time: Discord allows 200 creations a day.
async fn register(app: &App, bot: serenity::ApplicationId, commands: &serde_json::Value) -> anyhow::Result<()> {
    let mut hasher = DefaultHasher::new();
    commands.to_string().hash(&mut hasher);
    let (key, hash) = (format!("commands:{bot}"), format!("{:016x}", hasher.finish()));
    if app.jobs.note(&key).await?.as_deref() != Some(&hash) {
        let n_commands = app.caller.register(bot, commands).await?;
        app.jobs.set_note(&key, &hash).await?;
        app.permits.forget_all();
        tracing::info!(n_commands, "commands registered");
    }
    app.is_registered.send_replace(true);
    Ok(())
}

async fn on_error(error: poise::FrameworkError<'_, Arc<App>, BotError>) {
    match error {
        poise::FrameworkError::Command { error, ctx: poise::Context::Application(ctx), .. } => commands::fail(ctx, error).await,
        poise::FrameworkError::CommandCheckFailed { error: Some(error), ctx: poise::Context::Application(ctx), .. } => {
            commands::fail(ctx, error).await
        }
        poise::FrameworkError::CommandPanic { payload, ctx: poise::Context::Application(ctx), .. } => {
            commands::fail(ctx, BotError::Internal(anyhow::anyhow!("a command panicked: {payload:?}"))).await;
        }
        poise::FrameworkError::ArgumentParse { error, ctx: poise::Context::Application(ctx), .. } => {
            let answer = commands::with_what_was_typed(ctx, Answer::text(format!("I could not read that: {error}"))).await;
            commands::tell(ctx, &answer).await;
        }
        other => tracing::error!(error = %other, "the framework failed"),
    }
}

/// Everything that is not a command comes through here.
async fn on_event(ctx: &serenity::Context, event: &serenity::FullEvent, app: &Arc<App>) {
    if let serenity::FullEvent::InteractionCreate { interaction } = event {
        app.door.whereabouts.hear(interaction);
    }
    match event {
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Component(press) } => {
            buttons::press(ctx, press, app).await;
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Modal(form) } => {
            buttons::submit(ctx, form, app).await;
        }
        serenity::FullEvent::ReactionAdd { add_reaction } => reactions::added(ctx, add_reaction, app).await,
        serenity::FullEvent::ReactionRemove { removed_reaction } => reactions::removed(ctx, removed_reaction, app).await,
        serenity::FullEvent::CommandPermissionsUpdate { permission } => app.permits.forget(permission.guild_id.get()),
        // A new session: what happened before it was not heard.
        serenity::FullEvent::Ready { .. } => {
            app.link.found();
            app.permits.forget_all();
        }
        serenity::FullEvent::Resume { .. } => app.link.found(),
        serenity::FullEvent::GuildCreate { guild, .. } => came_or_went(app, guild.id, true).await,
        // One that is unavailable is there still.
        serenity::FullEvent::GuildDelete { incomplete, .. } if !incomplete.unavailable => came_or_went(app, incomplete.id, false).await,
        serenity::FullEvent::ShardStageUpdate { event } => {
            tracing::debug!(from = %event.old, to = %event.new, "gateway");
        }
        _ => {}
    }
}

/// What a guild's people said goes when the bot does; what they drew, some days later.
async fn came_or_went(app: &App, guild: serenity::GuildId, is_here: bool) {
    let id = GuildId(guild.get());
    let kept = if is_here { app.jobs.join_guild(id).await } else { app.jobs.leave_guild(id, app.clock.now()).await };
    match kept {
        Err(error) => tracing::error!(error = %chain(&error), guild.id = id.0, is_here, "that a guild came or went could not be noted"),
        Ok(()) if is_here => {}
        Ok(()) => {
            tracing::info!(guild.id = id.0, "left a guild: its rules are gone, and what was drawn there goes in some days");
            app.board.queue.notify_one();
            app.board.outbox.notify_one();
        }
    }
}
