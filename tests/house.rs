//! Holds the imports of `src/` against the architecture's table of who may know whom.
//!
//! The sources are read as tokens (comments and literals gone, test code left out), and every path that
//! leads to another room is resolved, be it written `crate::a::b`, `use crate::{a, b::{c, d}}`,
//! `super::super::a` or `trueup::a`. What a room may do besides (print, wait, read the clock, talk to a
//! database) is decided by the same paths. The rules are the data at the top of this file; the tests at
//! its end plant violations and expect them to be found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The nouns that every room may know. They know each other no further than the table says.
const NOUNS: &[&str] = &["failure", "sides", "server", "spool", "value"];

/// Who may know whom besides: a room, and the rooms its paths may lead to (itself is always allowed).
const KNOWS: &[(&str, &[&str])] = &[
    ("failure", &[]),
    ("sides", &[]),
    ("spool", &[]),
    ("value", &[]),
    ("server", &["sql"]),
    ("sql", &[]),
    ("spec", &["sql"]),
    ("engine", &["sql", "spec", "schema"]),
    ("schema", &["sql", "spec"]),
    ("compare", &[]),
    ("audit", &["sql", "spec", "schema", "engine", "compare", "event"]),
    ("plan", &["sql", "spec", "schema", "compare"]),
    ("apply", &["sql", "spec", "schema", "compare", "plan", "engine", "event"]),
    ("verify", &["sql", "spec", "schema", "compare", "audit", "plan", "apply", "engine", "event"]),
    ("event", &["plan"]),
    ("report", &["sql", "spec", "schema", "plan", "event", "compare"]),
    ("reconcile", &ALL_BUT_REPORT_AND_CLI),
    ("watch", &ALL_BUT_CLI),
    ("init", &["sql", "spec", "schema", "report"]),
    ("cli", &EVERYTHING),
    ("main", &EVERYTHING),
    ("lib", &EVERYTHING),
];

const ALL_BUT_REPORT_AND_CLI: [&str; 10] =
    ["sql", "spec", "engine", "schema", "compare", "audit", "plan", "apply", "verify", "event"];
const ALL_BUT_CLI: [&str; 12] = [
    "sql",
    "spec",
    "engine",
    "schema",
    "compare",
    "audit",
    "plan",
    "apply",
    "verify",
    "event",
    "reconcile",
    "report",
];
const EVERYTHING: [&str; 15] = [
    "sql",
    "spec",
    "engine",
    "schema",
    "compare",
    "audit",
    "plan",
    "apply",
    "verify",
    "event",
    "reconcile",
    "report",
    "watch",
    "init",
    "cli",
];

/// The nouns that know no other noun either.
const ALONE: &[&str] = &["failure", "sides", "value"];

/// Rooms without waiting, I/O, clock or engine handle.
const PURE: &[&str] =
    &["failure", "sides", "server", "value", "sql", "spec", "schema", "compare", "plan", "report", "init"];
const IMPURE: &[&str] = &[
    "tokio",
    "futures_util",
    "async_trait",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "time::SystemTime",
    "time::Instant",
    "jiff::Timestamp::now",
    "Timestamp::now",
    "jiff::Zoned::now",
    "Zoned::now",
];

/// What only these rooms may name: the paths (by their beginning), and why.
const RESERVED: &[(&[&str], &[&str], &str)] = &[
    (&["sqlx", "rusqlite", "libsqlite3_sys"], &["engine"], "only engine/ talks to a database driver"),
    (
        &["clap", "indicatif", "anstream"],
        &["cli", "main"],
        "only cli/ reads arguments and draws on the terminal",
    ),
    (
        &["std::io::stdout", "std::io::stderr", "std::io::stdin", "io::stdout", "io::stderr", "io::stdin"],
        &["cli", "main"],
        "only cli/ prints and asks",
    ),
];
const PRINTING_MACROS: &[&str] = &["println", "eprintln", "print", "eprint", "dbg"];
const PRINTERS: &[&str] = &["cli", "main"];

/// One source file: its module path below the crate (`plan::file` is `[plan, file]`) and its text.
struct Source {
    name: String,
    module: Vec<String>,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

#[test]
fn every_room_knows_only_whom_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = sources_below(&root);
    assert!(sources.len() >= 2, "no sources below {}", root.display());
    let found = violations(&sources);
    assert!(found.is_empty(), "{} violations of the house's order:\n{}", found.len(), found.join("\n"));
}

fn sources_below(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    collect_files(root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let relative = file.strip_prefix(root).expect("the file was found below it").to_path_buf();
            let text = fs::read_to_string(&file).expect("sources are readable UTF-8");
            Source { name: format!("src/{}", relative.display()), module: module_of(&relative), text }
        })
        .collect()
}

fn collect_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the source tree is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `plan/file.rs` → `[plan, file]`, `plan/mod.rs` → `[plan]`, `lib.rs` → `[]`, `main.rs` → `[main]`.
fn module_of(relative: &Path) -> Vec<String> {
    let path = relative.with_extension("");
    let mut parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || (last == "lib" && parts.len() == 1)) {
        parts.pop();
    }
    parts
}

fn violations(sources: &[Source]) -> Vec<String> {
    let analysed: Vec<(&Source, Code)> = sources.iter().map(|source| (source, Code::read(source))).collect();
    let test_modules: BTreeSet<Vec<String>> =
        analysed.iter().flat_map(|(_, code)| code.test_modules.iter().cloned()).collect();
    let is_test =
        |module: &[String]| (1..=module.len()).any(|length| test_modules.contains(&module[..length]));
    analysed
        .iter()
        .filter(|(source, _)| !is_test(&source.module))
        .flat_map(|(source, code)| violations_of(source, code))
        .collect()
}

fn violations_of(source: &Source, code: &Code) -> Vec<String> {
    let room = source.room();
    let Some((_, known)) = KNOWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: no room `{room}` in the architecture's table", source.name)];
    };
    let mut found = Vec::new();
    let mut report = |line: usize, why: String| found.push(format!("{}:{line}: {why}", source.name));
    for (line, path) in &code.paths {
        let written = path.join("::");
        if let Some(why) = leads_astray(room, known, path) {
            report(*line, why);
        }
        for (prefixes, rooms, why) in RESERVED {
            if !rooms.contains(&room) && prefixes.iter().any(|prefix| begins_with(path, prefix)) {
                report(*line, format!("`{written}` in {room}: {why}"));
            }
        }
        if PURE.contains(&room) && IMPURE.iter().any(|prefix| begins_with(path, prefix)) {
            report(*line, format!("`{written}` in {room}, which is pure"));
        }
    }
    for (line, name) in &code.macros {
        if PRINTING_MACROS.contains(&name.as_str()) && !PRINTERS.contains(&room) {
            report(*line, format!("`{name}!` in {room}: only cli/ prints"));
        }
    }
    for line in &code.async_lines {
        if PURE.contains(&room) {
            report(*line, format!("`async` in {room}, which is pure"));
        }
    }
    found.dedup();
    found
}

/// Why a path that begins at the crate's root may not stand in `room`.
fn leads_astray(room: &str, known: &[&str], path: &[String]) -> Option<String> {
    if path.first().is_none_or(|first| first != "crate") {
        return None;
    }
    let to = path.get(1).map_or("*", String::as_str);
    // The root holds rooms only; a glob over them would hide who is meant.
    if to == "*" || to == "self" {
        return Some(format!("`{}` in {room} does not name a room", path.join("::")));
    }
    let is_common_noun = NOUNS.contains(&to) && !ALONE.contains(&room);
    if to == room || is_common_noun || known.contains(&to) {
        return None;
    }
    let exists = KNOWS.iter().any(|(name, _)| *name == to);
    let why = if exists { "may not know" } else { "names something that is no room:" };
    Some(format!("{room} {why} {to} (`{}`)", path.join("::")))
}

fn begins_with(path: &[String], prefix: &str) -> bool {
    let mut parts = path.iter();
    prefix.split("::").all(|wanted| parts.next().is_some_and(|part| part == wanted))
}

/// What the rules look at in one file, with line numbers; test code is left out.
#[derive(Default)]
struct Code {
    /// Every path of two or more names and every path in a `use`; those into the crate begin with `crate`.
    paths: Vec<(usize, Vec<String>)>,
    macros: Vec<(usize, String)>,
    async_lines: Vec<usize>,
    /// Modules in files of their own that are declared under `#[cfg(test)]`.
    test_modules: Vec<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Token {
    line: usize,
    text: String,
}

impl Code {
    fn read(source: &Source) -> Code {
        let tokens = without_tests(tokens(&source.text), &source.module);
        let mut code = Code { test_modules: tokens.1, ..Code::default() };
        let tokens = tokens.0;
        let mut inside: Vec<Option<String>> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            match text {
                "{" => inside.push(module_opened(&tokens, at)),
                "}" => drop(inside.pop()),
                "async" => code.async_lines.push(tokens[at].line),
                _ => {}
            }
            let starts_path = is_name(text) && !follows_path(&tokens, at);
            if !starts_path {
                at += 1;
                continue;
            }
            if text_at(&tokens, at + 1) == "!" && text_at(&tokens, at + 2) != "=" {
                code.macros.push((tokens[at].line, text.to_string()));
            }
            let nested: Vec<String> = inside.iter().flatten().cloned().collect();
            let mut found = Vec::new();
            let begin = if text == "use" && at + 1 < tokens.len() { at + 1 } else { at };
            let end = read_tree(&tokens, begin, &[], &mut found);
            let always = begin != at;
            for (line, path) in found {
                if always || path.len() > 1 {
                    let last_is_macro = text_at(&tokens, end) == "!";
                    if last_is_macro {
                        code.macros.extend(path.last().map(|name| (line, name.clone())));
                    }
                    code.paths.push((line, resolve(path, &source.module, &nested)));
                }
            }
            at = end.max(at + 1);
        }
        code
    }
}

fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn follows_path(tokens: &[Token], at: usize) -> bool {
    at > 0 && matches!(text_at(tokens, at - 1), "." | "'")
}

/// The name in `mod NAME {` when the brace at `at` opens one.
fn module_opened(tokens: &[Token], at: usize) -> Option<String> {
    (at >= 2 && text_at(tokens, at - 2) == "mod").then(|| text_at(tokens, at - 1).to_string())
}

/// Reads a path or use tree at `at`, adds its leaves behind `before`, and gives the place after it.
fn read_tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = before.to_vec();
    if text_at(tokens, at) == "::" {
        at += 1;
    }
    loop {
        let text = text_at(tokens, at);
        let line = tokens.get(at).map_or(0, |token| token.line);
        if text == "{" && !path.is_empty() {
            at += 1;
            while at < tokens.len() && text_at(tokens, at) != "}" {
                at = read_tree(tokens, at, &path, found);
                if text_at(tokens, at) == "as" {
                    at += 2;
                }
                if text_at(tokens, at) == "," {
                    at += 1;
                }
            }
            return at + 1;
        }
        if !is_name(text) && text != "*" {
            found.push((line, path));
            return at.max(1) + usize::from(at == 0);
        }
        path.push(text.to_string());
        at += 1;
        if text_at(tokens, at) != "::"
            || !(is_name(text_at(tokens, at + 1)) || matches!(text_at(tokens, at + 1), "{" | "*"))
        {
            found.push((line, path));
            return at;
        }
        at += 1;
    }
}

/// Makes a path that leads into the crate begin with `crate`, whatever it was written with.
fn resolve(path: Vec<String>, module: &[String], nested: &[String]) -> Vec<String> {
    let home: Vec<String> = module.iter().chain(nested).cloned().collect();
    match path.first().map(String::as_str) {
        Some("trueup") => ["crate".to_string()].into_iter().chain(path.into_iter().skip(1)).collect(),
        Some("super" | "self") => {
            let ups =
                path.iter().skip_while(|part| *part == "self").take_while(|part| *part == "super").count();
            let rest = path.iter().skip_while(|part| *part == "super" || *part == "self").cloned();
            let kept = home.len().saturating_sub(ups);
            ["crate".to_string()].into_iter().chain(home.into_iter().take(kept)).chain(rest).collect()
        }
        _ => path,
    }
}

/// The tokens outside items under `#[cfg(test)]`, and the module paths of `#[cfg(test)] mod name;`.
fn without_tests(tokens: Vec<Token>, module: &[String]) -> (Vec<Token>, Vec<Vec<String>>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let attribute: String = tokens[at..].iter().take(7).map(|token| token.text.as_str()).collect();
        if attribute != "#[cfg(test)]" {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let begin = at + 7;
        at = end_of_item(&tokens, begin);
        let item = &tokens[begin..at];
        if let Some(place) = item.iter().position(|token| token.text == "mod")
            && text_at(item, place + 2) == ";"
        {
            modules.push(module.iter().cloned().chain([item[place + 1].text.clone()]).collect());
        }
    }
    (kept, modules)
}

/// The place after the item that begins at `at`: after its `;`, or after its outermost braces.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && tokens[at].text == "}" {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Names, `::` and single punctuation marks; comments, literals and life times leave nothing.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let end = match chars[at] {
            '/' if next_is(&chars, at, '/') => end_of_line(&chars, at),
            '/' if next_is(&chars, at, '*') => end_of_comment(&chars, at),
            '"' => end_of_string(&chars, at),
            '\'' => end_of_quote(&chars, at),
            c if c.is_alphanumeric() || c == '_' => match end_of_literal_prefix(&chars, at) {
                Some(end) => end,
                None => {
                    let end = (at..chars.len()).find(|i| !(chars[*i].is_alphanumeric() || chars[*i] == '_'));
                    let end = end.unwrap_or(chars.len());
                    let name: String = chars[at..end].iter().collect();
                    tokens.push(Token { line, text: name });
                    end
                }
            },
            ':' if next_is(&chars, at, ':') => {
                tokens.push(Token { line, text: "::".into() });
                at + 2
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token { line, text: c.to_string() });
                }
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

fn next_is(chars: &[char], at: usize, wanted: char) -> bool {
    chars.get(at + 1) == Some(&wanted)
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len())
}

/// Block comments nest in Rust.
fn end_of_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn end_of_string(chars: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// A character literal, or the mark of a life time (whose name is then skipped with it).
fn end_of_quote(chars: &[char], at: usize) -> usize {
    if next_is(chars, at, '\\') {
        let close = (at + 3..chars.len()).find(|i| chars[*i] == '\'');
        return close.map_or(chars.len(), |close| close + 1);
    }
    if chars.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    (at + 1..chars.len()).find(|i| !(chars[*i].is_alphanumeric() || chars[*i] == '_')).unwrap_or(chars.len())
}

/// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'`: the end of the literal; `None` for a plain name.
fn end_of_literal_prefix(chars: &[char], at: usize) -> Option<usize> {
    let prefix: String = chars[at..].iter().take(2).take_while(|c| matches!(c, 'r' | 'b' | 'c')).collect();
    if prefix.is_empty() || (at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')) {
        return None;
    }
    let quote = at + prefix.len();
    if prefix == "b" && chars.get(quote) == Some(&'\'') {
        return Some(end_of_quote(chars, quote));
    }
    if !prefix.contains('r') {
        return (chars.get(quote) == Some(&'"')).then(|| end_of_string(chars, quote));
    }
    let hashes = chars[quote..].iter().take_while(|c| **c == '#').count();
    if chars.get(quote + hashes) != Some(&'"') {
        return None;
    }
    let closes = |i: &usize| {
        chars[*i] == '"' && chars[*i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let close = (quote + hashes + 1..chars.len()).find(closes);
    Some(close.map_or(chars.len(), |close| close + 1 + hashes))
}

#[cfg(test)]
mod planted {
    use super::{Source, module_of, violations};
    use std::path::Path;

    fn found(file: &str, text: &str) -> Vec<String> {
        let module = module_of(Path::new(file));
        violations(&[Source { name: format!("src/{file}"), module, text: text.into() }])
    }

    #[track_caller]
    fn caught(file: &str, text: &str, message: &str) {
        let found = found(file, text);
        assert!(
            found.len() == 1 && found[0].contains(message),
            "{file}: {text}\nexpected: {message}\nfound: {found:#?}"
        );
    }

    #[test]
    fn a_forbidden_room_is_caught_however_it_is_written() {
        caught(
            "plan/order.rs",
            "use crate::engine::Replica;",
            "src/plan/order.rs:1: plan may not know engine",
        );
        caught(
            "plan/order.rs",
            "\nfn f(r: &crate::engine::Replica) {}",
            "src/plan/order.rs:2: plan may not know engine",
        );
        caught("plan/order.rs", "use crate::{value::Row, engine};", "plan may not know engine");
        caught(
            "plan/order.rs",
            "use crate::{value::{Row, Key as K}, engine::{sqlite::X as Z}};",
            "may not know engine",
        );
        caught("plan/order.rs", "use super::super::engine::X;", "plan may not know engine");
        caught("plan/mod.rs", "use super::engine::X;", "plan may not know engine");
        caught("value/mod.rs", "mod inner { use super::super::sql::X; }", "value may not know sql");
        caught("main.rs", "fn main() { trueup::nowhere::run() }", "no room: nowhere");
        caught("plan/mod.rs", "use crate::*;", "does not name a room");
        caught("helper.rs", "", "no room `helper`");
        caught("sides.rs", "fn f() { if x { y(); } let z = crate::value::Z; }", "sides may not know value");
    }

    #[test]
    fn what_a_room_may_not_do_is_caught() {
        caught("audit/mod.rs", "fn f() { println!(\"{}\", 1); }", "only cli/ prints");
        caught("audit/mod.rs", "fn f() { std::eprintln!(\"\"); }", "only cli/ prints");
        caught("report/text.rs", "use std::io::{self, stdout};", "only cli/ prints and asks");
        caught("audit/mod.rs", "use sqlx::Row;", "only engine/ talks to a database driver");
        caught("audit/mod.rs", "fn f(c: &rusqlite::Connection) {}", "only engine/ talks");
        caught("plan/mod.rs", "async fn f() {}", "pure");
        caught("schema/diff.rs", "use std::{fs, fmt};", "pure");
        caught("schema/diff.rs", "fn f() { std::time::Instant::now(); }", "pure");
        caught("compare/mod.rs", "use tokio::sync::mpsc;", "pure");
    }

    #[test]
    fn what_is_allowed_passes() {
        for (file, text) in [
            (
                "plan/order.rs",
                "use crate::{schema::Table, value::{self, Row}}; use super::Step; use crate::plan::X;",
            ),
            (
                "plan/order.rs",
                "// use crate::engine::X;\n/* /* crate::engine::X */ crate::cli */ fn f<'a>(x: &'a str) {}",
            ),
            (
                "plan/order.rs",
                "const A: &str = \"crate::engine::X\"; const B: &str = r#\"\"crate::cli::X\"#; const C: char = '\"';",
            ),
            (
                "plan/order.rs",
                "#[cfg(test)]\nmod tests { use crate::engine::X; fn f() { println!(); } }\nfn g() {}",
            ),
            ("value/domain.rs", "enum Domain { Instant } fn f() { Domain::Instant; time::Span::new(); }"),
            ("cli/mod.rs", "use crate::{engine, report}; fn f() { println!(); }"),
            (
                "engine/sqlite/scan.rs",
                "use rusqlite::Connection; use super::super::EngineError; use super::Session;",
            ),
            ("lib.rs", "pub mod engine; pub mod cli;"),
            ("main.rs", "fn main() -> std::process::ExitCode { trueup::cli::main() }"),
        ] {
            assert_eq!(found(file, text), Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn a_test_module_in_its_own_file_is_test_code() {
        let source = |file: &str, text: &str| Source {
            name: format!("src/{file}"),
            module: module_of(Path::new(file)),
            text: text.into(),
        };
        let parent = source("plan/mod.rs", "#[cfg(test)]\nmod tests;\nmod order;");
        let tests = source("plan/tests.rs", "use crate::engine::X;");
        assert_eq!(violations(&[parent, tests]), Vec::<String>::new());
    }
}
