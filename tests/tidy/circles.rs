//! Files of a crate do not import each other in circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{self, File, closing};

/// A module's path inside its crate; the crate's root is empty.
type Module = Vec<String>;

/// One name that a file imports: the path as written, and the name that it has in the file.
#[derive(Clone, Debug)]
struct Import {
    path: Vec<String>,
    name: String,
}

struct Crate {
    /// For each module its file and what it imports.
    modules: BTreeMap<Module, (String, Vec<Import>)>,
}

impl Crate {
    fn read(files: &[File], folder: &str) -> Crate {
        let modules = files.iter().filter_map(|file| {
            let inside = file
                .path
                .strip_prefix(folder)?
                .trim_start_matches('/')
                .strip_suffix(".rs")?;
            let mut module: Module = inside.split('/').map(str::to_owned).collect();
            if matches!(inside, "lib" | "main") {
                module.clear();
            }
            Some((module, (file.path.clone(), imports(&file.code))))
        });
        Crate {
            modules: modules.collect(),
        }
    }

    /// The module that defines what `path` names when it is written in `from`; `None` for another crate's.
    fn defines(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            name => {
                // A child module, or a name that the file has imported.
                let child = [from.as_slice(), &[name.to_owned()]].concat();
                if self.modules.contains_key(&child) {
                    return self.follow(child, rest, depth);
                }
                let import = self.modules.get(from)?.1.iter().find(|i| i.name == *name)?;
                if depth == 0 || import.path.first() == Some(first) {
                    return None;
                }
                return self.defines(from, &[import.path.as_slice(), rest].concat(), depth - 1);
            }
        };
        let mut rest = rest;
        while let Some((next, others)) = rest.split_first().filter(|(next, _)| *next == "super") {
            let _ = next;
            at.pop()?;
            rest = others;
        }
        self.follow(at, rest, depth)
    }

    fn follow(&self, mut at: Module, rest: &[String], depth: usize) -> Option<Module> {
        let mut rest = rest;
        while let Some((next, others)) = rest.split_first() {
            let child = [at.as_slice(), std::slice::from_ref(next)].concat();
            if self.modules.contains_key(&child) {
                (at, rest) = (child, others);
                continue;
            }
            // An item: defined here, unless this module has imported it itself.
            let import = self.modules.get(&at)?.1.iter().find(|i| i.name == *next);
            return match import {
                Some(import) if depth > 0 => {
                    let path = import.path.clone();
                    Some(self.defines(&at, &path, depth - 1).unwrap_or(at))
                }
                _ => Some(at),
            };
        }
        Some(at)
    }

    fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut out: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, (_, imports)) in &self.modules {
            let to = imports.iter().filter_map(|i| self.defines(module, &i.path, 8));
            // The root names its modules' items to the world; that is no use of them.
            let to: BTreeSet<Module> = to
                .filter(|to| to != module && self.modules.contains_key(to))
                .collect();
            out.insert(
                module.clone(),
                if module.is_empty() { BTreeSet::new() } else { to },
            );
        }
        out
    }

    fn circles(&self) -> Vec<Vec<String>> {
        let edges = self.edges();
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            edges.keys().map(|m| (m, reachable(&edges, m))).collect();
        let mut done: BTreeSet<&Module> = BTreeSet::new();
        let mut out = Vec::new();
        for module in edges.keys() {
            if done.contains(module) || !reach[module].contains(module) {
                continue;
            }
            let circle: Vec<&Module> = reach[module]
                .iter()
                .copied()
                .filter(|other| reach[*other].contains(module))
                .collect();
            out.push(circle.iter().map(|m| self.modules[*m].0.clone()).collect());
            done.extend(circle);
        }
        out
    }
}

fn reachable<'a>(edges: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<&Module> = edges.get(from).into_iter().flatten().collect();
    while let Some(module) = todo.pop() {
        if seen.insert(module) {
            todo.extend(edges.get(module).into_iter().flatten());
        }
    }
    seen
}

/// The names that `use` brings into a file, at its top level or inside of functions.
fn imports(code: &str) -> Vec<Import> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let word_before = code[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        if word_before {
            continue;
        }
        let end = code[at..].find(';').map_or(code.len(), |n| at + n);
        tree(&[], &code[at + 4..end], &mut out);
    }
    out
}

fn tree(before: &[String], text: &str, out: &mut Vec<Import>) {
    let text = text.trim();
    if let Some(open) = text.find('{') {
        let head: Vec<String> = segments(&text[..open]);
        let before = [before, &head].concat();
        let inner = &text[open + 1..closing(text, open) - 1];
        let mut depth = 0;
        let mut start = 0;
        for (n, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    tree(&before, &inner[start..n], out);
                    start = (n + 1).min(inner.len());
                }
                _ => {}
            }
        }
        return;
    }
    if text.is_empty() {
        return;
    }
    let (path, name) = text
        .split_once(" as ")
        .map_or((text, None), |(path, name)| (path, Some(name.trim())));
    let mut path = [before, &segments(path)].concat();
    if path.last().is_some_and(|last| last == "self" || last == "*") {
        path.pop();
    }
    if let Some(last) = path.last().cloned() {
        let name = name.map_or(last, str::to_owned);
        out.push(Import { path, name });
    }
}

fn segments(path: &str) -> Vec<String> {
    let names = path.split("::").map(str::trim).filter(|s| !s.is_empty());
    names.map(str::to_owned).collect()
}

/// Crates that are not untangled yet: in `scenario`, reading a value and checking it call each other.
const OPEN: [&str; 1] = ["harness/scenario/src"];

#[test]
fn files_do_not_import_each_other_in_circles() {
    let mut wrong = Vec::new();
    for folder in source::crates() {
        let files = source::files(&folder);
        let inside = folder.strip_prefix(source::root()).expect("below the root");
        let inside = inside.display().to_string().replace('\\', "/");
        let circles = Crate::read(&files, &inside).circles();
        if OPEN.contains(&inside.as_str()) {
            assert!(
                !circles.is_empty(),
                "{inside} has no circle any more: take it off the list"
            );
            continue;
        }
        wrong.extend(circles.iter().map(|circle| circle.join(", ")));
    }
    assert!(
        wrong.is_empty(),
        "{} circles of imports:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let file = |name: &str, code: &str| File {
        path: format!("c/src/{name}.rs"),
        code: code.to_owned(),
    };
    let files = [
        file("lib", "mod a; mod b; mod d; pub use a::A; pub use b::B;"),
        file("a", "use crate::{B, d::D};"),
        file("b", "use super::a::{self, A as X};"),
        file("d", "use std::fmt;"),
    ];
    let circles = Crate::read(&files, "c/src").circles();
    assert_eq!(circles, [["c/src/a.rs".to_owned(), "c/src/b.rs".to_owned()]]);
    let without = [
        file("lib", "mod a; mod d; pub use a::A;"),
        file("a", "use crate::d::D;"),
        file("d", ""),
    ];
    assert!(Crate::read(&without, "c/src").circles().is_empty());
}
