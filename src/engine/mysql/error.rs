//! The server's and the driver's errors in our words, by number. What may quote row values stays in `database`.

use sqlx::mysql::MySqlDatabaseError;

use crate::engine::EngineError;
use crate::failure::ErrorKind;

/// An error met while `what` was done (`read table shop.orders`).
pub(super) fn translate(error: sqlx::Error, what: &str) -> EngineError {
    let database = match error.as_database_error().and_then(|e| e.try_downcast_ref::<MySqlDatabaseError>()) {
        Some(database) => database,
        None => return of_driver(&error, what),
    };
    let (number, words) = (database.number(), database.message());
    let failed = |kind, why: &str| EngineError::new(kind, format!("{what}: {why}")).said(words);
    match number {
        1044 | 1142 | 1143 | 1227 | 1370 => {
            failed(ErrorKind::Permission, "a right is missing").hint(grant_hint(words))
        }
        1290 | 1792 | 1836 | 3989 => failed(ErrorKind::Permission, "the server or session is read-only")
            .hint("write to the server that accepts writes, or switch read_only off there"),
        1205 => failed(ErrorKind::Timeout, "another transaction holds a lock too long")
            .hint("try again when it is done, or give the side a longer `lock_timeout`"),
        1969 | 3024 => failed(ErrorKind::Timeout, "the statement took longer than `statement_timeout`"),
        1213 => failed(ErrorKind::Changed, "a deadlock with another transaction").hint("run it again"),
        1020 | 1412 => {
            failed(ErrorKind::Changed, "the table or a row changed meanwhile").hint("run it again")
        }
        1146 => failed(ErrorKind::Missing, "there is no such table"),
        1054 => failed(ErrorKind::Missing, "there is no such column"),
        1049 => failed(ErrorKind::Missing, "there is no such database"),
        1062 | 1586 => failed(ErrorKind::Value, &named("a value is there twice under the unique key", words)),
        1264 | 1365 | 1690 => failed(ErrorKind::Value, &named("a number is out of range in column", words)),
        1265 | 1406 => failed(ErrorKind::Value, &named("a value is too long for column", words)),
        1292 | 1366 | 1367 | 1411 | 3140 => {
            failed(ErrorKind::Value, &named("a value does not fit column", words))
        }
        1048 | 1364 => failed(ErrorKind::Value, &named("a value is missing for column", words)),
        1216 | 1217 | 1451 | 1452 => failed(ErrorKind::Value, &foreign_key(words)),
        3819 | 4025 => failed(ErrorKind::Value, "a CHECK constraint refuses the row"),
        1153 => failed(ErrorKind::Value, "a row is larger than the server takes")
            .hint("raise max_allowed_packet on the server"),
        1040 | 1203 | 1226 => failed(ErrorKind::Connect, "the server has no connection free"),
        2006 | 2013 | 1053 | 1077 | 1079 | 1152 | 1159 | 1161 | 1927 | 4031 => {
            failed(ErrorKind::Connect, "the server closed the connection")
        }
        1317 => failed(ErrorKind::Interrupted, "the statement was killed"),
        _ => failed(ErrorKind::Internal, "the server refused"),
    }
}

/// The error's number on the server, if it comes from there.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

fn of_driver(error: &sqlx::Error, what: &str) -> EngineError {
    let kind = match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => ErrorKind::Connect,
        _ => ErrorKind::Internal,
    };
    let why = if kind == ErrorKind::Connect { "the connection was lost" } else { "the driver gave up" };
    EngineError::new(kind, format!("{what}: {why}")).said(error)
}

/// `SELECT command denied to user 'x'@'y' for table 'z'` names the right itself.
fn grant_hint(words: &str) -> String {
    let right = words.split(" command denied").next().filter(|right| right.len() < words.len());
    match (right, words.rsplit_once("for table ")) {
        (Some(right), Some((_, table))) => format!("GRANT {right} ON {} TO that user", table.trim()),
        _ => "GRANT the user the right the server names".to_owned(),
    }
}

/// Our words with the last quoted name of the server's, which is a column's, a key's or a constraint's and
/// never a value.
fn named(ours: &str, words: &str) -> String {
    let folded = words.to_ascii_lowercase();
    let after = |mark: &str| folded.rfind(mark).map(|at| &words[at + mark.len()..]);
    let name = after("for key ").or_else(|| after("column ")).or_else(|| after("field ")).and_then(quoted);
    name.map_or_else(|| ours.to_owned(), |name| format!("{ours} `{name}`"))
}

/// The first quoted name; of `db`.`table`.`column` the last part.
fn quoted(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '`'))?;
    let name = text.split(' ').next()?.trim_end_matches([',', ';']);
    let name = name.trim_matches(quote);
    Some(name.rsplit_once("`.`").map_or(name, |(_, last)| last))
}

/// The server's words name tables and constraint, and no value: `… (`db`.`t`, CONSTRAINT `name` FOREIGN KEY …`.
fn foreign_key(words: &str) -> String {
    let name = words.split_once("CONSTRAINT `").and_then(|(_, rest)| rest.split('`').next());
    match name {
        Some(name) => format!("the foreign key `{name}` refuses the change"),
        None => "a foreign key refuses the change".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_and_values_are_not() {
        let duplicate = "Duplicate entry 'secret for key ''x' for key 'users.email'";
        assert_eq!(named("twice under", duplicate), "twice under `users.email`");
        let incorrect = "Incorrect integer value: 'secret' for column `db`.`t`.`n` at row 1";
        assert_eq!(named("in column", incorrect), "in column `n`");
        assert_eq!(named("in column", "Out of range value for column 'n' at row 3"), "in column `n`");
        assert_eq!(named("for column", "Field 'n' doesn't have a default value"), "for column `n`");
        assert_eq!(named("for column", "Column 'n' cannot be null"), "for column `n`");
        let child = "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` \
                     FOREIGN KEY (`a`) REFERENCES `p` (`id`))";
        assert_eq!(foreign_key(child), "the foreign key `fk` refuses the change");
    }
}
