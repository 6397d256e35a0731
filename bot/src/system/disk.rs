//! Free space.

use std::path::Path;

use anyhow::Context;

/// Free mebibytes for this user on the disk of `path`, or of its nearest folder that exists.
///
/// # Errors
/// The disk cannot be asked.
pub fn free_mib(path: &Path) -> anyhow::Result<u64> {
    let path = std::path::absolute(path)?;
    let folder = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    Ok(((u128::from(disk.f_bavail) * u128::from(disk.f_frsize)) >> 20).try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_of_a_missing_folder_is_that_of_its_parent() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let parent = free_mib(folder.path()).expect("the disk answers");
        let missing = free_mib(&folder.path().join("a/b")).expect("the disk answers");
        assert!(parent > 0 && parent.abs_diff(missing) < 1024, "{parent} {missing}");
    }
}
