//! The bot's readers of pictures. Each takes a file's bytes and gives the message of the error, if there is one.

use std::io::Cursor;

use atelier::{
    pictures,
    pictures::metadata::{self, Found, parameters},
};
use inference::task::Role;

/// What a reader says of an input.
pub type Said = Result<(), String>;

/// A reader.
pub type Target = fn(&[u8]) -> Said;

/// A start picture or mask.
pub fn picture(bytes: &[u8]) -> Said {
    let picture = pictures::read(Cursor::new(bytes)).map_err(|error| atelier::cli::sentence(&error.into()))?;
    assert!(u64::from(picture.width()) * u64::from(picture.height()) <= pictures::MAX_MEGAPIXELS * 1_000_000);
    Ok(())
}

/// A picture that somebody brings, as a start picture and as a mask.
pub fn brought(bytes: &[u8]) -> Said {
    for role in [Role::Init, Role::Mask] {
        let brought = pictures::bring(bytes, &role).map_err(|error| atelier::cli::sentence(&error.into()))?;
        assert!(brought.size.megapixels() <= 4.2);
    }
    Ok(())
}

/// A picture's metadata; bytes that are no picture are read as another program's text.
pub fn metadata(bytes: &[u8]) -> Said {
    match metadata::read(Cursor::new(bytes)) {
        Ok(Found::Parameters(text)) => drop(parameters::read(&text)),
        Ok(Found::Record(record)) => drop(parameters::write(&record)),
        Ok(Found::Program(_) | Found::Nothing) => {}
        Err(error) => {
            drop(parameters::read(&String::from_utf8_lossy(bytes)));
            return Err(atelier::cli::sentence(&error));
        }
    }
    Ok(())
}
