//! Where the derived code finds `wengert_nn`.

use proc_macro2::TokenStream;
use quote::quote;
use std::path::PathBuf;

/// The path of `wengert_nn` in the crate being compiled: its own name if the crate depends on it directly, the facade's
/// module otherwise.
///
/// A procedural macro cannot ask the compiler for this; it reads the manifest of the crate being compiled.
pub(crate) fn of_the_library() -> TokenStream {
    let own_name = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(|folder| PathBuf::from(folder).join("Cargo.toml"));
    let manifest = manifest.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    if own_name == "wengert-nn" || depends_on(&manifest, "wengert-nn") {
        quote!(::wengert_nn)
    } else {
        quote!(::wengert::nn)
    }
}

/// Whether a manifest has `name` among its dependencies, under this name.
///
/// Reads lines rather than TOML: a dependency is `name = ..` or `name.key = ..` in a table whose name ends with
/// `dependencies`, or a table `[..dependencies.name]`. A renamed one needs `#[module(crate = ..)]` anyway.
fn depends_on(manifest: &str, name: &str) -> bool {
    let mut among_dependencies = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let (parent, last) = table.rsplit_once('.').unwrap_or(("", table));
            // What a workspace lists is for its members to choose from.
            let of_package = !parent.starts_with("workspace");
            if of_package && parent.ends_with("dependencies") && last.trim_matches('"') == name {
                return true;
            }
            among_dependencies = of_package && last.ends_with("dependencies");
        } else if among_dependencies {
            let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if key.trim_matches('"') == name {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::depends_on;

    #[test]
    fn dependencies_are_found_however_they_are_written() {
        for manifest in [
            "[dependencies]\nwengert-nn = \"0.1\"",
            "[package]\nname = \"x\"\n[dev-dependencies]\nwengert-nn.workspace = true",
            "[dependencies.wengert-nn]\npath = \"..\"",
            "[target.'cfg(unix)'.dependencies]\n\"wengert-nn\" = { path = \"..\" }",
        ] {
            assert!(depends_on(manifest, "wengert-nn"), "{manifest}");
        }
    }

    #[test]
    fn other_mentions_are_not_dependencies() {
        for manifest in [
            "[package]\nname = \"wengert-nn\"",
            "[dependencies]\nwengert = \"0.1\"\n# wengert-nn = \"0.1\"",
            "[dependencies]\nwengert-nn-extras = \"0.1\"",
            "[features]\nwengert-nn = []",
            "[workspace.dependencies]\nwengert-nn = \"0.1\"\n[lints]\nwengert-nn = 1",
            "[workspace.dependencies.wengert-nn]\npath = \"..\"",
        ] {
            assert!(!depends_on(manifest, "wengert-nn"), "{manifest}");
        }
    }
}
