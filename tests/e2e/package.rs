//! What `cargo package` includes, and the Rust version that it needs.

use std::fs;

use crate::support::{command, quiet};

#[test]
fn only_what_a_user_of_the_crate_needs_is_packaged() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    // The package includes changes that are not committed yet.
    let task = ["package", "--list", "--quiet", "--allow-dirty", "--manifest-path", manifest];
    let list = String::from_utf8(quiet(&mut command(env!("CARGO"), &task))).unwrap();
    assert!(list.lines().any(|name| name == "src/main.rs") && list.lines().any(|name| name == "ama/columns.json"));
    for name in list.lines() {
        let is_ours_alone = ["tests/", "fuzz/", ".ci/", ".github/"].iter().any(|folder| name.starts_with(folder));
        assert!(!is_ours_alone, "{name}");
    }
}

/// The README names the Rust version of Cargo.toml. Clippy checks that this version is enough.
#[test]
fn the_readme_names_the_rust_that_it_takes() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(readme.contains(&format!("Rust {version} or newer")), "Rust {version}");
}
