//! The schema's history: the files of `migrations/sqlite`, in order.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Every file: its number, and its name without extension.
macro_rules! files {
    ($($number:literal $name:literal,)*) => { &[$(($number, $name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")))),*] };
}

static FILES: &[(i64, &str, &str)] = files![
    1 "0001_first",
    2 "0002_provenance",
    3 "0003_failures",
    4 "0004_notes",
    5 "0005_limits",
    6 "0006_history",
    7 "0007_drafts",
    8 "0008_inputs",
    9 "0009_flows",
    10 "0010_spent",
    11 "0011_history",
    12 "0012_forgotten",
    13 "0013_stopped",
    14 "0014_received",
    15 "0015_deliveries",
    16 "0016_checkpoints",
    17 "0017_quotas",
    18 "0018_leases",
    19 "0019_favourites",
    20 "0020_choices",
    21 "0021_policy",
    22 "0022_digests",
    24 "0024_moderation",
    29 "0029_swept",
];

pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(FILES.iter().map(migration).collect())
});

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_a_migration_with_the_number_in_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|file| file.expect("a file").file_name().to_string_lossy().trim_end_matches(".sql").to_owned())
            .collect();
        names.sort();
        assert_eq!(FILES.iter().map(|(_, name, _)| (*name).to_owned()).collect::<Vec<_>>(), names);
        for (number, name, _) in FILES {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
        assert!(FILES.is_sorted_by(|before, after| before.0 < after.0), "no number is there twice");
    }
}
