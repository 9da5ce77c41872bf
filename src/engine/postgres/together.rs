//! Reading many small tables by few statements: one COPY brings the rows of all of them.
//!
//! Owns the form in which such rows come: a number that says of which table, and the row as `record_send` puts it
//! together, each value behind the OID of its type. Refuses whatever is not an ordinary small table. Invariant: what is
//! answered for a table is all its rows, or nothing; what goes wrong is left for the table's own scan to tell.

use futures_util::StreamExt;
use sqlx::postgres::PgConnection;

use super::super::{EngineError, in_key_order};
use super::encode::{CopyReader, RowEncoder, Step};
use super::failure::{failed, is_connection_lost};
use super::scan::quoted_name;
use super::{rows, run, text};
use crate::failure::ErrorKind;
use crate::sql::Select;
use crate::sql::postgres::render_together;
use crate::value::{NULL_LENGTH, RowBlock, fields};

const DOING: &str = "reading small tables";
/// What the server keeps compressed may be larger than it said. What is beyond so many times is read and dropped.
const GROWTH_MAX: u64 = 4;

/// The rows of those of the tables that are small.
///
/// # Errors
/// When the connection is of no more use.
pub(super) async fn read(
    connection: &mut PgConnection,
    selects: &[Select],
    bytes_max: u64,
) -> Result<Vec<Option<RowBlock>>, EngineError> {
    let read = match begin(connection, selects, bytes_max).await {
        Ok(small) if small.is_empty() => Ok(Vec::new()),
        Ok(small) => read_small(connection, selects, &small, bytes_max).await,
        Err(ended) => Err(ended),
    };
    if let Err(Ended::Lost(error)) = read {
        return Err(error);
    }
    // The locks of so many tables go with the savepoint: there may be more tables than the server has room for locks.
    run(connection, "ROLLBACK TO trueup; RELEASE trueup", DOING).await?;
    let mut found = vec![None; selects.len()];
    for (number, block) in read.unwrap_or_default() {
        found[number] = Some(block);
    }
    Ok(found)
}

/// Why nothing was read.
enum Ended {
    /// The server said no, and waits for the next statement.
    Refused,
    /// The connection is of no more use.
    Lost(EngineError),
}

impl From<EngineError> for Ended {
    fn from(error: EngineError) -> Self {
        if is_connection_lost(&error) { Ended::Lost(error) } else { Ended::Refused }
    }
}

/// Opens a savepoint, and tells which of the tables are ordinary ones that fit into so many bytes together.
async fn begin(
    connection: &mut PgConnection,
    selects: &[Select],
    bytes_max: u64,
) -> Result<Vec<usize>, Ended> {
    let names: Vec<String> = selects.iter().map(|select| quoted_name(&select.table)).collect();
    let sql = format!(
        "SAVEPOINT trueup; SELECT c.relkind::text, pg_catalog.pg_table_size(c.oid)::text \
         FROM unnest(ARRAY[{}]::text[]) WITH ORDINALITY n(name, place) \
         LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass(n.name) ORDER BY n.place",
        names.join(", ")
    );
    let mut small = Vec::new();
    let mut left = bytes_max;
    for (number, row) in rows(connection, &sql, DOING).await?.iter().enumerate() {
        let bytes = text(row, 1)?.and_then(|bytes| bytes.parse::<u64>().ok());
        let ordinary = text(row, 0)?.as_deref() == Some("r");
        if let Some(rest) = bytes.filter(|_| ordinary).and_then(|bytes| left.checked_sub(bytes)) {
            left = rest;
            small.push(number);
        }
    }
    Ok(small)
}

async fn read_small(
    connection: &mut PgConnection,
    selects: &[Select],
    small: &[usize],
    bytes_max: u64,
) -> Result<Vec<(usize, RowBlock)>, Ended> {
    let sql = render_together(small.iter().map(|number| (*number, &selects[*number])));
    // A COPY that fails at its start costs the connection; where a right is missing, this fails before.
    run(connection, &format!("EXPLAIN {sql}"), DOING).await?;
    let numbered = copied(connection, &sql, bytes_max.saturating_mul(GROWTH_MAX)).await?;
    let mut tables: Vec<Option<Together>> = selects.iter().map(|_| None).collect();
    small.iter().for_each(|number| tables[*number] = Some(Together::of(&selects[*number])));
    for row in numbered.iter().flat_map(RowBlock::rows) {
        let mut row = fields(row);
        let (number, record) = (row.next().flatten().and_then(number), row.next().flatten());
        let table = number.and_then(|number| tables.get_mut(number)?.as_mut());
        let (Some(table), Some(record)) = (table, record) else {
            return Err(Ended::Refused);
        };
        table.add(record);
    }
    let read = tables.into_iter().enumerate();
    let whole = |(number, table): (usize, Option<Together>)| Some((number, table?.finish()?));
    // Nothing was kept of what turned out to be too much.
    Ok(if numbered.is_some() { read.filter_map(whole).collect() } else { Vec::new() })
}

/// The rows of one COPY; `None` where they take more than so many bytes.
async fn copied(connection: &mut PgConnection, sql: &str, bytes_max: u64) -> Result<Option<RowBlock>, Ended> {
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let lost = |words: &str| Ended::Lost(EngineError::new(ErrorKind::Internal, format!("{DOING}: {words}")));
    let mut messages = match connection.copy_out_raw(&copy).await {
        Ok(messages) => messages,
        // sqlx leaves the rest of the answer unread.
        Err(error) => return Err(Ended::Lost(failed(DOING, error))),
    };
    let mut reader = CopyReader::new(RowEncoder::new(vec![Step::Copy; 2], Vec::new()));
    let (mut block, mut too_much) = (RowBlock::default(), false);
    while let Some(message) = messages.next().await {
        let message = match message {
            Ok(message) => message,
            Err(sqlx::Error::Database(_)) => return Err(Ended::Refused),
            Err(error) => return Err(Ended::Lost(failed(DOING, error))),
        };
        reader.feed(&message, &mut block).map_err(|_| lost("COPY was not understood"))?;
        too_much |= block.bytes_len() as u64 > bytes_max;
        if too_much {
            block.clear();
        }
    }
    if !reader.is_complete() {
        return Err(lost("COPY ended early"));
    }
    Ok(Some(block).filter(|_| !too_much))
}

fn number(payload: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(payload.try_into().ok()?)).ok()
}

/// The rows of one table while they are made.
struct Together<'a> {
    select: &'a Select,
    /// The types of the columns, and what makes payloads of their values: known from the first row on.
    known: Option<(Vec<u32>, RowEncoder)>,
    rows: RowBlock,
    /// Whether there was anything that only the table's own scan can tell.
    odd: bool,
}

impl<'a> Together<'a> {
    fn of(select: &'a Select) -> Self {
        Together { select, known: None, rows: RowBlock::default(), odd: false }
    }

    fn add(&mut self, record: &[u8]) {
        self.odd = self.odd || self.try_add(record).is_none();
    }

    fn try_add(&mut self, record: &[u8]) -> Option<()> {
        let values = values(record)?;
        if values.len() != self.select.columns.len() {
            return None;
        }
        if self.known.is_none() {
            let steps = values.iter().zip(&self.select.columns);
            let steps =
                steps.map(|((oid, _), column)| Step::choose(*oid, column)).collect::<Option<Vec<_>>>()?;
            let types = values.iter().map(|(oid, _)| *oid).collect();
            self.known = Some((types, RowEncoder::new(steps, Vec::new())));
        }
        let (types, encoder) = self.known.as_ref()?;
        if !values.iter().zip(types).all(|((oid, _), known)| oid == known) {
            return None;
        }
        let start = self.rows.bytes_len();
        for (column, (_, value)) in values.into_iter().enumerate() {
            encoder.put(self.rows.buffer(), start, column, value).ok()?;
        }
        self.rows.close_row();
        Some(())
    }

    /// All rows, in the order that is asked for.
    fn finish(self) -> Option<RowBlock> {
        (!self.odd).then(|| in_key_order(self.select, self.rows))
    }
}

/// A value behind the OID of its type; `None` for NULL.
type Typed<'a> = (u32, Option<&'a [u8]>);

/// The values of a record, each with the OID of its type; `None` where it is cut short or too long.
fn values(record: &[u8]) -> Option<Vec<Typed<'_>>> {
    let (count, mut rest) = record.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut values = Vec::with_capacity(count.min(2_000));
    for _ in 0..count {
        let (oid, after) = rest.split_first_chunk::<4>()?;
        let (len, after) = after.split_first_chunk::<4>()?;
        let len = i32::from_be_bytes(*len);
        let (value, after) = match len {
            NULL_LENGTH => (None, after),
            len => after
                .split_at_checked(usize::try_from(len).ok()?)
                .map(|(value, after)| (Some(value), after))?,
        };
        values.push((u32::from_be_bytes(*oid), value));
        rest = after;
    }
    rest.is_empty().then_some(values)
}
