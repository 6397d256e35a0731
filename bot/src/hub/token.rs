//! What the hub knows a person by.

/// What the hub knows a person by: a secret, and the environment variable that it is kept in.
#[derive(Clone)]
pub struct Token {
    pub(super) variable: String,
    pub(super) secret: Option<String>,
}

impl Token {
    /// The token in an environment variable, which may be unset or blank.
    pub fn from_env(variable: &str) -> Self {
        Self::new(variable, &std::env::var(variable).unwrap_or_default())
    }

    /// A token as if `variable` held it; blank for none.
    pub fn new(variable: &str, secret: &str) -> Self {
        let secret = secret.trim();
        Self { variable: variable.to_owned(), secret: (!secret.is_empty()).then(|| secret.to_owned()) }
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({}, {})", self.variable, if self.secret.is_some() { "set" } else { "not set" })
    }
}
