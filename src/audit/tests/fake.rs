//! A table in memory that is scanned as a snapshot would be, and can be slow, fail or see keys as a
//! case-insensitive collation does.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, mpsc};

use crate::engine::{DigestForm, DigestScheme, Digestible, EngineError, RowStream, Snapshot};
use crate::failure::ErrorKind;
use crate::schema::{ColumnPair, TablePair, Writes};
use crate::sides::Sides;
use crate::spec::{Place, SchemaMode};
use crate::sql::{Column, Select, SelectColumn, Selection, TableName};
use crate::value::{
    ColumnType, Digest, Domain, Key, KeyOrder, KeyRange, RangeDigest, RowBlock, Type, Value, encode,
};

pub(super) const INT: Domain = Domain::Integer { bytes: 8 };
pub(super) const TEXT: Domain = Domain::Text;

pub(super) fn int(value: i128) -> Value {
    Value::Integer(value)
}

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(super) fn encoded(domains: &[Domain], values: &[Value]) -> Vec<u8> {
    let mut row = Vec::new();
    for (domain, value) in domains.iter().zip(values) {
        encode(&mut row, domain, value).expect("the value is one of the domain");
    }
    row
}

/// Makes a table pair.
pub(super) struct Pair(TablePair);

impl Pair {
    pub(super) fn new(key_columns: usize, columns: &[(&str, Domain)]) -> Self {
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, domain)| ColumnPair {
                sides: Sides::new(column(name), column(name)),
                domain: domain.clone(),
                stored: None,
                rule: None,
                on_replica: true,
                fit: None,
            })
            .collect();
        Pair(TablePair {
            table: "items".to_owned(),
            names: Sides::new(TableName::plain("items"), TableName::plain("items")),
            replica_table: "items".to_owned(),
            replica_qualified: false,
            place: Place { line: 1, column: 1 },
            key_columns,
            compared_columns: columns.len(),
            columns,
            scope: None,
            filter: None,
            columns_out_of_scope: 0,
            replica_missing: false,
            replica_extra: Vec::new(),
            foreign_keys: Vec::new(),
            dependents: Vec::new(),
            checked: Vec::new(),
            unique_keys: Vec::new(),
            schema: SchemaMode::Sync,
            online: false,
            triggers: crate::spec::TriggerMode::Fire,
            writes: Writes { insert: true, update: true, delete: true },
            rows_estimate: Sides::new(None, None),
        })
    }

    /// The last columns are ignored.
    pub(super) fn ignoring(mut self, columns: usize) -> Self {
        self.0.compared_columns -= columns;
        self
    }

    pub(super) fn scoped(mut self) -> Self {
        self.0.scope = Some(Sides::new("in scope".to_owned(), "in scope".to_owned()));
        self
    }

    pub(super) fn with_extra(mut self, name: &str, domain: Domain) -> Self {
        self.0.replica_extra.push(SelectColumn { column: column(name), domain });
        self
    }

    pub(super) fn done(self) -> TablePair {
        self.0
    }
}

fn column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new("anything", Type::Other),
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

/// A table in memory. Rows are given in the order they are scanned in.
#[derive(Clone)]
pub(super) struct FakeTable {
    names: Vec<String>,
    key: KeyOrder,
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) readers: usize,
    pub(super) piece_rows: usize,
    /// Rows whose first column is one of these are outside the scope.
    pub(super) outside_scope: Vec<Value>,
    /// Finds rows by key as a case-insensitive collation would.
    pub(super) ignores_case: bool,
    /// Columns that the table does not have.
    pub(super) lacks: Vec<String>,
    /// Every scan fails after so many rows.
    pub(super) fails_after: Option<(usize, ErrorKind)>,
    /// The last byte of every row is missing.
    pub(super) breaks_payloads: bool,
    pub(super) cuts: Option<Vec<Value>>,
    /// Digests ranges of rows by this.
    pub(super) digests: Option<fn(&[u8]) -> Digest>,
    gate: Option<Arc<Semaphore>>,
    slots: Arc<Semaphore>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    scans: AtomicUsize,
    active: AtomicUsize,
    sent_bytes: Arc<AtomicU64>,
}

impl FakeTable {
    pub(super) fn new(pair: &TablePair, rows: Vec<Vec<Value>>) -> Self {
        let mut names: Vec<_> = pair.columns.iter().map(|column| column.name().to_owned()).collect();
        names.extend(pair.replica_extra.iter().map(|extra| extra.column.name.clone()));
        FakeTable {
            names,
            key: pair.key_order(),
            rows,
            readers: 1,
            piece_rows: 100,
            outside_scope: Vec::new(),
            ignores_case: false,
            lacks: Vec::new(),
            fails_after: None,
            breaks_payloads: false,
            cuts: None,
            digests: None,
            gate: None,
            slots: Arc::new(Semaphore::new(0)),
            counts: Arc::default(),
        }
    }

    pub(super) fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(FakeTable { slots: Arc::new(Semaphore::new(self.readers)), ..self.clone() })
    }

    /// From now on each block needs a permit.
    pub(super) fn gate(&mut self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        self.gate = Some(Arc::clone(&gate));
        gate
    }

    pub(super) fn sent_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.counts.sent_bytes)
    }

    pub(super) fn scans(&self) -> usize {
        self.counts.scans.load(Ordering::SeqCst)
    }

    pub(super) fn active(&self) -> usize {
        self.counts.active.load(Ordering::SeqCst)
    }

    /// Readers notice that nobody listens a little later.
    pub(super) async fn idle(&self) {
        while self.active() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn key_bytes(&self, row: &[Value]) -> Vec<u8> {
        encoded(self.key.domains(), &row[..self.key.columns()])
    }

    fn selected(&self, select: &Select) -> Vec<Vec<u8>> {
        let asked: HashSet<_> = match &select.selection {
            Selection::Keys(keys) => keys.iter().map(|key| self.folded(&self.key.values(key))).collect(),
            Selection::Range(_) | Selection::Alike(_) | Selection::AlikeUnder(..) => HashSet::new(),
            Selection::Copies(_) => panic!("only apply asks for copies"),
        };
        let rows = self.rows.iter().filter(|row| {
            let in_scope = select.scope.is_none() || !self.outside_scope.contains(&row[0]);
            in_scope
                && match &select.selection {
                    Selection::Range(range) => self.key.contains(range, &self.key_bytes(row)),
                    Selection::Keys(_) | Selection::Copies(_) => asked.contains(&self.folded(row)),
                    Selection::Alike(_) | Selection::AlikeUnder(..) => panic!("no unique keys here"),
                }
        });
        rows.map(|row| self.projected(select, row)).collect()
    }

    /// The key as the collation sees it.
    fn folded(&self, row: &[Value]) -> Vec<u8> {
        let folded = |value: &Value| match value {
            Value::Text(text) if self.ignores_case => Value::Text(text.to_lowercase()),
            value => value.clone(),
        };
        self.key_bytes(&row.iter().map(folded).collect::<Vec<_>>())
    }

    fn projected(&self, select: &Select, row: &[Value]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for wanted in &select.columns {
            let name = &wanted.column.name;
            assert!(!self.lacks.contains(name), "no such column: {name}");
            let index = self.names.iter().position(|known| known == name).expect("a known column");
            encode(&mut bytes, &wanted.domain, &row[index]).expect("the value is one of the domain");
        }
        if self.breaks_payloads {
            let last = bytes.len() - 1 - 8;
            bytes.truncate(last);
            bytes.extend_from_slice(&[0, 0, 0, 3, 1, 2, 3][2..]);
        }
        bytes
    }

    async fn send(self, rows: Vec<Vec<u8>>, sender: mpsc::Sender<Result<RowBlock, EngineError>>) {
        let mut sent = 0;
        for piece in rows.chunks(self.piece_rows) {
            if let Some(gate) = &self.gate {
                let permit = tokio::select! {
                    permit = gate.acquire() => permit,
                    () = sender.closed() => return,
                };
                permit.expect("the gate stays").forget();
            }
            let mut block = RowBlock::default();
            for row in piece {
                if self.fails_after.is_some_and(|(after, _)| sent == after) {
                    break;
                }
                block.push(row);
                sent += 1;
            }
            let bytes = block.bytes_len() as u64;
            if !block.is_empty() && sender.send(Ok(block)).await.is_err() {
                return;
            }
            self.counts.sent_bytes.fetch_add(bytes, Ordering::SeqCst);
            if self.fails_after.is_some_and(|(after, _)| sent == after) {
                break;
            }
        }
        if let Some((_, kind)) = self.fails_after {
            let _ = sender.send(Err(EngineError::new(kind, "the reader broke"))).await;
        }
    }
}

#[async_trait]
impl Snapshot for FakeTable {
    fn readers(&self) -> usize {
        self.readers
    }

    fn method(&self) -> String {
        "rows in memory".to_owned()
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("slots stay");
        self.counts.scans.fetch_add(1, Ordering::SeqCst);
        self.counts.active.fetch_add(1, Ordering::SeqCst);
        let (sender, receiver) = mpsc::channel(2);
        let (table, rows) = (self.clone(), self.selected(&select));
        tokio::spawn(async move {
            let counts = Arc::clone(&table.counts);
            table.send(rows, sender).await;
            counts.active.fetch_sub(1, Ordering::SeqCst);
            drop(slot);
        });
        Ok(RowStream::new(receiver))
    }

    async fn ask(&self, _sql: String) -> Result<Vec<Option<String>>, EngineError> {
        panic!("no SQL is understood here")
    }

    async fn digestible(&self, _select: &Select) -> Result<Digestible, EngineError> {
        Ok(match self.digests {
            Some(_) => {
                Digestible::As(vec![DigestForm { scheme: DigestScheme::Records, columns: "rows".to_owned() }])
            }
            None => Digestible::Not("nobody digests here".to_owned()),
        })
    }

    async fn cuts(
        &self,
        _select: &Select,
        ranges: Vec<KeyRange>,
        part_rows: u64,
    ) -> Result<Vec<Key>, EngineError> {
        let keys = |range: &KeyRange| {
            let keys = self.rows.iter().map(|row| self.key_bytes(row));
            let inside = keys.filter(|key| self.key.contains(range, key)).collect::<Vec<_>>();
            inside.into_iter().step_by(part_rows as usize).skip(1).map(Key::new)
        };
        Ok(ranges.iter().flat_map(keys).collect())
    }

    async fn digests(
        &self,
        select: &Select,
        _how: (DigestScheme, &str),
        ranges: Vec<KeyRange>,
        rows_max: u64,
    ) -> Result<Vec<RangeDigest>, EngineError> {
        let digest = self.digests.expect("only who digests is asked");
        let of_one = |range| {
            let rows = self.selected(&Select { selection: Selection::Range(range), ..select.clone() });
            let looked_at = rows.iter().take(rows_max as usize);
            let bytes: Vec<u8> = looked_at.flatten().copied().collect();
            RangeDigest { rows: rows.len().min(rows_max as usize + 1) as u64, digest: digest(&bytes) }
        };
        Ok(ranges.into_iter().map(of_one).collect())
    }

    fn reads_ranges(&self, _select: &Select) -> bool {
        true
    }

    async fn split(&self, _select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        let key = |row: &Vec<Value>| Key::new(self.key_bytes(row));
        if let Some(cuts) = &self.cuts {
            return Ok(cuts.iter().map(|value| key(&vec![value.clone()])).collect());
        }
        let step = self.rows.len() / parts;
        Ok(if step == 0 { Vec::new() } else { (1..parts).map(|part| key(&self.rows[part * step])).collect() })
    }
}
