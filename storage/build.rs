//! Compiles the crate again when a migration is added, which `sqlx::migrate!` cannot notice by itself.

fn main() {
    #[expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]
    {
        println!("cargo:rerun-if-changed=../migrations/sqlite");
    }
}
