//! The server's and the driver's errors in our words, by number. What may quote row values stays in `database`.

use sqlx::mysql::MySqlDatabaseError;

use crate::engine::EngineError;
use crate::engine::error::{CONSTRAINT_HINT, doing, driver_words};
use crate::failure::ErrorKind;

/// An error met while `what` was done (`read table shop.orders`).
pub(super) fn translate(error: sqlx::Error, what: &str) -> EngineError {
    let database = match error.as_database_error().and_then(|e| e.try_downcast_ref::<MySqlDatabaseError>()) {
        Some(database) => database,
        None => return of_driver(&error, what),
    };
    let (number, words) = (database.number(), database.message());
    let failed = |kind, why: &str| EngineError::new(kind, doing(what, why)).said(words);
    match number {
        1044 | 1142 | 1143 | 1227 | 1370 => {
            failed(ErrorKind::Permission, "a right is missing").hint(grant_hint(words))
        }
        1290 | 1792 | 1836 | 3989 => failed(ErrorKind::Permission, "the server or session is read-only")
            .hint("write to the server that accepts writes, or switch read_only off there"),
        1205 => failed(ErrorKind::Timeout, "another transaction holds a lock too long")
            .passing()
            .hint("try again when it is done, or give the side a longer `lock_timeout`"),
        1969 | 3024 => failed(ErrorKind::Timeout, "the statement took longer than `statement_timeout`")
            .hint("raise `statement_timeout` of this side"),
        1213 => {
            failed(ErrorKind::Changed, "a deadlock with another transaction").passing().hint("run it again")
        }
        1020 => failed(ErrorKind::Changed, "a row changed meanwhile").passing().hint("run it again"),
        1412 => failed(ErrorKind::Changed, "the table changed meanwhile").hint("run it again"),
        1146 => failed(ErrorKind::Missing, "there is no such table"),
        1054 => failed(ErrorKind::Missing, "there is no such column"),
        1049 => failed(ErrorKind::Missing, "there is no such database"),
        1062 | 1586 => failed(ErrorKind::Value, &named("a value is there twice under the unique key", words))
            .hint(CONSTRAINT_HINT),
        1264 | 1365 | 1690 => failed(ErrorKind::Value, &named("a number is out of range in column", words)),
        1265 | 1406 => failed(ErrorKind::Value, &named("a value is too long for column", words)),
        1292 | 1366 | 1367 | 1411 | 3140 => {
            failed(ErrorKind::Value, &named("a value does not fit column", words))
        }
        1048 | 1364 => failed(ErrorKind::Value, &named("a value is missing for column", words)),
        1216 | 1217 | 1451 | 1452 => failed(ErrorKind::Value, &foreign_key(words)).hint(CONSTRAINT_HINT),
        3819 | 4025 => failed(ErrorKind::Value, "a CHECK constraint refuses the row").hint(CONSTRAINT_HINT),
        1153 => failed(ErrorKind::Value, "a row is larger than the server takes")
            .hint("raise max_allowed_packet on the server"),
        1040 | 1203 | 1226 => failed(ErrorKind::Connect, "the server has no connection free"),
        2006 | 2013 | 1053 | 1077 | 1079 | 1152 | 1159 | 1161 | 1927 | 4031 => {
            failed(ErrorKind::Connect, "the server closed the connection")
        }
        // By somebody else: `Interrupted` is what trueup's own user asked for.
        1317 => failed(ErrorKind::Timeout, "the statement was killed on the server").hint("run it again"),
        1021 | 1114 | 1026 | 3 => {
            failed(ErrorKind::Internal, "the server's disk is full").hint("make room there and run again")
        }
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
    EngineError::new(kind, doing(what, why)).said(driver_words(error))
}

/// `SELECT command denied to user 'x'@'y' for table 'z'` names the right itself.
fn grant_hint(words: &str) -> String {
    let right = words.split(" command denied").next().filter(|right| right.len() < words.len());
    match (right, words.rsplit_once("for table ")) {
        (Some(right), Some((_, table))) => format!("GRANT {right} ON {} TO that user", table.trim()),
        _ => "GRANT the user the right the server names".to_owned(),
    }
}

/// Our words with the name at the end of the server's, which is a column's, a key's or a constraint's and never a
/// value: values stand before it, and nothing but a row's number behind it.
fn named(ours: &str, words: &str) -> String {
    let folded = words.to_ascii_lowercase();
    let marks = ["for key ", "column ", "field "].into_iter();
    let places = marks.flat_map(|mark| folded.rmatch_indices(mark).map(|(at, mark)| at + mark.len()));
    // The last one: what looks like it before may be part of a value.
    let name = places.filter_map(|at| Some((at, quoted(&words[at..])?))).max();
    name.map_or_else(|| ours.to_owned(), |(_, name)| format!("{ours} `{name}`"))
}

/// The quoted name that the text is, but for what the server says behind it; of `db`.`table`.`column` the last part.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '`'))?;
    let rest = &text[1..];
    let end = rest.match_indices(quote).map(|(at, _)| at).find(|at| is_end(&rest[at + 1..]))?;
    let name = &rest[..end];
    Some(if quote == '`' { name.rsplit_once("`.`").map_or(name, |(_, last)| last) } else { name })
}

fn is_end(rest: &str) -> bool {
    let row = rest.strip_prefix(" at row ").is_some_and(|row| row.bytes().all(|byte| byte.is_ascii_digit()));
    row || matches!(rest, "" | " cannot be null" | " doesn't have a default value")
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
        for (table, column) in
            [("my table", "a b"), ("my column `x", "n"), ("for key 'k", "c'd"), ("t", "key x")]
        {
            let words =
                format!("Incorrect integer value: 'x' for column `db`.`{table}`.`{column}` at row 12");
            assert_eq!(named("in column", &words), format!("in column `{column}`"));
        }
        let sly = "Incorrect integer value: 'x for key 'secret' at row 1' for column `d`.`t`.`n` at row 1";
        assert_eq!(named("in column", sly), "in column `n`");
        assert_eq!(named("twice under", "Duplicate entry 'for key 'x' for key 't.k'"), "twice under `t.k`");
        let child = "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` \
                     FOREIGN KEY (`a`) REFERENCES `p` (`id`))";
        assert_eq!(foreign_key(child), "the foreign key `fk` refuses the change");
    }
}
