//! Imports run one way: no cycle between the modules of a crate, and no import of a higher layer.
//!
//! Each file is a module, and each path in its code (`crate::…`, `super::…`, `self::…`, a child's
//! name, or another crate of the workspace) is an import of the deepest file that the path names.
//! A `mod` declaration, a comment, a string and code under `#[cfg(test)]` are not imports.
//!
//! `lib.rs` and `mod.rs` have no privilege: `pub use child::Item` is an import of the child. A child
//! that imports an item from such a parent, defined there or re-exported, therefore closes a cycle.
//! It must import the item from the file that defines it; if that file is the parent, move the item
//! into a file of its own. A parent that only declares its children may be imported by them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

mod graph;
mod lexer;
mod source;

use std::path::{Path, PathBuf};

use graph::cycles;
use source::{Import, Tree};

/// The folders with product code.
const FOLDERS: [&str; 4] = ["functions/src", "shared/src", "local/src", "local/benchmark/src"];

/// The layers, lowest first. All other modules of `functions` are endpoints, the highest layer.
const LAYERS: [(&str, &[&str]); 5] = [
    ("values and limits", &["shared::values", "shared::limits"]),
    ("records and traits", &["shared::store", "shared::sms", "shared::events"]),
    ("tokens", &["shared::tokens"]),
    ("backends", &["shared::aws", "local"]),
    ("http", &["functions::http"]),
];

/// The modules that may import `Config`, besides `shared::config` itself.
const MAY_IMPORT_CONFIG: [&str; 5] = ["shared", "shared::app", "shared::aws", "shared::aws::sdk", "local"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn tree() -> Tree {
    let mut files = Vec::new();
    let mut folders: Vec<_> = FOLDERS.map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    Tree::parse(&files)
}

/// Returns whether `module` is `ancestor` or in its folder.
fn is_in(module: &str, ancestor: &str) -> bool {
    module.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn layer(module: &str) -> Option<usize> {
    let layer = LAYERS.iter().position(|(_, modules)| modules.iter().any(|ancestor| is_in(module, ancestor)));
    let is_endpoint = module.starts_with("functions::") && !is_in(module, "functions::lambda");
    layer.or(is_endpoint.then_some(LAYERS.len()))
}

fn layer_name(layer: usize) -> &'static str {
    LAYERS.get(layer).map_or("endpoints", |(name, _)| name)
}

/// Returns one line for each import of a higher layer.
fn upward_imports(tree: &Tree) -> Vec<String> {
    let upward = tree.imports.iter().filter_map(|import| {
        let to = import.to.as_deref()?;
        let (from_layer, to_layer) = (layer(&import.from)?, layer(to)?);
        (from_layer < to_layer)
            .then(|| format!("{import}: {} must not import {} ({to})", layer_name(from_layer), layer_name(to_layer)))
    });
    upward.collect()
}

/// Returns one line for each import of the configuration by a module that must not know it.
fn config_imports(tree: &Tree) -> Vec<String> {
    let is_config = |import: &Import| {
        let to = import.to.as_deref().unwrap_or_default();
        let names_it = matches!(import.item.as_deref(), Some("Config" | "*"));
        (is_in(to, "shared::config") || to == "shared") && names_it || import.path.ends_with("config::Config")
    };
    let is_value = |import: &Import| layer(&import.from) == Some(0);
    let is_below_app = |import: &Import| {
        let is_backend = is_in(&import.from, "shared") || is_in(&import.from, "local");
        let from = import.from.as_str();
        is_backend && !is_in(from, "shared::config") && !MAY_IMPORT_CONFIG.contains(&from)
    };
    let imports = tree.imports.iter().filter_map(|import| {
        let to = import.to.as_deref().unwrap_or_default();
        if is_value(import) && (is_in(to, "shared::config") || is_in(to, "shared::app")) {
            Some(format!("{import}: {} must not import {to}", layer_name(0)))
        } else {
            (is_below_app(import) && is_config(import))
                .then(|| format!("{import}: must take the value that it needs, not Config"))
        }
    });
    imports.collect()
}

/// Returns one line for each path of `functions` that names Lambda, AWS or SQL in the wrong place.
fn platform_imports(tree: &Tree) -> Vec<String> {
    let imports = tree.imports.iter().filter_map(|import| {
        let krate = import.path.split("::").next().unwrap_or_default();
        let is_platform = krate.starts_with("lambda_") || krate.starts_with("aws_") || krate == "rusqlite";
        let is_bin = import.from.starts_with("functions/bin/");
        let is_allowed = is_in(&import.from, "functions::lambda") || is_bin && import.path == "lambda_runtime::Error";
        (is_platform && !is_allowed && import.from.starts_with("functions"))
            .then(|| format!("{import}: only functions/src/lambda.rs may name {krate}"))
    });
    imports.collect()
}

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{} {what}:\n{}\n", found.len(), found.join("\n"));
}

#[test]
fn modules_form_no_cycle() {
    let tree = tree();
    assert!(tree.modules.len() > 30, "only {} modules were found", tree.modules.len());
    let cycles: Vec<_> = cycles(&tree.edges()).into_iter().map(|cycle| tree.describe(&cycle)).collect();
    assert_none(&cycles, "import cycles (import an item from the file that defines it)");
}

#[test]
fn no_layer_imports_a_higher_one() {
    let tree = tree();
    for (index, (name, modules)) in LAYERS.iter().enumerate() {
        let is_there = tree.modules.iter().any(|module| layer(module) == Some(index));
        assert!(is_there, "the layer of {name} has no file; expected one of {modules:?}");
    }
    assert_none(&upward_imports(&tree), "imports of a higher layer");
}

#[test]
fn only_the_app_and_its_constructors_import_config() {
    let tree = tree();
    assert!(tree.modules.contains("shared::config"), "shared::config does not exist");
    assert_none(&config_imports(&tree), "imports of the configuration");
}

#[test]
fn only_lambda_rs_names_lambda() {
    let tree = tree();
    let is_lambda = |import: &Import| import.from == "functions::lambda" && import.path.starts_with("lambda_runtime::");
    assert!(tree.imports.iter().any(is_lambda), "functions/src/lambda.rs does not name lambda_runtime");
    assert_none(&platform_imports(&tree), "paths of Lambda, AWS or SQL");
}

#[test]
fn planted_imports_of_a_higher_layer_are_found() {
    let tree = Tree::planted(&[
        ("shared/src/lib.rs", "pub mod config;\npub use config::Config;"),
        ("shared/src/app.rs", "use crate::config::Config;"),
        ("shared/src/config/mod.rs", "pub struct Config;\nimpl Config { fn part() -> crate::config::part::Part {} }"),
        ("shared/src/config/part.rs", "use super::Config;"),
        ("shared/src/values/phone.rs", "use crate::config::MAX;\nuse crate::store::Users;"),
        ("shared/src/store/mod.rs", "use crate::values::phone;\nuse crate::{Config, sms};"),
        ("shared/src/sms.rs", "use crate::config;\nfn f(_: &config::Config) {}"),
        ("shared/src/aws/mod.rs", "use crate::Config;\nuse crate::store;"),
        ("functions/src/http/request.rs", "use crate::users::login::Login;\nuse lambda_runtime::Request;"),
        ("functions/src/users/login.rs", "use crate::http::request;\nuse shared::aws;"),
        ("functions/src/lambda.rs", "use lambda_runtime::Request;\nuse crate::users::login;"),
        ("functions/src/bin/login.rs", "fn f() -> lambda_runtime::Error {}\nfn g() -> lambda_runtime::Body {}"),
    ]);
    let found = upward_imports(&tree);
    let expected = [
        "functions/src/http/request.rs:1: http must not import endpoints (functions::users::login)",
        "shared/src/values/phone.rs:2: values and limits must not import records and traits (shared::store)",
    ];
    assert_eq!(found, expected);
    let found = config_imports(&tree);
    let expected = [
        "shared/src/sms.rs:2: must take the value that it needs, not Config",
        "shared/src/store/mod.rs:2: must take the value that it needs, not Config",
        "shared/src/values/phone.rs:1: values and limits must not import shared::config",
    ];
    assert_eq!(found, expected);
    let found = platform_imports(&tree);
    let expected = [
        "functions/src/bin/login.rs:2: only functions/src/lambda.rs may name lambda_runtime",
        "functions/src/http/request.rs:2: only functions/src/lambda.rs may name lambda_runtime",
    ];
    assert_eq!(found, expected);
}
