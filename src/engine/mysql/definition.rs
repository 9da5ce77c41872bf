//! Reads what SHOW CREATE TABLE prints: the words behind each column, the keys and constraints, the options.
//!
//! It is the one place where a server says all of a table, exactly, and to a login that may only read it: what
//! `information_schema` says of foreign keys and checks MariaDB shows to those alone who may do more. Owns the common
//! spelling of both brands: no widths that mean nothing, numbers without quotes, `current_timestamp()`. Refuses what it
//! does not understand. Pure.

use std::collections::HashMap;

use crate::sql::{Attachment, AttachmentKind, AttachmentPart, EngineName, TableName, Target};

/// What a table's definition says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    /// Its columns, by name.
    pub columns: HashMap<String, Shown>,
    /// Its keys, indexes, checks and foreign keys: what is pointed with stands behind what it needs.
    pub attachments: Vec<Attachment>,
    /// What stands behind its columns, in one order and without what rows change.
    pub options: String,
}

/// What stands behind a column's name, but for its type, its collation and whether it takes NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its default as SQL; of one without there is none, and none where it is NULL.
    pub default: Option<String>,
    /// The expression that generates it, without parentheses around it.
    pub generated: Option<String>,
    /// What is written into it whenever its row changes.
    pub on_update: Option<String>,
    /// What it must obey, without parentheses around it.
    pub check: Option<String>,
    /// All else: COMPRESSED, INVISIBLE, COMMENT.
    pub rest: String,
    /// Whether MariaDB itself checks it to be JSON.
    pub is_json: bool,
    /// The columns of which a check of its own speaks.
    pub checked: Vec<String>,
}

/// Reads a definition; `None` where it is not understood. `collation`: the table's, which not every server prints.
pub(super) fn read(
    engine: EngineName,
    table: &TableName,
    shown: &str,
    collation: Option<&str>,
) -> Option<Definition> {
    let text = unwrapped(shown);
    let open = first_at(&text, '(')?;
    let close = open + end_of_group(&text[open..])?;
    let mut definition = Definition::default();
    let (mut keys, mut checks, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
    let mut period = None;
    for line in split(&text[open + 1..close - 1], |c| c == ',') {
        let line = line.trim();
        if line.starts_with('`') {
            let (name, words) = leading_name(line)?;
            definition.columns.insert(name, column(engine, words)?);
            continue;
        }
        let words = split(line, char::is_whitespace);
        match words.first()?.to_ascii_uppercase().as_str() {
            "PERIOD" => period = Some(one_spaced(line)),
            "CONSTRAINT" => {
                let (name, rest) = leading_name(line["CONSTRAINT".len()..].trim_start())?;
                match rest.trim_start() {
                    rest if rest.starts_with("CHECK") => checks.push(check(engine, table, name, rest)?),
                    rest if rest.starts_with("FOREIGN KEY") => foreign.push(foreign_key(table, name, rest)?),
                    _ => return None,
                }
            }
            _ => keys.push(key(line)?),
        }
    }
    definition.options = options(&text[close..], collation);
    if let Some(period) = period {
        definition.options.push_str(&format!(" {period}"));
    }
    if let Some(schema) = &table.schema {
        // A sequence of the database's own.
        let own = format!("val(`{}`.", schema.replace('`', "``"));
        let defaults = definition.columns.values_mut().filter_map(|shown| shown.default.as_mut());
        defaults.for_each(|default| *default = default.replace(&own, "val("));
    }
    // What kind an index is where nothing is said, the table's engine decides.
    let plain = if definition.options.starts_with("ENGINE=MEMORY") { "USING HASH" } else { "USING BTREE" };
    for key in keys.iter_mut().filter(|key: &&mut Attachment| key.method == plain) {
        key.method.clear();
    }
    definition.attachments.extend(keys);
    definition.attachments.extend(checks);
    definition.attachments.extend(foreign);
    Some(definition)
}

/// Words of some versions alone stand in comments: `/*!80023 INVISIBLE */`, `/*M!100301 COMPRESSED*/`.
fn unwrapped(shown: &str) -> String {
    let mut text = String::with_capacity(shown.len());
    let mut rest = shown;
    while !rest.is_empty() {
        let length = match rest.as_bytes()[0] {
            b'\'' | b'`' | b'"' => end_of_quoted(rest),
            b'/' if rest.starts_with("/*") => {
                let digits = |c: char| matches!(c, '/' | '*' | 'M' | 'T' | '!') || c.is_ascii_digit();
                text.push(' ');
                rest = rest.trim_start_matches(digits);
                continue;
            }
            b'*' if rest.starts_with("*/") => {
                rest = &rest[2..];
                continue;
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    text
}

/// How long the quoted text is that this begins with. A quote is doubled in it, or stands behind a backslash; in a name
/// a backslash is one.
fn end_of_quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote != b'`' => at += 1,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// How long the group in parentheses is that this begins with.
fn end_of_group(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match text.as_bytes()[at] {
            b'\'' | b'`' | b'"' => {
                at += end_of_quoted(&text[at..]);
                continue;
            }
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The first of these outside of quotes.
fn first_at(text: &str, wanted: char) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let c = text[at..].chars().next()?;
        match c {
            _ if c == wanted => return Some(at),
            '\'' | '`' | '"' => at += end_of_quoted(&text[at..]),
            _ => at += c.len_utf8(),
        }
    }
    None
}

/// The parts between separators that stand outside of quotes and parentheses; empty ones are left out.
fn split(text: &str, separates: impl Fn(char) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let Some(c) = rest.chars().next() else { break };
        match c {
            '\'' | '`' | '"' => at += end_of_quoted(rest),
            '(' => at += end_of_group(rest).unwrap_or(rest.len()),
            _ if separates(c) => {
                parts.push(&text[start..at]);
                at += c.len_utf8();
                start = at;
            }
            _ => at += c.len_utf8(),
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// A name in backticks and what stands behind it.
fn leading_name(text: &str) -> Option<(String, &str)> {
    if !text.starts_with('`') {
        return None;
    }
    let end = end_of_quoted(text);
    Some((text.get(1..end - 1)?.replace("``", "`"), &text[end..]))
}

/// The names in backticks that stand in an expression.
fn names(expression: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < expression.len() {
        let rest = &expression[at..];
        at += match rest.as_bytes()[0] {
            b'\'' | b'"' => end_of_quoted(rest),
            b'`' => {
                let (name, behind) = leading_name(rest).unwrap_or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
                rest.len() - behind.len()
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    names
}

/// What the words of a column begin that is no default.
const BEHIND_A_DEFAULT: [&str; 9] =
    ["ON", "AUTO_INCREMENT", "COMMENT", "CHECK", "INVISIBLE", "SRID", "WITHOUT", "WITH", "COMPRESSED"];

fn column(engine: EngineName, words: &str) -> Option<Shown> {
    let words = split(words, char::is_whitespace);
    let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let type_word = words.first()?.split('(').next().unwrap_or_default().to_ascii_lowercase();
    let mut shown = Shown::default();
    let mut rest: Vec<String> = Vec::new();
    let mut at = 1;
    while at < words.len() {
        at += match words[at].to_ascii_uppercase().as_str() {
            // These are told by the catalog, for the type, the collation, whether it takes NULL and numbers itself.
            "UNSIGNED" | "ZEROFILL" | "NULL" | "AUTO_INCREMENT" => 1,
            "COLLATE" => 2,
            "CHARACTER" if is(at + 1, "SET") => 3,
            "NOT" if is(at + 1, "NULL") => 2,
            "DEFAULT" => {
                let behind = |word: &&str| {
                    let word = word.to_ascii_uppercase();
                    BEHIND_A_DEFAULT.contains(&word.as_str())
                };
                let length = words[at + 1..].iter().take_while(|word| !behind(word)).count();
                shown.default = default(engine, &type_word, &words[at + 1..at + 1 + length].join(" "));
                1 + length
            }
            "ON" if is(at + 1, "UPDATE") => {
                shown.on_update = Some(moment(words.get(at + 2)?));
                3
            }
            "GENERATED" if is(at + 1, "ALWAYS") && is(at + 2, "AS") => {
                if is(at + 3, "ROW") {
                    // It holds since when and until when a row is current: the catalog tells them, and leaves them out.
                    return Some(shown);
                }
                shown.generated = Some(expression(words.get(at + 3)?).to_owned());
                // How it is kept is told by the catalog.
                5
            }
            "CHECK" => {
                let clause = words.get(at + 1)?;
                let own =
                    expression(clause).strip_prefix("json_valid(").and_then(|own| own.strip_suffix(')'));
                let own = own.and_then(leading_name).is_some_and(|(_, behind)| behind.is_empty());
                shown.checked = names(clause);
                if own && engine == EngineName::Mariadb && type_word == "longtext" {
                    shown.is_json = true;
                } else {
                    shown.check = Some(expression(clause).to_owned());
                }
                2
            }
            "COMMENT" => {
                rest.push(format!("COMMENT {}", words.get(at + 1)?));
                2
            }
            "SRID" => {
                rest.push(format!("SRID {}", words.get(at + 1)?));
                2
            }
            _ => {
                rest.push(words[at].to_owned());
                1
            }
        };
    }
    // MySQL has it in another place.
    rest.sort_by_key(|word| word != "INVISIBLE");
    shown.rest = rest.join(" ");
    Some(shown)
}

/// An expression without the parentheses around all of it.
fn expression(text: &str) -> &str {
    let mut text = text.trim();
    while text.starts_with('(') && end_of_group(text) == Some(text.len()) {
        text = text[1..text.len() - 1].trim();
    }
    text
}

/// `CURRENT_TIMESTAMP` and `current_timestamp()` are one.
fn moment(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("current_timestamp") {
        Some("" | "()") => "current_timestamp()".to_owned(),
        Some(_) => lower,
        None => text.to_owned(),
    }
}

fn default(engine: EngineName, type_word: &str, shown: &str) -> Option<String> {
    if shown.eq_ignore_ascii_case("NULL") {
        return None;
    }
    let is_number = matches!(
        type_word,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "year"
    );
    let unquoted = shown.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(number) = unquoted.filter(|text| is_number && text.parse::<f64>().is_ok()) {
        return Some(number.to_owned());
    }
    let is_moment = shown.to_ascii_lowercase().starts_with("current_timestamp");
    let is_literal = shown.starts_with(['\'', '-']) || shown.starts_with(|c: char| c.is_ascii_digit());
    let is_literal = is_literal || shown.starts_with("b'") || shown.starts_with("x'");
    if is_moment || is_literal {
        return Some(moment(shown));
    }
    let inner = expression(shown);
    // MySQL takes a default of its long texts as an expression alone, and says of which character set.
    let is_long = type_word.ends_with("text") || type_word.ends_with("blob") || type_word == "json";
    let text = inner.strip_prefix("_utf8mb4").filter(|text| text.starts_with('\'') && is_long);
    match text.filter(|text| engine == EngineName::Mysql && end_of_quoted(text) == text.len()) {
        Some(text) => Some(text.to_owned()),
        None => Some(format!("({inner})")),
    }
}

fn key(line: &str) -> Option<Attachment> {
    let parts_at = first_at(line, '(')?;
    let head = split(&line[..parts_at], char::is_whitespace);
    let end = parts_at + end_of_group(&line[parts_at..])?;
    let first = head.first()?.to_ascii_uppercase();
    let kind = match first.as_str() {
        "PRIMARY" => AttachmentKind::PrimaryKey,
        "UNIQUE" => AttachmentKind::Unique,
        _ => AttachmentKind::Index,
    };
    let mut method = match first.as_str() {
        "PRIMARY" | "UNIQUE" | "KEY" | "INDEX" => Vec::new(),
        _ => vec![first.clone()],
    };
    let name = match head.iter().find(|word| word.starts_with('`')) {
        Some(name) => leading_name(name)?.0,
        None => "PRIMARY".to_owned(),
    };
    let parts: Option<Vec<AttachmentPart>> =
        split(&line[parts_at + 1..end - 1], |c| c == ',').into_iter().map(part).collect();
    let parts = parts?;
    let mut rest: Vec<String> = Vec::new();
    let words = split(&line[end..], char::is_whitespace);
    let mut at = 0;
    while at < words.len() {
        if words[at] == "USING" {
            method.push(format!("USING {}", words.get(at + 1)?));
            at += 2;
            continue;
        }
        // Left behind by a table that was compressed so, and without a meaning of its own.
        if words[at].starts_with("KEY_BLOCK_SIZE=") {
            at += 1;
            continue;
        }
        // MariaDB has another word for an index that is kept and not used.
        rest.push(if words[at] == "IGNORED" { "INVISIBLE".to_owned() } else { words[at].to_owned() });
        at += 1;
    }
    let mut columns = Vec::new();
    for part in &parts {
        let spoken_of = match part {
            // What it is the name of is a period, and no column.
            AttachmentPart::Column { suffix, .. } if suffix == " WITHOUT OVERLAPS" => Vec::new(),
            AttachmentPart::Column { name, .. } => vec![name.clone()],
            AttachmentPart::Expression(sql) => names(sql),
        };
        columns.extend(spoken_of.into_iter().filter(|name| !columns.contains(name)).collect::<Vec<_>>());
    }
    Some(Attachment {
        name_made_up: kind == AttachmentKind::PrimaryKey || is_named_by(&name, &parts),
        method: method.join(" "),
        rest: rest.iter().map(|word| format!(" {word}")).collect(),
        parts,
        columns,
        ..Attachment::over(kind, name, &[])
    })
}

fn part(text: &str) -> Option<AttachmentPart> {
    let text = text.trim();
    if text.starts_with('(') {
        let end = end_of_group(text)?;
        let behind = text[end..].trim();
        let sql = format!("({}) {behind}", expression(&text[..end]));
        return Some(AttachmentPart::Expression(sql.trim().to_owned()));
    }
    let (name, suffix) = leading_name(text)?;
    Some(AttachmentPart::Column { name, suffix: suffix.trim_end().to_owned() })
}

/// A key without a name gets that of its first column, with a number behind it where that is taken.
fn is_named_by(name: &str, parts: &[AttachmentPart]) -> bool {
    let first = match parts.first() {
        Some(AttachmentPart::Column { name, .. }) => name.as_str(),
        Some(AttachmentPart::Expression(_)) => "functional_index",
        None => return false,
    };
    let Some(behind) = name.strip_prefix(first) else { return false };
    behind.is_empty() || behind.strip_prefix('_').is_some_and(is_count)
}

fn is_count(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check(engine: EngineName, table: &TableName, name: String, clause: &str) -> Option<Attachment> {
    let open = first_at(clause, '(')?;
    let end = open + end_of_group(&clause[open..])?;
    let condition = expression(&clause[open..end]);
    let condition = match engine {
        EngineName::Mysql => condition.replace("_utf8mb4'", "'"),
        _ => condition.to_owned(),
    };
    let behind = clause[end..].trim();
    let made_up = name.strip_prefix("CONSTRAINT_").or_else(|| {
        let by_table = name.to_lowercase().strip_prefix(&table.name.to_lowercase())?.len();
        name.get(name.len() - by_table..)?.strip_prefix("_chk_")
    });
    Some(Attachment {
        name_made_up: made_up.is_some_and(is_count),
        columns: names(&condition),
        condition: Some(condition),
        rest: if behind.is_empty() { String::new() } else { format!(" {behind}") },
        ..Attachment::over(AttachmentKind::Check, name.clone(), &[])
    })
}

fn foreign_key(table: &TableName, name: String, clause: &str) -> Option<Attachment> {
    let open = first_at(clause, '(')?;
    let end = open + end_of_group(&clause[open..])?;
    let columns = listed(&clause[open..end])?;
    let behind = clause[end..].trim_start().strip_prefix("REFERENCES")?.trim_start();
    let (first, behind) = leading_name(behind)?;
    let (target, behind) = match behind.strip_prefix('.') {
        Some(behind) => {
            let (second, behind) = leading_name(behind.trim_start())?;
            (TableName::qualified(first, second), behind)
        }
        None => (TableName { schema: table.schema.clone(), name: first }, behind),
    };
    let behind = behind.trim_start();
    let end = end_of_group(behind)?;
    let target = Target { table: target, columns: listed(&behind[..end])? };
    let made_up = |name: &str| {
        let by_table = name.to_lowercase().strip_prefix(&table.name.to_lowercase())?.len();
        name.get(name.len() - by_table..)?.strip_prefix("_ibfk_").map(is_count)
    };
    Some(Attachment {
        name_made_up: made_up(&name).unwrap_or(false),
        target: Some(target),
        rest: actions(&behind[end..]),
        ..Attachment::over(AttachmentKind::ForeignKey, name.clone(), &columns)
    })
}

/// ON DELETE and ON UPDATE, without those that do nothing but refuse: RESTRICT and NO ACTION are one, and what holds where
/// nothing is said.
fn actions(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
    let mut actions = String::new();
    for of in ["DELETE", "UPDATE"] {
        let Some(at) = words.windows(2).position(|pair| pair[0] == "ON" && pair[1] == of) else { continue };
        let action: Vec<&str> =
            words[at + 2..].iter().map(String::as_str).take_while(|word| *word != "ON").collect();
        let action = action.join(" ");
        if !matches!(action.as_str(), "RESTRICT" | "NO ACTION") {
            actions.push_str(&format!(" ON {of} {action}"));
        }
    }
    actions
}

/// The names of a list in parentheses.
fn listed(group: &str) -> Option<Vec<String>> {
    let inner = group.strip_prefix('(')?.strip_suffix(')')?;
    split(inner, |c| c == ',')
        .into_iter()
        .map(|name| leading_name(name.trim()).filter(|(_, behind)| behind.trim().is_empty()))
        .map(|name| name.map(|(name, _)| name))
        .collect()
}

/// Options that rows change, that say what is counted, or where files and other servers are.
const NO_STRUCTURE: [&str; 8] = [
    "AUTO_INCREMENT",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "CONNECTION",
    "DATA DIRECTORY",
    "INDEX DIRECTORY",
    "DEFAULT CHARSET",
];

fn options(text: &str, collation: Option<&str>) -> String {
    let mut options: Vec<String> = Vec::new();
    let mut begun: Vec<&str> = Vec::new();
    let words = split(text, char::is_whitespace);
    let (mut charset, mut printed) = (None, None);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if matches!(word, "PARTITION" | "WITH" | "TABLESPACE") {
            let rest: Vec<&str> = std::iter::once(word).chain(words.by_ref()).collect();
            options.push(one_spaced(&rest.join(" ")));
            break;
        }
        let Some((name, value)) = word.split_once('=') else {
            begun.push(word);
            continue;
        };
        begun.push(name);
        let name = begun.join(" ");
        begun.clear();
        match name.as_str() {
            "DEFAULT CHARSET" => charset = Some(modern(value)),
            "COLLATE" => printed = Some(value),
            _ if NO_STRUCTURE.contains(&name.as_str()) => {}
            _ => options.push(format!("{name}={value}")),
        }
    }
    if let Some(charset) = charset {
        let collation = collation.or(printed);
        let collation = collation.map(|name| format!(" COLLATE={}", modern(name))).unwrap_or_default();
        let at = options.len().min(1);
        options.insert(at, format!("DEFAULT CHARSET={charset}{collation}"));
    }
    options.join(" ")
}

/// Partitions stand on lines of their own.
fn one_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' | '`' | '"' => end_of_quoted(rest),
            _ => c.len_utf8(),
        };
        if c.is_whitespace() {
            if !spaced.ends_with(' ') {
                spaced.push(' ');
            }
        } else {
            spaced.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    spaced
}

/// Old servers call `utf8mb3` `utf8`.
pub(super) fn modern(name: &str) -> String {
    match name.strip_prefix("utf8") {
        Some(rest) if rest.is_empty() || rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name.to_owned(),
    }
}
