//! Resolves the paths in Rust code to the modules that they name.

use std::collections::BTreeSet;
use std::fmt;

use crate::graph::Edges;
use crate::lexer::{Found, paths, product_code};

/// A path in the code of a module.
#[derive(Debug)]
pub(crate) struct Import {
    /// The file that contains the path, below the root of the project.
    pub(crate) file: String,
    pub(crate) line: usize,
    /// The module that contains the path. A bin is a module of its own, `functions/bin/login`.
    pub(crate) from: String,
    /// The path as written, without braces.
    pub(crate) path: String,
    /// The module of the workspace that the path names.
    pub(crate) to: Option<String>,
    /// The first name after that module, or `*`.
    pub(crate) item: Option<String>,
}

impl fmt::Display for Import {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// The modules of the workspace, and all paths in their code.
pub(crate) struct Tree {
    pub(crate) modules: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
}

impl Tree {
    /// Parses files, each with its name below the root of the project.
    pub(crate) fn parse(files: &[(String, String)]) -> Self {
        let sources: Vec<_> = files.iter().map(|(file, text)| (file, module_of(file), product_code(text))).collect();
        let test_modules: BTreeSet<_> = sources
            .iter()
            .flat_map(|(_, module, (_, tests))| tests.iter().map(move |test| format!("{module}::{test}")))
            .collect();
        let is_test = |module: &str| {
            let mut ancestors = module.match_indices("::").map(|(end, _)| &module[..end]).chain([module]);
            ancestors.any(|ancestor| test_modules.contains(ancestor))
        };
        let sources: Vec<_> = sources.into_iter().filter(|(_, module, _)| !is_test(module)).collect();
        let modules: BTreeSet<_> = sources.iter().map(|(_, module, _)| module.clone()).collect();
        let mut imports = Vec::new();
        for (file, module, (tokens, _)) in &sources {
            for Found { line, inline, segments } in paths(tokens) {
                let (to, item) = match resolve(&segments, module, &inline, &modules) {
                    Some((to, item)) => (Some(to), item),
                    None => (None, None),
                };
                let (file, from, path) = (file.to_string(), module.clone(), segments.join("::"));
                imports.push(Import { file, line, from, path, to, item });
            }
        }
        Self { modules, imports }
    }

    /// Returns the imports between different modules.
    pub(crate) fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for import in &self.imports {
            if let Some(to) = import.to.as_ref().filter(|to| **to != import.from) {
                edges.entry(import.from.clone()).or_default().insert(to.clone());
            }
        }
        edges
    }

    /// Returns a cycle as `a -> b -> a`, followed by the place of each import.
    pub(crate) fn describe(&self, cycle: &[String]) -> String {
        let mut lines = vec![[cycle, &cycle[..1]].concat().join(" -> ")];
        for (from, to) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
            let import = self.imports.iter().find(|import| import.from == *from && import.to.as_ref() == Some(to));
            lines.extend(import.map(|import| format!("    {import}: {}", import.path)));
        }
        lines.join("\n")
    }

    /// Parses code that a test wrote.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        files.sort();
        Self::parse(&files)
    }
}

fn module_of(file: &str) -> String {
    let (package, inside) = file.split_once("/src/").unwrap();
    let krate = package.rsplit('/').next().unwrap();
    let inside = inside.strip_suffix(".rs").unwrap();
    if inside.starts_with("bin/") {
        return format!("{krate}/{inside}");
    }
    let mut names: Vec<_> = [krate].into_iter().chain(inside.split('/')).collect();
    if let Some("lib" | "main" | "mod") = names.last().copied() {
        names.pop();
    }
    names.join("::")
}

/// Returns the module that a path names, and the first name after it.
fn resolve(
    segments: &[String],
    module: &str,
    inline: &[String],
    modules: &BTreeSet<String>,
) -> Option<(String, Option<String>)> {
    let here: Vec<_> = module.split("::").map(str::to_owned).chain(inline.iter().cloned()).collect();
    let first = segments.first()?;
    let child = format!("{}::{first}", here.join("::"));
    let mut full = match first.as_str() {
        "crate" => here[..1].to_vec(),
        "self" => here,
        "super" => here[..here.len() - 1].to_vec(),
        _ if modules.contains(&child) => [here, vec![first.clone()]].concat(),
        _ if modules.contains(first) => vec![first.clone()],
        _ => return None,
    };
    for segment in &segments[1..] {
        match segment.as_str() {
            "super" => full.truncate(full.len() - 1),
            "self" => {}
            name => full.push(name.to_owned()),
        }
    }
    let deepest = (1..=full.len()).rev().find(|&count| modules.contains(&full[..count].join("::")))?;
    Some((full[..deepest].join("::"), full.get(deepest).cloned()))
}

#[test]
fn paths_are_resolved_to_the_deepest_file() {
    let tree = Tree::planted(&[
        ("shared/src/lib.rs", "pub mod keys;\npub use app::App;\npub mod store;"),
        ("shared/src/app.rs", ""),
        ("shared/src/keys.rs", "pub use crate::store::{self, users::{User, Id as UserId}};"),
        ("shared/src/store/mod.rs", "mod users;\nfn f() -> users::User { crate::keys::new(std::fmt::Error) }"),
        ("shared/src/store/users.rs", "use super::super::App;\nuse super::*;\nmod inner { use super::sms; }"),
        ("shared/src/store/sms.rs", "use self::Unknown; #[cfg(test)] mod fixture;"),
        ("shared/src/store/sms/fixture.rs", "use crate::keys::Fixture;"),
        ("local/benchmark/src/main.rs", "mod share;\nuse share::Share;\nuse shared::store::users::User;"),
        ("local/benchmark/src/share.rs", "fn f(row: &crate::Row) {}"),
        ("functions/src/bin/login.rs", "fn main() { shared::keys::new() }"),
    ]);
    let edges: Vec<_> =
        tree.edges().into_iter().map(|(from, to)| format!("{from}: {}", Vec::from_iter(to).join(" "))).collect();
    let expected = [
        "benchmark: benchmark::share shared::store::users",
        "benchmark::share: benchmark",
        "functions/bin/login: shared::keys",
        "shared: shared::app",
        "shared::keys: shared::store shared::store::users",
        "shared::store: shared::keys shared::store::users",
        "shared::store::users: shared shared::store",
    ];
    assert_eq!(edges, expected);
    assert!(!tree.modules.contains("shared::store::sms::fixture"), "test code is not a module");
    let cycles: Vec<_> = crate::graph::cycles(&tree.edges()).iter().map(|cycle| tree.describe(cycle)).collect();
    let expected = [
        "benchmark -> benchmark::share -> benchmark\n    \
         local/benchmark/src/main.rs:2: share::Share\n    \
         local/benchmark/src/share.rs:1: crate::Row",
        "shared::keys -> shared::store -> shared::keys\n    \
         shared/src/keys.rs:1: crate::store::self\n    \
         shared/src/store/mod.rs:2: crate::keys::new",
        "shared::store -> shared::store::users -> shared::store\n    \
         shared/src/store/mod.rs:2: users::User\n    \
         shared/src/store/users.rs:2: super::*",
    ];
    assert_eq!(cycles, expected);
}
