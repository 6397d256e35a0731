//! The data folder is its owner's alone: the database has people's words, and tokens while their jobs wait.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::fs::Mode;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
/// What others than the owner may do.
const OTHERS: u32 = 0o077;

/// From here on nothing that this process makes is for others, whatever it was started with.
pub fn keep_files_private() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Keeps a secret of this process out of core dumps and of what others of this machine may look into.
pub fn keep_memory_private() {
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "this process can be dumped");
    }
}

/// What the program keeps in its data folder; everything else there is somebody else's.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("atelier.sqlite") || matches!(&*name, "pictures" | "hashes.json" | "sandbox" | "stand-in" | "models")
}

/// Makes a folder for its owner alone; what we keep in one that was open to others is closed, and the folder too if nothing else is in it.
///
/// # Errors
/// It cannot be made.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot make the data folder {}", path.display());
    DirBuilder::new().recursive(true).mode(FOLDER).create(path).with_context(cannot)?;
    if !is_open(path) {
        return Ok(());
    }
    match close_ours(path) {
        Ok(()) => tracing::warn!(folder = %path.display(), "the data folder was open to other users of this machine; it is closed now"),
        Err(error) => tracing::warn!(folder = %path.display(), %error, "the data folder is open to other users of this machine"),
    }
    Ok(())
}

/// Whether [`make_folder`] can make a folder that is not there yet; makes nothing.
///
/// # Errors
/// It cannot, and why.
pub fn check_folder(path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot make the data folder {}", path.display());
    let path = std::path::absolute(path).with_context(cannot)?;
    let there = path.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory)).with_context(cannot);
    }
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).map_err(io::Error::from).with_context(cannot)
}

/// Whether others than the owner may look into a file or folder.
pub fn is_open(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.mode() & OTHERS != 0)
}

/// The first thing of ours in a data folder that others may look at; nothing in a closed folder can be reached.
pub fn first_open(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok().filter(|_| is_open(folder))?;
    let mut open: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path) && is_open(path)).collect();
    open.sort();
    open.into_iter().next()
}

fn close_ours(folder: &Path) -> io::Result<()> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    if entries.iter().all(|path| is_ours(path)) {
        fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER))?;
    }
    // Models may be other programs' too.
    entries.iter().filter(|path| is_ours(path) && !path.ends_with("models")).try_for_each(|path| close(path))
}

/// Takes from others what they may do, here and below; links are not followed.
fn close(path: &Path) -> io::Result<()> {
    let data = fs::symlink_metadata(path)?;
    if data.is_symlink() {
        return Ok(());
    }
    if data.is_dir() {
        fs::set_permissions(path, fs::Permissions::from_mode(FOLDER))?;
        for entry in fs::read_dir(path)? {
            close(&entry?.path())?;
        }
    } else if data.is_file() {
        fs::set_permissions(path, fs::Permissions::from_mode(FILE))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_the_owners_and_an_open_one_is_closed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let new = root.path().join("a/b");
        make_folder(&new).expect("it is made");
        assert_eq!((mode(&new), mode(new.parent().expect("a parent"))), (0o700, 0o700));

        let old = root.path().join("old");
        fs::create_dir_all(old.join("pictures")).expect("a folder");
        let outside = root.path().join("outside");
        for file in [&old.join("atelier.sqlite"), &old.join("pictures/x"), &outside] {
            fs::write(file, "x").expect("a file");
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("it is ours");
        }
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).expect("it is ours");
        std::os::unix::fs::symlink(&outside, old.join("pictures/link")).expect("a link");
        assert_eq!(first_open(&old), Some(old.join("atelier.sqlite")));
        make_folder(&old).expect("it is there");
        assert_eq!(
            [mode(&old), mode(&old.join("pictures")), mode(&old.join("atelier.sqlite")), mode(&old.join("pictures/x"))],
            [0o700, 0o700, 0o600, 0o600]
        );
        assert_eq!((first_open(&old), mode(&outside)), (None, 0o644));

        let shared = root.path().join("shared");
        fs::create_dir_all(shared.join("pictures")).expect("a folder");
        fs::write(shared.join("letter.txt"), "x").expect("a file");
        for path in [&shared, &shared.join("letter.txt"), &shared.join("pictures")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        make_folder(&shared).expect("it is there");
        let modes = [mode(&shared), mode(&shared.join("letter.txt")), mode(&shared.join("pictures"))];
        assert_eq!(modes, [0o755, 0o755, 0o700], "what is not ours stays as it is");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn secrets_are_in_no_core_dump() {
        keep_memory_private();
        assert_eq!(rustix::process::dumpable_behavior().expect("Linux says it"), rustix::process::DumpableBehavior::NotDumpable);
        assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Core).current, Some(0));
    }
}
