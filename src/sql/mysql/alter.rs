//! ALTER TABLE: what a table has besides columns, columns that become others, and the whole text of a column.
//!
//! Owns that all clauses of one table can stand in one statement, which is done as a whole or not at all. Refuses what the
//! server cannot do to a column in place: to make a generated one of an ordinary one in another way than the server has.

use super::{Family, ddl, identifier, literal};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, AttachmentPart, Column, DefaultKind, Dialect, EngineName,
    Generated, LiteralDefault, TableName,
};
use crate::value::{ColumnType, Type};

/// The one statement that makes these alterations; `None` where the server cannot make one of them.
pub(super) fn alter(family: &Family, table: &TableName, alterations: &[&Alteration]) -> Option<String> {
    let alterations = at_once(alterations);
    let moved = |name: &str| {
        alterations.iter().any(|one| match one {
            Alteration::Order { moved, .. } => moved.iter().any(|column| column.name == name),
            _ => false,
        })
    };
    let clauses: Option<Vec<Vec<String>>> = alterations
        .iter()
        .map(|alteration| match alteration {
            Alteration::Order { after, moved, .. } => Some(in_order(family, after, moved, &alterations)),
            // One column is said once in a statement: where it moves to.
            Alteration::Column { before, after } if becomes(before, after) && moved(&after.name) => {
                Some(Vec::new())
            }
            other => clauses(family, other),
        })
        .collect();
    let mut clauses: Vec<String> = clauses?.into_iter().flatten().collect();
    // A key whose name another gets goes first.
    clauses.sort_by_key(|clause| !clause.starts_with("DROP "));
    Some(format!("ALTER TABLE {} {}", family.table(table), clauses.join(", ")))
}

/// The columns that move, each behind the one that it is to stand behind, as they are by then.
fn in_order(family: &Family, order: &[String], moved: &[Column], beside: &[Alteration]) -> Vec<String> {
    let is_by_then = |column: &'_ Column| {
        let altered = beside.iter().find_map(|one| match one {
            Alteration::Column { after, .. } if after.name == column.name => Some(after.as_ref().clone()),
            _ => None,
        });
        altered.unwrap_or_else(|| column.clone())
    };
    let clause = |(at, name): (usize, &String)| {
        let column = is_by_then(moved.iter().find(|column| column.name == *name)?);
        let before = at.checked_sub(1).and_then(|at| order.get(at));
        Some(format!("MODIFY COLUMN {}{}", ddl::column(family, &column), place(before.map(String::as_str))))
    };
    order.iter().enumerate().filter_map(clause).collect()
}

/// Where a column goes: behind this one, or before all.
fn place(behind: Option<&str>) -> String {
    behind.map_or_else(|| " FIRST".to_owned(), |name| format!(" AFTER {}", identifier(name)))
}

/// One statement gives all names at once: what would get a name in between gets its last one.
fn at_once(alterations: &[&Alteration]) -> Vec<Alteration> {
    let mut all: Vec<Alteration> = Vec::new();
    for alteration in alterations {
        let Alteration::Rename { attachment, name } = alteration else {
            all.push((*alteration).clone());
            continue;
        };
        let earlier = all.iter_mut().find_map(|earlier| match earlier {
            Alteration::Rename { attachment: other, name: between }
                if *between == attachment.name && other.kind == attachment.kind =>
            {
                Some(between)
            }
            _ => None,
        });
        match earlier {
            Some(between) => between.clone_from(name),
            None => all.push((*alteration).clone()),
        }
    }
    all
}

fn clauses(family: &Family, alteration: &Alteration) -> Option<Vec<String>> {
    Some(match alteration {
        Alteration::Attach(attachment) => vec![format!("ADD {}", definition(family, attachment)?)],
        Alteration::Detach(attachment) => vec![detach(family, attachment)?],
        Alteration::Rename { attachment, name } => {
            let named = Attachment { name: name.clone(), ..attachment.clone() };
            match attachment.kind {
                AttachmentKind::Index | AttachmentKind::Unique => {
                    vec![format!("RENAME KEY {} TO {}", identifier(&attachment.name), identifier(name))]
                }
                // There is no word for it: another takes its place, in one step.
                AttachmentKind::Check | AttachmentKind::ForeignKey => {
                    vec![detach(family, attachment)?, format!("ADD {}", definition(family, &named)?)]
                }
                AttachmentKind::PrimaryKey | AttachmentKind::Comment => return None,
            }
        }
        Alteration::Become { .. }
        | Alteration::Validate(_)
        | Alteration::Rebuild(_)
        | Alteration::Enum(_)
        | Alteration::Partition(..) => return None,
        Alteration::Order { after, moved, .. } => in_order(family, after, moved, &[]),
        Alteration::Remake { after, behind, .. } => vec![
            format!("DROP COLUMN {}", identifier(&after.name)),
            format!("ADD COLUMN {}{}", ddl::column(family, after), place(behind.as_deref())),
        ],
        Alteration::Column { before, after } if becomes(before, after) => {
            vec![format!("MODIFY COLUMN {}", ddl::column(family, after))]
        }
        Alteration::Column { .. } => return None,
        Alteration::Options { before, after } => options(before, after)?,
    })
}

/// Gives a column another name, and makes the checks that speak of it anew, in one statement.
pub(super) fn rename_column(
    family: &Family,
    table: &TableName,
    (column, name): (&str, &str),
    checks: &[(Attachment, Attachment)],
) -> String {
    let gone = checks.iter().filter_map(|(before, _)| detach(family, before));
    let renamed = format!("RENAME COLUMN {} TO {}", identifier(column), identifier(name));
    let made = checks.iter().filter_map(|(_, after)| Some(format!("ADD {}", definition(family, after)?)));
    let all: Vec<String> = gone.chain([renamed]).chain(made).collect();
    format!("ALTER TABLE {} {}", family.table(table), all.join(", "))
}

fn detach(family: &Family, attachment: &Attachment) -> Option<String> {
    let name = identifier(&attachment.name);
    Some(match attachment.kind {
        AttachmentKind::PrimaryKey => "DROP PRIMARY KEY".to_owned(),
        AttachmentKind::Unique | AttachmentKind::Index => format!("DROP KEY {name}"),
        AttachmentKind::Check if family.engine == EngineName::Mysql => format!("DROP CHECK {name}"),
        AttachmentKind::Check => format!("DROP CONSTRAINT {name}"),
        AttachmentKind::ForeignKey => format!("DROP FOREIGN KEY {name}"),
        AttachmentKind::Comment => return None,
    })
}

/// As it stands in CREATE TABLE and behind ADD.
fn definition(family: &Family, attachment: &Attachment) -> Option<String> {
    let name = identifier(&attachment.name);
    let parts = || -> String {
        let parts = attachment.parts.iter().map(|part| match part {
            AttachmentPart::Column { name, suffix } => format!("{}{suffix}", identifier(name)),
            AttachmentPart::Expression(sql) => sql.clone(),
        });
        parts.collect::<Vec<_>>().join(", ")
    };
    // The kind of index stands before the word, how it is kept behind the name.
    let (kind, using) = match attachment.method.find("USING ") {
        Some(at) => (attachment.method[..at].trim(), format!(" {}", &attachment.method[at..])),
        None => (attachment.method.as_str(), String::new()),
    };
    let rest = rest(family, &attachment.rest);
    Some(match attachment.kind {
        AttachmentKind::PrimaryKey => format!("PRIMARY KEY{using} ({}){rest}", parts()),
        AttachmentKind::Unique => format!("UNIQUE KEY {name}{using} ({}){rest}", parts()),
        AttachmentKind::Index if kind.is_empty() => format!("KEY {name}{using} ({}){rest}", parts()),
        AttachmentKind::Index => format!("{kind} KEY {name}{using} ({}){rest}", parts()),
        AttachmentKind::Check => {
            format!("CONSTRAINT {name} CHECK ({}){rest}", attachment.condition.as_ref()?)
        }
        AttachmentKind::ForeignKey => {
            let target = attachment.target.as_ref()?;
            let names: Vec<String> = target.columns.iter().map(|name| identifier(name)).collect();
            format!(
                "CONSTRAINT {name} FOREIGN KEY ({}) REFERENCES {} ({}){rest}",
                parts(),
                family.table(&target.table),
                names.join(", ")
            )
        }
        AttachmentKind::Comment => return None,
    })
}

/// MariaDB has another word for an index that is kept and not used.
fn rest(family: &Family, rest: &str) -> String {
    match (family.engine, rest.strip_suffix(" INVISIBLE")) {
        (EngineName::Mariadb, Some(rest)) => format!("{rest} IGNORED"),
        _ => rest.to_owned(),
    }
}

/// The options that become others; `None` where one is no option that can be said alone, such as partitions.
fn options(before: &str, after: &str) -> Option<Vec<String>> {
    let (before, after) = (listed(before)?, listed(after)?);
    let set = after.iter().filter(|(name, value)| !before.contains(&(*name, *value)));
    let gone = before.iter().filter(|(name, _)| !after.iter().any(|(other, _)| other == name));
    let set = set.map(|(name, value)| Some(format!("{name}={value}")));
    let reset = gone.map(|(name, _)| {
        let value = match *name {
            "COMMENT" => "''",
            "ROW_FORMAT" => "DEFAULT",
            "KEY_BLOCK_SIZE" => "0",
            _ => return None,
        };
        Some(format!("{name}={value}"))
    });
    let mut clauses: Vec<String> = reset.chain(set).collect::<Option<_>>()?;
    // A character set alone would bring its own collation along.
    if clauses.iter().any(|clause| clause.starts_with("DEFAULT CHARSET=")) {
        let collation = after.iter().find(|(name, _)| *name == "COLLATE")?;
        clauses.retain(|clause| !clause.starts_with("COLLATE="));
        let at = clauses.iter().position(|clause| clause.starts_with("DEFAULT CHARSET="))?;
        clauses[at].push_str(&format!(" COLLATE={}", collation.1));
    }
    Some(clauses)
}

/// Names and values. Values in quotes hold spaces.
fn listed(options: &str) -> Option<Vec<(&str, &str)>> {
    let mut all = Vec::new();
    let mut rest = options.trim();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let length = match behind.as_bytes().first() {
            Some(b'\'') => end_of_text(behind),
            _ => behind.find(' ').unwrap_or(behind.len()),
        };
        if name.starts_with("PARTITION") || name.starts_with("WITH") || name.starts_with("TABLESPACE") {
            return None;
        }
        all.push((name, &behind[..length]));
        rest = behind[length..].trim_start();
    }
    Some(all)
}

/// How long the text in quotes is that this begins with.
fn end_of_text(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Whether other options than words for people and what new columns are like write all rows anew.
pub(super) fn options_rewrite(before: &str, after: &str) -> bool {
    let clauses = options(before, after).unwrap_or_default();
    let said = |clause: &String| clause.starts_with("COMMENT=") || clause.contains("COLLATE=");
    !clauses.iter().all(said)
}

/// Whether the server can make the one of the other. What is computed when read has no place in the rows, and becomes
/// nothing else; an address and a UUID are made of texts and bytes alone.
fn becomes(before: &Column, after: &Column) -> bool {
    let is_virtual = |column: &Column| column.generated == Some(Generated::Virtual);
    let is_spelled =
        |column: &Column| matches!(column.column_type.meaning, Type::Address { .. } | Type::Uuid);
    let spells =
        |column: &Column| matches!(column.column_type.meaning, Type::Text { .. } | Type::Bytes { .. });
    let casts = |one: &Column, other: &Column| !is_spelled(one) || spells(other);
    let same = before.column_type == after.column_type;
    is_virtual(before) == is_virtual(after) && (same || casts(before, after) && casts(after, before))
}

/// What a column is while rows are written that make the one the other.
pub(super) fn meanwhile(before: &Column, after: &Column, wider: bool) -> Column {
    let mut between = before.clone();
    let (was, is) = (charset_of(before), charset_of(after));
    let same_charset = was == is;
    // Every character has a code in utf8mb4.
    let holds_characters = same_charset || is == Some("utf8mb4");
    let common = || common_type(&before.column_type, &after.column_type);
    if wider && holds_characters {
        between.column_type = after.column_type.clone();
    } else if let Some(common) = common().filter(|_| same_charset) {
        between.column_type = common;
    }
    let is_as_after = between.column_type == after.column_type;
    // A collation by code points tells apart whatever another one does.
    let by_code = |name: &Option<String>| name.as_ref().is_some_and(|name| name.ends_with("_bin"));
    let finer = by_code(&after.words.collation) && !by_code(&before.words.collation);
    if is_as_after && (!same_charset || finer) {
        between.words.collation = after.words.collation.clone();
        between.collation = after.collation.clone();
    }
    // A default and what is written of itself must suit the type.
    if is_as_after {
        between.default = after.default.clone();
        between.words.default = after.words.default.clone();
        between.words.on_update = after.words.on_update.clone();
    }
    between.nullable = before.nullable || after.nullable;
    if before.words.check != after.words.check {
        between.words.check = None;
    }
    between
}

/// The character set that a column's texts are in, by its collation.
fn charset_of(column: &Column) -> Option<&str> {
    let collation = column.words.collation.as_deref()?;
    Some(collation.split('_').next().unwrap_or(collation))
}

/// A type that holds what either does, where neither holds all of the other, spelled as the server prints it.
fn common_type(before: &ColumnType, after: &ColumnType) -> Option<ColumnType> {
    match (&before.meaning, &after.meaning) {
        (Type::Enum { members: was }, Type::Enum { members: is }) => {
            let (declared, members) = both_lists(before, was, after, is)?;
            Some(ColumnType::new(declared, Type::Enum { members }))
        }
        (Type::Set { members: was }, Type::Set { members: is }) => {
            let (declared, members) = both_lists(before, was, after, is)?;
            (members.len() <= SET_WORDS_MAX).then(|| ColumnType::new(declared, Type::Set { members }))
        }
        (
            Type::Integer { bytes: was, unsigned: was_unsigned },
            Type::Integer { bytes: is, unsigned: is_unsigned },
        ) if was_unsigned != is_unsigned => {
            let (unsigned, signed) = if *was_unsigned { (*was, *is) } else { (*is, *was) };
            let (bytes, word) = match unsigned.saturating_add(1).max(signed) {
                0..=2 => (2, "smallint"),
                3 => (3, "mediumint"),
                4 => (4, "int"),
                _ if unsigned < 8 => (8, "bigint"),
                _ => return None,
            };
            Some(ColumnType::new(word, Type::Integer { bytes, unsigned: false }))
        }
        (
            Type::Decimal { precision: Some(was), scale: Some(was_scale) },
            Type::Decimal { precision: Some(is), scale: Some(is_scale) },
        ) => {
            let whole = |precision: u32, scale: i32| precision.saturating_sub(scale.unsigned_abs());
            let scale = *was_scale.max(is_scale);
            let precision = whole(*was, *was_scale).max(whole(*is, *is_scale)) + scale.unsigned_abs();
            let meaning = Type::Decimal { precision: Some(precision), scale: Some(scale) };
            let is_plain = |one: &ColumnType| one.declared.ends_with(')');
            (precision <= DECIMAL_DIGITS_MAX && is_plain(before) && is_plain(after))
                .then(|| ColumnType::new(format!("decimal({precision},{scale})"), meaning))
        }
        _ => None,
    }
}

/// Words that a set may have.
const SET_WORDS_MAX: usize = 64;
/// Digits that a decimal may have.
const DECIMAL_DIGITS_MAX: u32 = 65;

/// The words of two lists, those that only the second has behind the others, as they are declared and as they are.
fn both_lists(
    before: &ColumnType,
    was: &[String],
    after: &ColumnType,
    is: &[String],
) -> Option<(String, Vec<String>)> {
    let (word, _) = before.declared.split_once('(')?;
    let behind =
        before.declared.split_once(" CHARACTER SET ").map(|(_, set)| format!(" CHARACTER SET {set}"));
    let (mut declared, mut members) = (literal::listed(&before.declared)?, was.to_vec());
    for (text, member) in literal::listed(&after.declared)?.into_iter().zip(is) {
        if !members.contains(member) {
            declared.push(text);
            members.push(member.clone());
        }
    }
    Some((format!("{word}({}){}", declared.join(","), behind.unwrap_or_default()), members))
}

/// The condition that a row holds a word that is none of the list's, or none at all.
pub(super) fn foreign(column: &str, before: &Column, after: &Column) -> Option<String> {
    let (Type::Enum { members: was } | Type::Set { members: was }) = &before.column_type.meaning else {
        return None;
    };
    let (Type::Enum { members: is } | Type::Set { members: is }) = &after.column_type.meaning else {
        return None;
    };
    let is_set = matches!(before.column_type.meaning, Type::Set { .. });
    let name = identifier(column);
    let gone: Vec<u64> =
        (1..).zip(was).filter(|(_, word)| !is.contains(word)).map(|(number, _)| number).collect();
    Some(if is_set {
        let bits = gone.iter().fold(0_u64, |bits, number| bits | 1 << (number - 1));
        format!("({name} + 0) & {bits} <> 0")
    } else {
        // 0 is the word that a server without strictness writes for one that it does not know.
        let numbers: Vec<String> = std::iter::once(0).chain(gone).map(|number| number.to_string()).collect();
        format!("{name} + 0 IN ({})", numbers.join(", "))
    })
}

/// A column's whole text, of which the server that it comes from has said what DDL says of it.
pub(super) fn whole(family: &Family, column: &Column, collation: Option<&str>) -> String {
    let mut sql = format!("{} {}", identifier(&column.name), declared(family, column));
    if let Some(collation) = collation {
        let charset = collation.split('_').next().unwrap_or(collation);
        sql.push_str(&format!(" CHARACTER SET {charset} COLLATE {collation}"));
    }
    if let (Some(kept), Some(expression)) = (column.generated, &column.words.generated) {
        let kept = match kept {
            Generated::Virtual => "VIRTUAL",
            Generated::Stored => "STORED",
        };
        sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kept}"));
        // MariaDB takes no word about NULL here.
        if !column.nullable && family.engine == EngineName::Mysql {
            sql.push_str(" NOT NULL");
        }
    } else {
        // TIMESTAMP is NOT NULL where nothing is said.
        sql.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
        if column.identity.is_some() {
            sql.push_str(" AUTO_INCREMENT");
        } else if let Some(default) = &column.words.default {
            sql.push_str(&format!(" DEFAULT {}", default_of(family, column, default)));
        }
    }
    if let Some(on_update) = &column.words.on_update {
        sql.push_str(&format!(" ON UPDATE {on_update}"));
    }
    let rest = column.words.whole.as_deref().unwrap_or_default();
    // Told above, of a column that does so by now.
    let rest = rest.strip_prefix("AUTO_INCREMENT").unwrap_or(rest).trim_start();
    if !rest.is_empty() {
        sql.push_str(&format!(" {rest}"));
    }
    if let Some(check) = &column.words.check {
        sql.push_str(&format!(" CHECK ({check})"));
    }
    sql
}

/// The default alone, without what is written whenever the row changes.
pub(super) fn said_default(column: &Column) -> Option<DefaultKind> {
    // Made up, or of a server whose words are not read.
    if column.words.whole.is_none() {
        return column.default.clone();
    }
    let words = column.words.default.as_deref()?;
    if let Some(literal @ DefaultKind::Literal(_)) = &column.default {
        return Some(literal.clone());
    }
    let inside = words.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    Some(match inside.filter(|inside| !inside.contains(['\'', '\\'])) {
        Some(text) => DefaultKind::Literal(LiteralDefault::Text(text.to_owned())),
        None => DefaultKind::Expression(words.to_owned()),
    })
}

/// The type without its character set, which is told with the collation.
fn declared<'c>(family: &Family, column: &'c Column) -> &'c str {
    let declared = &column.column_type.declared;
    let declared = declared.split(" CHARACTER SET ").next().unwrap_or(declared);
    // A text of another collation that is checked to be JSON is not the type that MariaDB calls so.
    let is_text = column.words.collation.is_some() && family.engine == EngineName::Mariadb;
    if declared == "json" && is_text { "longtext" } else { declared }
}

/// MySQL takes a default of its long types only as an expression.
fn default_of(family: &Family, column: &Column, default: &str) -> String {
    let word = literal::type_word(&column.column_type.declared);
    let is_long = word.ends_with("text") || word.ends_with("blob") || word == "json";
    if family.engine == EngineName::Mysql && is_long && !default.starts_with('(') {
        return format!("({default})");
    }
    default.to_owned()
}

/// Whether all rows are written anew, with everybody kept from the table: another type, but for a longer text that needs no
/// longer count of its bytes and for words behind those of a list, another collation, a value that is kept and computed, or
/// one that must be there from now on.
pub(super) fn rewrites(before: &Column, after: &Column) -> bool {
    let (was, is) = (&before.column_type.meaning, &after.column_type.meaning);
    let stored = |column: &Column| column.generated == Some(Generated::Stored);
    if before.words.collation != after.words.collation {
        return true;
    }
    if (stored(before) || stored(after)) && before.words.generated != after.words.generated {
        return true;
    }
    if before.nullable && !after.nullable {
        return true;
    }
    if before.column_type == after.column_type {
        return false;
    }
    match (was, is) {
        (Type::Enum { members: was }, Type::Enum { members: is })
        | (Type::Set { members: was }, Type::Set { members: is }) => !is.starts_with(was),
        (
            Type::Text { chars_max: Some(was), fixed: false },
            Type::Text { chars_max: Some(is), fixed: false },
        ) => {
            let word = |column: &Column| literal::type_word(&column.column_type.declared);
            let is_varchar = word(before) == "varchar" && word(after) == "varchar";
            // The count of the bytes takes one byte or two.
            let long = |chars: u64| chars.saturating_mul(4) > 255;
            !(is_varchar && is >= was && long(*was) == long(*is))
        }
        _ => true,
    }
}

/// The same of what comes: the rows are in the order of the primary key, and what is asked of rows is asked of each as it is
/// copied.
pub(super) fn rewrites_to_attach(attachment: &Attachment) -> bool {
    match attachment.kind {
        AttachmentKind::PrimaryKey | AttachmentKind::ForeignKey | AttachmentKind::Check => true,
        AttachmentKind::Unique | AttachmentKind::Index | AttachmentKind::Comment => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MARIADB, MYSQL};
    use super::*;

    fn attach(kind: AttachmentKind, name: &str, columns: &[&str]) -> Attachment {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        Attachment::over(kind, name, &columns)
    }

    fn sql(family: &Family, alterations: &[Alteration]) -> Option<String> {
        let all: Vec<&Alteration> = alterations.iter().collect();
        alter(family, &TableName::plain("t"), &all)
    }

    #[test]
    fn one_statement_drops_first() {
        let old = attach(AttachmentKind::Index, "i", &["a"]);
        let new = Attachment {
            method: "FULLTEXT".to_owned(),
            rest: " INVISIBLE".to_owned(),
            ..attach(AttachmentKind::Index, "i", &["a", "b"])
        };
        let both = [Alteration::Attach(new), Alteration::Detach(old)];
        assert_eq!(
            sql(&MARIADB, &both).as_deref(),
            Some("ALTER TABLE `t` DROP KEY `i`, ADD FULLTEXT KEY `i` (`a`, `b`) IGNORED")
        );
        assert!(sql(&MYSQL, &both).is_some_and(|sql| sql.ends_with(" INVISIBLE")));
    }

    #[test]
    fn options_are_said_that_become_others() {
        let before =
            "ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_bin ROW_FORMAT=COMPRESSED COMMENT='a b=''c'";
        let after = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='d'";
        let change = Alteration::Options { before: before.to_owned(), after: after.to_owned() };
        assert_eq!(
            sql(&MARIADB, std::slice::from_ref(&change)).as_deref(),
            Some(
                "ALTER TABLE `t` ROW_FORMAT=DEFAULT, DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin, COMMENT='d'"
            )
        );
        assert!(options_rewrite(before, after) && !options_rewrite(after, &after.replace("'d'", "'e'")));
        let partitioned = Alteration::Options {
            before: after.to_owned(),
            after: format!("{after} PARTITION BY HASH (`id`) PARTITIONS 4"),
        };
        assert_eq!(sql(&MARIADB, &[partitioned]), None);
    }

    #[test]
    fn checks_have_another_word_on_mysql() {
        let check =
            Attachment { condition: Some("`a` > 0".to_owned()), ..attach(AttachmentKind::Check, "c", &[]) };
        let rename = [Alteration::Rename { attachment: check, name: "d".to_owned() }];
        let expected = "CONSTRAINT `c`, ADD CONSTRAINT `d` CHECK (`a` > 0)";
        assert_eq!(sql(&MARIADB, &rename), Some(format!("ALTER TABLE `t` DROP {expected}")));
        assert_eq!(
            sql(&MYSQL, &rename),
            Some(format!("ALTER TABLE `t` DROP {}", expected.replacen("CONSTRAINT", "CHECK", 1)))
        );
    }
}
