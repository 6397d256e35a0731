//! What a message looks like, without a word of how it is sent.

/// A message of ours: text, pictures and buttons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Markdown, at most 2,000 characters.
    pub content: String,
    /// Boxes below the text, at most 10.
    pub embeds: Vec<Embed>,
    /// Attached files; an edit replaces all earlier ones.
    pub files: Vec<File>,
    /// Menus, a row each, above the buttons.
    pub menus: Vec<Menu>,
    /// Rows of at most 5 buttons, at most 5 rows with the menus.
    pub buttons: Vec<Vec<Button>>,
}

impl Answer {
    /// A message of text alone.
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }
}

/// An attached file.
#[derive(Clone, PartialEq)]
pub struct File {
    /// File name; made by us, never by a user.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// Alternative text, at most 1,024 characters.
    pub description: String,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes, {:?})", self.name, self.bytes.len(), self.description)
    }
}

/// A box below the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embed {
    /// Heading.
    pub title: Option<String>,
    /// Markdown.
    pub description: String,
    /// Name and value, side by side.
    pub fields: Vec<(String, String)>,
    /// Name of an attached file to show small.
    pub thumbnail: Option<String>,
    /// Small print.
    pub footer: Option<String>,
}

/// A menu of which entries can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Menu {
    /// What a choice sends back, beside the entries' values.
    pub custom_id: String,
    /// Shown while nothing is chosen.
    pub hint: String,
    /// 1 to 25.
    pub entries: Vec<MenuEntry>,
    /// How many of them can be chosen at once.
    pub most: u8,
}

/// An entry of a menu.
#[derive(Clone, Debug, PartialEq)]
pub struct MenuEntry {
    /// What choosing it sends back, at most 100 characters.
    pub value: String,
    /// Its words, at most 100 characters.
    pub label: String,
    /// Small words below them, at most 100 characters; may be empty.
    pub about: String,
    /// Whether it is the one that is shown as chosen.
    pub is_chosen: bool,
}

/// A button.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// What a press sends back.
    pub custom_id: String,
    /// Words or an emoji.
    pub label: Label,
    /// Grey, blue or red.
    pub style: Style,
    /// Whether it cannot be pressed.
    pub is_disabled: bool,
}

/// What stands on a button.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Words.
    Text(String),
    /// One emoji.
    Emoji(&'static str),
    /// An emoji with words beside it.
    Both(&'static str, &'static str),
}

/// A button's colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Grey.
    Secondary,
    /// Blue.
    Primary,
    /// Red.
    Danger,
}

/// A form that opens over the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// What sending it sends back.
    pub custom_id: String,
    /// Heading, at most 45 characters.
    pub title: &'static str,
    /// At most 5.
    pub fields: Vec<Field>,
}

/// A field of a form, for text.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Names it in what is sent back.
    pub name: String,
    /// What stands over it, at most 45 characters.
    pub label: &'static str,
    /// Shown while it is empty, at most 100 characters.
    pub hint: &'static str,
    /// What it holds at first, at most [`MAX_FIELD`] UTF-16 units.
    pub value: String,
    /// Whether it takes several lines.
    pub is_long: bool,
    /// Whether it must be filled in.
    pub is_required: bool,
}

/// Most that a field of a form takes; Discord's clients count UTF-16 units.
pub const MAX_FIELD: usize = 4000;
/// Most fields of a form.
pub const MAX_FIELDS: usize = 5;
