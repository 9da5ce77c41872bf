//! Reading many small tables by few statements: one select of several, in which each table has columns of its own.
//!
//! Owns the form in which such rows come: a number that says of which table, and then the columns of all tables, NULL but
//! for those of its own, so that every value keeps its column's type. Refuses tables of many rows, and what the server would
//! send in another form than by itself. Invariant: what is answered for a table is all its rows, or nothing; what goes wrong
//! is left for the table's own scan to tell.

use futures_util::StreamExt;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Column as _, Either, Executor, Row as _, TypeInfo};

use super::encode::Encoder;
use super::moment::Reader;
use super::scan::{Rows, stop};
use super::{Access, error, raw, run};
use crate::engine::{EngineError, in_key_order};
use crate::failure::ErrorKind;
use crate::sql::mysql::render_together;
use crate::sql::{Column, EngineName, Select};
use crate::value::{RowBlock, Type};

const DOING: &str = "read small tables";
/// Columns of one statement: each row has all of them, and each select of the statement names all of them.
const COLUMNS_MAX: usize = 64;
/// Rows of one table: to send them among the columns of others costs more than to ask for them.
pub(super) const ROWS_MAX: usize = 1_000;

/// The rows of those of the tables that are small.
///
/// # Errors
/// When the connection is of no more use.
pub(super) async fn read(
    reader: &mut Reader,
    (access, engine): (&Access, EngineName),
    selects: &[Select],
    bytes_max: u64,
) -> Result<Vec<Option<RowBlock>>, EngineError> {
    let mut found = vec![None; selects.len()];
    let mut left = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    for places in handfuls(selects) {
        let some: Vec<&Select> = places.iter().map(|place| &selects[*place]).collect();
        let Some(read) = read_some(reader, (access, engine), &some, left).await? else { continue };
        left = left.saturating_sub(read.iter().flatten().map(RowBlock::bytes_len).sum());
        places.into_iter().zip(read).for_each(|(place, rows)| found[place] = rows);
    }
    Ok(found)
}

/// The places of those that one statement reads. A table that would be alone in it is scanned as well.
fn handfuls(selects: &[Select]) -> Vec<Vec<usize>> {
    let mut handfuls: Vec<Vec<usize>> = Vec::new();
    let mut columns = 0;
    for (place, select) in selects.iter().enumerate().filter(|(_, select)| !has_unsigned(select)) {
        columns += select.columns.len();
        match handfuls.last_mut().filter(|_| columns <= COLUMNS_MAX) {
            Some(handful) => handful.push(place),
            None => {
                columns = select.columns.len();
                handfuls.push(vec![place]);
            }
        }
    }
    handfuls.retain(|handful| handful.len() > 1);
    handfuls
}

/// Among NULLs the server does not say that a number has no sign, as it does of the column by itself.
fn has_unsigned(select: &Select) -> bool {
    let mut types = select.columns.iter().map(|part| &part.column.column_type.meaning);
    types.any(|meaning| matches!(meaning, Type::Integer { unsigned: true, .. }))
}

/// `None` where nothing was read: the server said no, or it is too much.
async fn read_some(
    reader: &mut Reader,
    (access, engine): (&Access, EngineName),
    selects: &[&Select],
    bytes_max: usize,
) -> Result<Option<Vec<Option<RowBlock>>>, EngineError> {
    let sql = render_together(engine, selects, ROWS_MAX + 1);
    let bytes = sql.len();
    let mut tables = Together::all(selects);
    let statement = sqlx::query(AssertSqlSafe(sql)).persistent(true);
    let mut rows = reader.connection.fetch_many(statement);
    let taken = take(&mut rows, &mut tables, bytes_max).await;
    let usable = match &taken {
        Err(Ended::TooMuch) => stop(&mut rows, access, reader.id, 0).await,
        Ok(()) | Err(Ended::Refused | Ended::Lost(_)) => true,
    };
    drop(rows);
    match taken {
        Err(Ended::Lost(error)) => return Err(error),
        Err(Ended::TooMuch) if !usable => return Err(EngineError::new(ErrorKind::Connect, DOING)),
        // A KILL QUERY that came too late for its own statement must not hit the next one.
        Err(Ended::TooMuch) => drop(run(&mut reader.connection, "DO 0", "go on").await),
        Ok(()) | Err(Ended::Refused) => {}
    }
    reader.kept.add(&mut reader.connection, bytes).await?;
    Ok(taken.is_ok().then(|| tables.into_iter().map(Together::finish).collect()))
}

/// Why not all rows were read.
enum Ended {
    /// The server said no, and waits for the next statement.
    Refused,
    /// They are more than is wanted, and have not all come.
    TooMuch,
    /// The connection is of no more use.
    Lost(EngineError),
}

async fn take(rows: &mut Rows<'_>, tables: &mut [Together<'_>], bytes_max: usize) -> Result<(), Ended> {
    let mut bytes = 0;
    while let Some(next) = rows.next().await {
        let row = match next {
            Ok(Either::Left(_)) => continue,
            Ok(Either::Right(row)) => row,
            Err(why) if error::number(&why).is_some() => return Err(Ended::Refused),
            Err(why) => return Err(Ended::Lost(error::translate(why, DOING))),
        };
        let number = raw(&row, 0).ok().flatten().and_then(number);
        let Some(table) = number.and_then(|number| tables.get_mut(number)) else {
            return Err(Ended::TooMuch);
        };
        bytes += table.add(&row);
        if bytes > bytes_max {
            return Err(Ended::TooMuch);
        }
    }
    Ok(())
}

/// A number as the server sends it: so many bytes, the last first.
fn number(bytes: &[u8]) -> Option<usize> {
    let mut whole = [0; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    usize::try_from(u64::from_le_bytes(whole)).ok()
}

/// The rows of one table while they are made.
struct Together<'a> {
    select: &'a Select,
    /// Where its columns begin.
    first: usize,
    /// What makes payloads of its values; nothing where it cannot be read.
    encoders: Option<Vec<Encoder>>,
    rows: RowBlock,
    /// Whether the server's types have been looked at.
    known: bool,
    /// Whether there was anything that only the table's own scan can tell.
    odd: bool,
}

impl<'a> Together<'a> {
    fn all(selects: &[&'a Select]) -> Vec<Self> {
        let mut first = 1;
        let of = |select: &&'a Select| {
            let columns = select.columns.iter();
            let encoders =
                columns.map(|part| Encoder::choose(&part.column.column_type.meaning, &part.domain));
            let encoders: Option<Vec<Encoder>> = encoders.collect();
            let own = first;
            first += select.columns.len();
            let odd = encoders.is_none();
            Together { select, first: own, encoders, rows: RowBlock::default(), known: false, odd }
        };
        selects.iter().map(of).collect()
    }

    /// Adds a row, and tells how many bytes it takes.
    fn add(&mut self, row: &MySqlRow) -> usize {
        let before = self.rows.bytes_len();
        self.odd = self.odd || self.rows.len() >= ROWS_MAX || self.try_add(row).is_none();
        if self.odd {
            self.rows = RowBlock::default();
            // What is not kept has come all the same.
            return (0..row.len()).filter_map(|at| raw(row, at).ok()?).map(<[u8]>::len).sum();
        }
        self.rows.bytes_len() - before
    }

    fn try_add(&mut self, row: &MySqlRow) -> Option<()> {
        if !self.known {
            let columns = row.columns().get(self.first..self.first + self.select.columns.len())?;
            let mut pairs = self.select.columns.iter().zip(columns);
            let same = pairs.all(|(part, column)| is_sent_as(&part.column, column.type_info().name()));
            self.known = same;
            same.then_some(())?;
        }
        for (at, encoder) in self.encoders.as_ref()?.iter().enumerate() {
            encoder.field(raw(row, self.first + at).ok()?, self.rows.buffer()).ok()?;
        }
        self.rows.close_row();
        Some(())
    }

    /// All rows, in the order that is asked for.
    fn finish(self) -> Option<RowBlock> {
        (!self.odd).then(|| in_key_order(self.select, self.rows))
    }
}

/// Whether the server sends a column's values in the form that its type has by itself.
fn is_sent_as(column: &Column, name: &str) -> bool {
    let signed = |word: &str, unsigned: bool| match unsigned {
        true => name.strip_suffix(" UNSIGNED") == Some(word),
        false => name == word,
    };
    match &column.column_type.meaning {
        Type::Boolean => matches!(name, "BOOLEAN" | "TINYINT"),
        // Of this one nothing tells whether it has a sign; a scan takes its type's word for it too.
        Type::Integer { bytes: 1, .. } if name == "BOOLEAN" => true,
        Type::Integer { bytes, unsigned } => signed(integer_word(*bytes), *unsigned),
        Type::Decimal { .. } => name == "DECIMAL",
        Type::Float32 => name == "FLOAT",
        Type::Float64 => name == "DOUBLE",
        Type::Date => name == "DATE",
        Type::Time { .. } => name == "TIME",
        Type::DateTime { .. } => name == "DATETIME",
        Type::Instant { .. } => name == "TIMESTAMP",
        Type::Zoned { .. } => matches!(name, "DATETIME" | "TIMESTAMP"),
        Type::Year => name == "YEAR",
        Type::Bits { .. } => name == "BIT",
        Type::Json => matches!(name, "JSON" | "LONGTEXT" | "LONGBLOB"),
        Type::Text { .. }
        | Type::JsonText
        | Type::Bytes { .. }
        | Type::Uuid
        | Type::Enum { .. }
        | Type::Set { .. }
        | Type::Address { .. }
        | Type::Other => is_text_or_bytes(name),
        Type::Printed => false,
    }
}

fn integer_word(bytes: u8) -> &'static str {
    match bytes {
        1 => "TINYINT",
        2 => "SMALLINT",
        3 => "MEDIUMINT",
        4 => "INT",
        _ => "BIGINT",
    }
}

fn is_text_or_bytes(name: &str) -> bool {
    let stem = name.strip_suffix("TEXT").or_else(|| name.strip_suffix("BLOB"));
    matches!(name, "CHAR" | "VARCHAR" | "BINARY" | "VARBINARY")
        || stem.is_some_and(|size| matches!(size, "" | "TINY" | "MEDIUM" | "LONG"))
}
