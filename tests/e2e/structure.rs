//! The structure of the source: imports between its files point one way, never in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The path of a module: `["process", "fields"]`.
type Module = Vec<String>;

/// The source of each module but the crate's roots, without its tests.
fn modules() -> BTreeMap<Module, String> {
    fn walk(folder: &Path, inside: &Module, found: &mut BTreeMap<Module, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module = [&inside[..], &[path.file_stem().unwrap().to_str().unwrap().to_owned()]].concat();
            if path.is_dir() {
                walk(&path, &module, found);
            } else if !["lib", "main"].contains(&module[0].as_str()) {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let code: Vec<_> = code.take_while(|line| *line != "#[cfg(test)]").collect();
                found.insert(module, code.join("\n"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &Vec::new(), &mut found);
    found
}

/// The paths that a text after `crate::` or `super::` stands for: `a::{b, c::d}` is two.
fn paths(text: &str) -> Vec<Module> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = text[name.len()..].trim_start();
    if name.is_empty() {
        let Some(group) = text.strip_prefix('{') else { return vec![Vec::new()] };
        let (mut depth, mut start, mut found) = (0, 0, Vec::new());
        for (place, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.extend(paths(group[start..place].trim()));
                    start = place + 1;
                    if c == '}' {
                        return found;
                    }
                }
                _ => {}
            }
        }
        panic!("an open brace: {text}");
    }
    match rest.strip_prefix("::") {
        Some(rest) => paths(rest.trim_start()).into_iter().map(|path| [vec![name.clone()], path].concat()).collect(),
        None => vec![vec![name]],
    }
}

/// What a module imports of the others.
fn imports(module: &Module, code: &str, all: &BTreeSet<&Module>) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    for (place, root) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = &code[..place];
        // `super::super::x` is found at its first word; a macro's `$crate` and `pub(in crate::…)` are none of ours.
        if before.ends_with("super::") || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let mut base = if root == "crate::" { Vec::new() } else { module[..module.len() - 1].to_vec() };
        let mut rest = &code[place + root.len()..];
        while let Some(above) = rest.strip_prefix("super::") {
            base.pop();
            rest = above;
        }
        for path in paths(rest) {
            let whole = [&base[..], &path].concat();
            let file = (1..=whole.len()).rev().map(|length| whole[..length].to_vec()).find(|path| all.contains(path));
            found.extend(file.filter(|file| file != module));
        }
    }
    // A module that re-exports or uses its own children says so by their bare names.
    for child in all.iter().filter(|other| other.len() == module.len() + 1 && other.starts_with(module)) {
        if code.contains(&format!("use {}::", child.last().unwrap())) {
            found.insert((*child).clone());
        }
    }
    found
}

#[test]
fn no_import_comes_back_to_where_it_began() {
    let sources = modules();
    let all: BTreeSet<_> = sources.keys().collect();
    let graph: BTreeMap<_, _> =
        sources.iter().map(|(module, code)| (module.clone(), imports(module, code, &all))).collect();
    assert!(
        graph[&vec!["process".to_owned(), "snapshot".to_owned()]].contains(&vec!["output".to_owned()]),
        "{graph:?}"
    );
    // What imports nothing that is left is taken away, until only circles are left.
    let mut left = graph;
    while let Some(leaf) = left.iter().find(|(_, imports)| imports.is_empty()).map(|(module, _)| module.clone()) {
        left.remove(&leaf);
        for imports in left.values_mut() {
            imports.remove(&leaf);
        }
    }
    // Nor does what nobody imports stand in one.
    while let Some(top) = left.keys().find(|module| !left.values().any(|imports| imports.contains(*module))).cloned() {
        left.remove(&top);
    }
    let shown: Vec<_> = left.iter().map(|(module, imports)| format!("{} -> {imports:?}", module.join("::"))).collect();
    assert!(left.is_empty(), "imports in a circle:\n{}", shown.join("\n"));
}
