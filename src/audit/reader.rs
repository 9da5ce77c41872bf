//! One side of a segment while it is read: blocks of rows in the pair's form.

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::RowStream;
use crate::event::Event;
use crate::failure::Failure;
use crate::sides::Side;
use crate::sql::Select;
use crate::value::RowBlock;

use super::words::row_too_large;
use super::work::Work;

/// Encoded keys that were asked for.
pub(super) type Asked = Arc<HashSet<Box<[u8]>>>;

/// A side's rows while they come in. Dropping it stops the side's reader.
pub(super) struct Reader {
    work: Arc<Work>,
    side: Side,
    stream: RowStream,
    asked: Option<Asked>,
    /// Rows are handed on as they are read: without columns to come, with columns out of scope.
    raw: bool,
}

impl Reader {
    /// Starts reading. `asked`: rows of other keys, equal only under the engine's collation, are dropped.
    pub(super) async fn open(
        work: &Arc<Work>,
        side: Side,
        select: Select,
        asked: Option<Asked>,
    ) -> Result<Self, Failure> {
        let stream = work.snapshots.get(side).scan(select).await.map_err(|error| error.on(side))?;
        Ok(Reader { work: Arc::clone(work), side, stream, asked, raw: false })
    }

    /// Starts reading rows as the select has them.
    pub(super) async fn open_raw(work: &Arc<Work>, side: Side, select: Select) -> Result<Self, Failure> {
        Ok(Reader { raw: true, ..Reader::open(work, side, select, None).await? })
    }

    /// The next rows; `None` after the last. Nothing is lost when the future is dropped before it is ready.
    pub(super) async fn next(&mut self) -> Result<Option<RowBlock>, Failure> {
        let next = self.stream.next().await.map_err(|error| error.on(self.side))?;
        let Some(mut rows) = next else { return Ok(None) };
        self.work.observer.observe(Event::RowsRead { rows: rows.len() as u64 });
        let added = self.work.added.as_ref().filter(|_| self.side == Side::Replica && !self.raw);
        if let Some(added) = added {
            rows = added.complete(&rows);
        }
        self.refuse_large_rows(&rows)?;
        Ok(Some(match &self.asked {
            Some(asked) => self.only_asked(rows, asked),
            None => rows,
        }))
    }

    fn refuse_large_rows(&self, rows: &RowBlock) -> Result<(), Failure> {
        let max = self.work.row_bytes_max;
        if rows.bytes_len() <= max {
            return Ok(());
        }
        match rows.rows().find(|row| row.len() > max) {
            Some(row) => Err(row_too_large(&self.work.pair, self.side, row)),
            None => Ok(()),
        }
    }

    fn only_asked(&self, rows: RowBlock, asked: &Asked) -> RowBlock {
        let order = self.work.rules.order();
        let wanted = |row: &&[u8]| asked.contains(&row[..order.key_len(row)]);
        if rows.rows().all(|row| wanted(&row)) {
            return rows;
        }
        let mut kept = RowBlock::default();
        rows.rows().filter(wanted).for_each(|row| kept.push(row));
        kept
    }
}
