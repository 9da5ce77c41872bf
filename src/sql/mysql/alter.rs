//! ALTER TABLE: what a table has besides columns, columns that become others, and the whole text of a column.
//!
//! Owns that all clauses of one table can stand in one statement, which is done as a whole or not at all. Refuses what the
//! server cannot do to a column in place: to make a generated one of an ordinary one in another way than the server has.

use super::{Family, ddl, identifier, literal};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, AttachmentPart, Column, Dialect, EngineName, Generated, TableName,
};
use crate::value::Type;

/// The one statement that makes these alterations; `None` where the server cannot make one of them.
pub(super) fn alter(family: &Family, table: &TableName, alterations: &[&Alteration]) -> Option<String> {
    let alterations = at_once(alterations);
    let clauses: Option<Vec<Vec<String>>> =
        alterations.iter().map(|alteration| clauses(family, alteration)).collect();
    let mut clauses: Vec<String> = clauses?.into_iter().flatten().collect();
    // A key whose name another gets goes first.
    clauses.sort_by_key(|clause| !clause.starts_with("DROP "));
    Some(format!("ALTER TABLE {} {}", family.table(table), clauses.join(", ")))
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
        Alteration::Validate(_)
        | Alteration::Rebuild(_)
        | Alteration::Enum(_)
        | Alteration::Partition(..) => return None,
        Alteration::Column { before, after } if becomes(before, after) => {
            vec![format!("MODIFY COLUMN {}", ddl::column(family, after))]
        }
        Alteration::Column { .. } => return None,
        Alteration::Options { before, after } => options(before, after)?,
    })
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
/// nothing else.
fn becomes(before: &Column, after: &Column) -> bool {
    let is_virtual = |column: &Column| column.generated == Some(Generated::Virtual);
    is_virtual(before) == is_virtual(after)
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
    let rest = column.words.whole.as_deref().unwrap_or_default();
    // Told above, of a column that does so by now.
    let rest = rest.strip_prefix("AUTO_INCREMENT").unwrap_or(rest).trim_start();
    if !rest.is_empty() {
        sql.push_str(&format!(" {rest}"));
    }
    sql
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
/// longer count of its bytes and for words behind those of a list, another collation, or a value that is kept and computed.
pub(super) fn rewrites(before: &Column, after: &Column) -> bool {
    let (was, is) = (&before.column_type.meaning, &after.column_type.meaning);
    let stored = |column: &Column| column.generated == Some(Generated::Stored);
    if before.words.collation != after.words.collation {
        return true;
    }
    if (stored(before) || stored(after)) && before.words.generated != after.words.generated {
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
