//! The schema's history: the files of `migrations/sqlite`, in order.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Every file by its name without extension.
macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")))),*] };
}

static FILES: [(&str, &str); 8] =
    files!["0001_first", "0002_provenance", "0003_failures", "0004_notes", "0005_limits", "0006_history", "0007_drafts", "0008_inputs"];

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version: i64, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(FILES).map(|(version, (name, sql))| migration(version, name, sql)).collect())
});

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_a_migration_and_its_number_is_its_place() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|file| file.expect("a file").file_name().to_string_lossy().trim_end_matches(".sql").to_owned())
            .collect();
        names.sort();
        assert_eq!(FILES.map(|(name, _)| name.to_owned()).as_slice(), names);
        for (place, name) in (1..).zip(names) {
            assert!(name.starts_with(&format!("{place:04}_")), "{name}");
        }
    }
}
