//! Finds the cycles of a graph.

use std::collections::{BTreeMap, BTreeSet};

/// Each module with the modules that it imports.
pub(crate) type Edges = BTreeMap<String, BTreeSet<String>>;

/// Returns a shortest cycle through each module that is on one, each cycle once, shortest first.
///
/// A cycle begins with its alphabetically first module, which is not repeated at the end.
pub(crate) fn cycles(edges: &Edges) -> Vec<Vec<String>> {
    let cycles: BTreeSet<_> = edges.keys().filter_map(|module| shortest_cycle(edges, module)).collect();
    cycles.into_iter().map(|(_, cycle)| cycle).collect()
}

/// Searches breadth first, so that the first path back to `start` is a shortest one.
fn shortest_cycle(edges: &Edges, start: &str) -> Option<(usize, Vec<String>)> {
    let mut paths = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in &paths {
            for next in path.last().and_then(|last| edges.get(last)).into_iter().flatten() {
                if next == start {
                    let mut cycle = path.clone();
                    let first = cycle.iter().enumerate().min_by_key(|(_, module)| *module)?.0;
                    cycle.rotate_left(first);
                    return Some((cycle.len(), cycle));
                }
                if seen.insert(next) {
                    longer.push([path.as_slice(), std::slice::from_ref(next)].concat());
                }
            }
        }
        paths = longer;
    }
    None
}

#[test]
fn cycles_are_found_and_named() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Edges::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        cycles(&graph).into_iter().map(|cycle| cycle.join(" ")).collect::<Vec<_>>()
    };
    assert!(graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).is_empty());
    assert_eq!(graph(&[("x", "c"), ("c", "a"), ("a", "b"), ("b", "c"), ("b", "y")]), ["a b c"]);
    assert_eq!(graph(&[("a", "a")]), ["a"]);
    // Two cycles through the same module, and a longer way around.
    let edges = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "a"), ("e", "a")];
    assert_eq!(graph(&edges), ["a b", "b c", "a b c d"]);
}
