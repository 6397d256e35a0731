//! Parameters of the prompt as flags: one for each row of their table that [`ImagineArgs`](super::ImagineArgs) has no flag of its own for.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::prompt::{self, Flag};

/// The parameters that it has a flag of its own for.
const OWN: [&str; 19] = [
    "no",
    "ar",
    "width",
    "height",
    "seed",
    "steps",
    "cfg",
    "sampler",
    "schedule",
    "images",
    "model",
    "lora",
    "clip-skip",
    "rescale",
    "hires",
    "stop",
    "tile",
    "strength",
    "iw",
];

/// Parameters that were given as flags, by their names and values; the value is empty where there is none.
#[derive(Clone, Debug, Default)]
pub struct LineFlags(pub Vec<(String, String)>);

fn flags() -> impl Iterator<Item = Flag> {
    prompt::flags().filter(|flag| !OWN.contains(&flag.name))
}

impl Args for LineFlags {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, flag| command.arg(arg(flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LineFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = Vec::new();
        for Flag { name, range, .. } in flags() {
            let value = match range {
                None => matches.get_flag(name).then(String::new),
                Some(_) => matches.get_one::<String>(name).cloned(),
            };
            given.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn arg(Flag { name, others, range, about }: Flag) -> Arg {
    let arg = Arg::new(name).long(name).visible_aliases(others.to_vec());
    match range {
        None => arg.action(ArgAction::SetTrue).help(about),
        // What a value may be depends on the model too: it is checked with the prompt's.
        Some(range) => arg.value_name("VALUE").allow_hyphen_values(true).help(format!("{about}; {range}")),
    }
}
