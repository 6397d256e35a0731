//! People who ask, press, and press twice.

use std::{sync::Arc, time::Duration};

use sandbox::{InteractionId, Visitor, VisitorError};
use tokio_util::sync::CancellationToken;

use super::{dice::Dice, heard::Heard, message::Button};
use crate::support::{CHANNEL, prompt};

/// With more jobs that have not ended people only stop some.
const MAX_UNFINISHED: usize = 6;
/// How far back people press.
const N_MESSAGES: usize = 25;
/// How long people think at most.
const PAUSE: Duration = Duration::from_millis(400);
/// What is drawn.
const WORDS: [&str; 6] = ["a frog", "a strawberry", "a robot", "a red house", "a cat on a chair", "the sea at night"];

/// Somebody who uses the bot until it is over.
pub struct Person {
    pub visitor: Visitor,
    pub dice: Dice,
    pub heard: Arc<Heard>,
    pub is_over: CancellationToken,
}

impl Person {
    /// Uses the bot.
    pub async fn live(mut self) {
        while !self.is_over.is_cancelled() {
            if self.heard.is_online() {
                // Who is refused, or presses what is gone meanwhile, does something else.
                let _ = self.act().await;
            }
            let n_lines = self.dice.below(25);
            self.heard.more(n_lines, PAUSE).await;
        }
    }

    async fn act(&mut self) -> Result<(), VisitorError> {
        let is_busy = self.heard.n_unfinished() >= MAX_UNFINISHED;
        if is_busy && !self.dice.once_in(10) {
            return Ok(());
        }
        if !is_busy && !self.dice.once_in(3) {
            return self.imagine().await;
        }
        let buttons = self.heard.buttons(N_MESSAGES);
        let chosen: Vec<&(u64, Button)> = buttons.iter().filter(|(_, button)| self.wants(button, is_busy)).collect();
        if chosen.is_empty() {
            return if is_busy { Ok(()) } else { self.imagine().await };
        }
        let (message, button) = self.dice.one(&chosen);
        let message = message.to_string();
        if self.dice.once_in(3) {
            let twice = tokio::join!(self.press(&message, button), self.press(&message, button));
            return twice.0.and(twice.1).map(drop);
        }
        self.press(&message, button).await.map(drop)
    }

    async fn press(&self, message: &str, button: &Button) -> Result<InteractionId, VisitorError> {
        self.visitor.press(message, &button.custom_id).await
    }

    /// Stopping and deleting is seldom, and nothing is begun by who waits for much.
    fn wants(&mut self, button: &Button, is_busy: bool) -> bool {
        match button.action.as_str() {
            "upscale" | "variation" => !is_busy && self.dice.once_in(4),
            "reroll" => !is_busy,
            "cancel" => self.dice.once_in(12),
            "stop" => self.dice.once_in(6),
            "cull" => self.dice.once_in(16),
            "continue" => !is_busy,
            "delete" => self.dice.once_in(12),
            "delete-now" => self.dice.once_in(2),
            "keep" | "files" => self.dice.once_in(8),
            // A form is nothing that is drawn.
            _ => false,
        }
    }

    async fn imagine(&mut self) -> Result<(), VisitorError> {
        let (words, steps, side) = (*self.dice.one(&WORDS), 2 + self.dice.below(11), *self.dice.one(&[64, 96, 128]));
        let (n_images, seed) = (1 + self.dice.below(4), self.dice.below(u64::from(u32::MAX)));
        let mut line = format!("{words} --steps {steps} --width {side} --height {side} --images {n_images} --seed {seed}");
        if self.dice.once_in(5) {
            line.push_str(&format!(" --stop {}", 20 + self.dice.below(70)));
        }
        self.visitor.slash(CHANNEL, "imagine", &prompt(&line)).await.map(drop)
    }
}
