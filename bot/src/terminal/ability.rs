//! How a terminal can show pictures, by what it says of itself.

use std::io::IsTerminal;

use super::layout::Screen;

/// What a person wants to see of pictures in the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Preview {
    /// As well as the terminal can
    #[default]
    Auto,
    /// Nothing
    Never,
    /// Half blocks, two pixels a character
    Blocks,
    /// Kitty's graphics
    Kitty,
    /// Sixel graphics
    Sixel,
}

/// How pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Half blocks: two pixels a character.
    Blocks {
        /// Whether any colour can be said, else those of the palette of 256.
        is_true_colour: bool,
    },
    /// The graphics protocol of kitty, which ghostty has too.
    Kitty,
    /// Sixel graphics.
    Sixel,
}

impl Way {
    /// Whether more pixels are seen than a small picture has.
    pub fn has_graphics(self) -> bool {
        matches!(self, Self::Kitty | Self::Sixel)
    }
}

/// What a terminal says of itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether output and errors both go to a terminal.
    pub is_terminal: bool,
    /// `TERM`.
    pub term: String,
    /// `TERM_PROGRAM`.
    pub program: String,
    /// `COLORTERM`.
    pub colours: String,
    /// Whether `NO_COLOR` is set.
    pub is_plain: bool,
    /// Whether kitty started the shell (`KITTY_WINDOW_ID`).
    pub is_in_kitty: bool,
    /// Whether tmux or screen stands between.
    pub is_multiplexed: bool,
}

impl Facts {
    /// Of the terminal that this program writes to.
    pub fn here() -> Self {
        let say = |name: &str| std::env::var(name).unwrap_or_default();
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            is_terminal: std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
            term: say("TERM"),
            program: say("TERM_PROGRAM"),
            colours: say("COLORTERM"),
            is_plain: has("NO_COLOR"),
            is_in_kitty: has("KITTY_WINDOW_ID"),
            is_multiplexed: has("TMUX") || has("STY"),
        }
    }

    /// How pictures are shown, if they are.
    pub fn way(&self, wanted: Preview) -> Option<Way> {
        let is_dumb = matches!(self.term.as_str(), "" | "dumb");
        if wanted == Preview::Never || !self.is_terminal || is_dumb {
            return None;
        }
        let is_true_colour = matches!(self.colours.as_str(), "truecolor" | "24bit");
        match wanted {
            Preview::Kitty => Some(Way::Kitty),
            Preview::Sixel => Some(Way::Sixel),
            Preview::Auto if self.is_plain => None,
            Preview::Auto => Some(self.graphics().unwrap_or(Way::Blocks { is_true_colour })),
            Preview::Blocks | Preview::Never => Some(Way::Blocks { is_true_colour }),
        }
    }

    /// Graphics of terminals that are known to have them. What stands between does not hand them on.
    fn graphics(&self) -> Option<Way> {
        let is_between = self.is_multiplexed || ["screen", "tmux"].iter().any(|name| self.term.starts_with(name));
        if is_between {
            return None;
        }
        let is_kitty = self.is_in_kitty || matches!(self.term.as_str(), "xterm-kitty" | "xterm-ghostty") || self.program == "ghostty";
        let has_sixel = ["foot", "mlterm", "contour"].iter().any(|name| self.term.starts_with(name)) || self.program == "WezTerm";
        if is_kitty { Some(Way::Kitty) } else { has_sixel.then_some(Way::Sixel) }
    }
}

/// The terminal's size now; `None` where it does not say.
pub(super) fn screen(way: Way) -> Option<Screen> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0)?;
    let (columns, rows) = (u32::from(size.ws_col), u32::from(size.ws_row));
    let cell = match way {
        Way::Blocks { .. } => (1, 2),
        // Some do not say how large a character is.
        Way::Kitty | Way::Sixel if size.ws_xpixel == 0 || size.ws_ypixel == 0 => (8, 16),
        Way::Kitty | Way::Sixel => ((u32::from(size.ws_xpixel) / columns).max(1), (u32::from(size.ws_ypixel) / rows).max(1)),
    };
    Some(Screen { columns, rows, cell })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shown_as_the_terminal_can_and_nowhere_else() {
        let (full, palette) = (Some(Way::Blocks { is_true_colour: true }), Some(Way::Blocks { is_true_colour: false }));
        let xterm = Facts { is_terminal: true, term: "xterm-256color".into(), colours: "truecolor".into(), ..Facts::default() };
        let with = |change: fn(&mut Facts)| {
            let mut facts = xterm.clone();
            change(&mut facts);
            facts
        };
        for (facts, auto, blocks) in [
            (xterm.clone(), full, full),
            (with(|facts| facts.colours = "24bit".into()), full, full),
            (with(|facts| facts.colours = String::new()), palette, palette),
            (with(|facts| facts.colours = "yes".into()), palette, palette),
            (with(|facts| facts.is_terminal = false), None, None),
            (with(|facts| facts.term = "dumb".into()), None, None),
            (with(|facts| facts.term = String::new()), None, None),
            (with(|facts| facts.is_plain = true), None, full),
            (with(|facts| facts.term = "xterm-kitty".into()), Some(Way::Kitty), full),
            (with(|facts| facts.is_in_kitty = true), Some(Way::Kitty), full),
            (with(|facts| facts.program = "ghostty".into()), Some(Way::Kitty), full),
            (with(|facts| facts.program = "WezTerm".into()), Some(Way::Sixel), full),
            (with(|facts| facts.term = "foot-extra".into()), Some(Way::Sixel), full),
            (with(|facts| (facts.is_in_kitty, facts.is_multiplexed) = (true, true)), full, full),
            (with(|facts| (facts.term, facts.is_in_kitty) = ("tmux-256color".into(), true)), full, full),
        ] {
            assert_eq!((facts.way(Preview::Auto), facts.way(Preview::Blocks)), (auto, blocks), "{facts:?}");
            assert_eq!(facts.way(Preview::Never), None);
            let is_shown = blocks.is_some();
            assert_eq!(
                (facts.way(Preview::Kitty), facts.way(Preview::Sixel)),
                (is_shown.then_some(Way::Kitty), is_shown.then_some(Way::Sixel))
            );
        }
    }
}
