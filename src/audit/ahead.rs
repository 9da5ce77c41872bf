//! Small tables whose rows are read before they are compared, many of them by one statement.
//!
//! Owns the choice of what is read so; a table of which the engine answers nothing is scanned as any other. Invariant:
//! the rows of a table are handed out once, as a whole, and for exactly the select that they were read for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::engine::{EngineError, RowStream, Snapshot};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::sql::{Select, Selection};
use crate::value::{Key, KeyRange, RowBlock};

use super::AuditOptions;
use super::work::select_of;

/// For each table pair the snapshot of one side to read it from, or `None` where it was not read ahead. What several
/// pairs want in one form is read once.
pub async fn read_ahead(
    snapshot: &Arc<dyn Snapshot>,
    side: Side,
    pairs: &[&TablePair],
    options: &AuditOptions,
) -> Vec<Option<Arc<dyn Snapshot>>> {
    let rows_max = snapshot.rows_together_max();
    let worth_it =
        |pair: &&&TablePair| pair.rows_estimate.get(side).is_none_or(|rows| rows <= rows_max) && rows_max > 0;
    let wanted = pairs.iter().map(|pair| Some(pair).filter(worth_it).and_then(|pair| whole(side, pair)));
    let wanted: Vec<Option<Select>> = wanted.collect();
    let mut selects: Vec<Select> = Vec::new();
    for select in wanted.iter().flatten() {
        if !selects.contains(select) {
            selects.push(select.clone());
        }
    }
    // As much as may be on its way from an engine.
    let found = match selects.len() {
        0 => Vec::new(),
        _ => snapshot.read_together(&selects, options.memory_bytes / 32).await,
    };
    let ahead = |select: Option<Select>| -> Option<Arc<dyn Snapshot>> {
        let select = select?;
        let at = selects.iter().position(|known| *known == select)?;
        let rows = found.get(at)?.clone()?;
        Some(Arc::new(Ahead { inner: Arc::clone(snapshot), select, rows: Mutex::new(Some(rows)) }))
    };
    wanted.into_iter().map(ahead).collect()
}

/// What an audit reads of one side, where it reads anything.
fn whole(side: Side, pair: &TablePair) -> Option<Select> {
    let missing = side == Side::Replica && pair.replica_missing;
    (!missing).then(|| select_of(pair, side, Selection::Range(KeyRange::all()), pair.is_ordered()))
}

/// A snapshot that has read all of one table already.
struct Ahead {
    inner: Arc<dyn Snapshot>,
    select: Select,
    rows: Mutex<Option<RowBlock>>,
}

impl Ahead {
    fn take(&self, select: &Select) -> Option<RowBlock> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if *select == self.select { rows.take() } else { None }
    }
}

#[async_trait]
impl Snapshot for Ahead {
    fn readers(&self) -> usize {
        self.inner.readers()
    }

    fn method(&self) -> String {
        self.inner.method()
    }

    fn file(&self) -> Option<PathBuf> {
        self.inner.file()
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let Some(rows) = self.take(&select) else { return self.inner.scan(select).await };
        let (sender, receiver) = mpsc::channel(1);
        if !rows.is_empty() {
            // There is room for one, and nobody else sends.
            sender.try_send(Ok(rows)).ok();
        }
        Ok(RowStream::new(receiver))
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        self.inner.ask(sql).await
    }

    fn reads_ranges(&self, select: &Select) -> bool {
        self.inner.reads_ranges(select)
    }

    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        self.inner.split(select, parts).await
    }
}
