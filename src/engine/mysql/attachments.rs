//! What tables have besides columns, from their definitions: many in one message to the server.
//!
//! Invariant: a table whose definition this login may not read, or which is not understood, says so as hidden; it is never
//! taken for one that has nothing.

use std::collections::HashMap;

use futures_util::StreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Either, Executor};

use super::definition::{self, Definition};
use super::{Facts, error, raw};
use crate::engine::EngineError;
use crate::failure::ErrorKind;
use crate::sql::{Attachment, AttachmentKind, Dialect, EngineName, ForeignKey, ForeignKeyAction, TableName};

/// Definitions that are asked for at once.
const AT_ONCE: usize = 50;

/// What is known of a table's definition; or why nothing is, in words.
pub(super) type Known = Result<Definition, String>;

/// The definitions of these tables, of which each is named with its collation. One that is gone by now has none.
pub(super) async fn definitions(
    connection: &mut MySqlConnection,
    facts: &Facts,
    tables: &[(TableName, Option<String>)],
) -> Result<HashMap<TableName, Known>, EngineError> {
    let dialect = super::dialect(facts.engine);
    let mut known = HashMap::new();
    for some in tables.chunks(AT_ONCE) {
        let names: Vec<&TableName> = some.iter().map(|(name, _)| name).collect();
        let shown = match shown(connection, dialect, &names).await {
            Ok(shown) if shown.len() == names.len() => shown.into_iter().map(Ok).collect(),
            Ok(_) => one_by_one(connection, dialect, &names).await?,
            Err(error) if matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout) => return Err(error),
            Err(_) => one_by_one(connection, dialect, &names).await?,
        };
        for ((name, collation), shown) in some.iter().zip(shown) {
            let definition = match shown {
                Ok(text) => definition::read(facts.engine, name, &text, collation.as_deref())
                    .ok_or_else(|| "its definition is not understood".to_owned()),
                Err(error) if error.kind == ErrorKind::Missing => continue,
                Err(error) if error.kind == ErrorKind::Permission => {
                    Err("this user may not see its definition".to_owned())
                }
                Err(error) => Err(format!("its definition cannot be read ({})", error.message)),
            };
            known.insert(name.clone(), definition);
        }
    }
    Ok(known)
}

/// Which of the tables it is that cannot be shown.
async fn one_by_one(
    connection: &mut MySqlConnection,
    dialect: &dyn Dialect,
    tables: &[&TableName],
) -> Result<Vec<Result<String, EngineError>>, EngineError> {
    let mut all = Vec::new();
    for table in tables {
        all.push(match shown(connection, dialect, &[table]).await {
            Ok(mut shown) if shown.len() == 1 => Ok(shown.remove(0)),
            Ok(_) => Err(EngineError::new(ErrorKind::Internal, "the server shows no definition")),
            Err(error) if matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout) => return Err(error),
            Err(error) => Err(error),
        });
    }
    Ok(all)
}

/// What SHOW CREATE TABLE prints of each.
async fn shown(
    connection: &mut MySqlConnection,
    dialect: &dyn Dialect,
    tables: &[&TableName],
) -> Result<Vec<String>, EngineError> {
    let what = "read the definitions of tables";
    let statements: Vec<String> =
        tables.iter().map(|table| format!("SHOW CREATE TABLE {}", dialect.table(table))).collect();
    let sql = statements.join("; ");
    let mut definitions = Vec::new();
    let mut stream = connection.fetch_many(AssertSqlSafe(sql.as_str()));
    while let Some(next) = stream.next().await {
        if let Either::Right(row) = next.map_err(|why| error::translate(why, what))? {
            definitions.push(readable(raw(&row, 1)?.unwrap_or_default()));
        }
    }
    Ok(definitions)
}

/// The definition as text. Defaults of bytes stand in it as they are: those that are no text become `x'…'`.
fn readable(shown: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(shown) {
        return text.to_owned();
    }
    let mut text = String::with_capacity(shown.len());
    let mut rest = shown;
    while let Some(first) = rest.first() {
        let length = match first {
            b'\'' | b'`' => end_of_quoted(rest),
            _ => rest.iter().position(|byte| matches!(byte, b'\'' | b'`')).unwrap_or(rest.len()),
        };
        let (part, behind) = rest.split_at(length);
        match std::str::from_utf8(part) {
            Err(_) if *first == b'\'' => {
                let digits: String =
                    unescaped(&part[1..length - 1]).iter().map(|byte| format!("{byte:02x}")).collect();
                text.push_str(&format!("x'{digits}'"));
            }
            _ => text.push_str(&String::from_utf8_lossy(part)),
        }
        rest = behind;
    }
    text
}

fn end_of_quoted(text: &[u8]) -> usize {
    let quote = text[0];
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' if quote == b'\'' => at += 1,
            byte if byte == quote && text.get(at + 1) == Some(&quote) => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\'' => *rest.next().unwrap_or(byte),
            b'\\' => match rest.next().unwrap_or(byte) {
                b'0' => 0,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'Z' => 0x1a,
                other => *other,
            },
            other => *other,
        });
    }
    bytes
}

/// The foreign keys among a table's attachments, by their names.
pub(super) fn foreign_keys(engine: EngineName, attachments: &[Attachment]) -> Vec<ForeignKey> {
    let keys = attachments.iter().filter(|one| one.kind == AttachmentKind::ForeignKey);
    let mut keys: Vec<ForeignKey> = keys.filter_map(|one| foreign_key(engine, one)).collect();
    keys.sort_by(|one, other| one.name.cmp(&other.name));
    keys
}

fn foreign_key(engine: EngineName, attachment: &Attachment) -> Option<ForeignKey> {
    let target = attachment.target.as_ref()?;
    let action = |of: &str| {
        let said = attachment.rest.split(" ON ").find_map(|action| action.strip_prefix(of));
        match said.map(str::trim) {
            Some("CASCADE") => ForeignKeyAction::Cascade,
            Some("SET NULL") => ForeignKeyAction::SetNull,
            Some("SET DEFAULT") => ForeignKeyAction::SetDefault,
            // As either brand calls what holds where nothing is said.
            _ if engine == EngineName::Mysql => ForeignKeyAction::NoAction,
            _ => ForeignKeyAction::Restrict,
        }
    };
    Some(ForeignKey {
        name: attachment.name.clone(),
        columns: attachment.columns.clone(),
        table: target.table.clone(),
        referenced: target.columns.clone(),
        on_delete: action("DELETE "),
        on_update: action("UPDATE "),
        deferrable: false,
        whole: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_become_hexadecimal() {
        assert_eq!(readable(b"`b` int DEFAULT 'it''s'"), "`b` int DEFAULT 'it''s'");
        assert_eq!(
            readable(b"`\xc3\xa9` varbinary(9) DEFAULT '\\0\xff\\n''' COMMENT 'x\\\\'"),
            "`é` varbinary(9) DEFAULT x'00ff0a27' COMMENT 'x\\\\'"
        );
    }
}
