//! How rows of one table pair are compared: the key's order, which columns count, what is excused.

use crate::value::{BlockHasher, Domain, KeyOrder, Row, decode, fields};

use super::{Excuse, RowChange};

/// How one column is compared.
#[derive(Clone, Debug)]
pub struct ColumnRule {
    /// What its values are compared as.
    pub domain: Domain,
    /// Differences that do not count.
    pub excuse: Option<Excuse>,
}

impl ColumnRule {
    /// A column compared byte by byte.
    pub fn exact(domain: Domain) -> Self {
        ColumnRule { domain, excuse: None }
    }
}

/// How rows of one table pair are compared.
#[derive(Clone)]
pub struct RowRules {
    order: KeyOrder,
    compared: Box<[ColumnRule]>,
    whole_rows: bool,
    hasher: BlockHasher,
}

/// What two rows of one key are to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowDifference {
    /// All compared columns are the same bytes.
    None,
    /// They differ, and every difference is excused.
    Excused,
    /// These columns differ and are not excused; ascending, never a key column.
    Columns(Vec<u16>),
}

impl RowRules {
    /// Rules for rows of `columns_total` columns, the first of which are `compared`, the key's
    /// `key_columns` at their head. Columns behind `compared` are part of rows and never looked at.
    pub fn new(compared: Vec<ColumnRule>, key_columns: usize, columns_total: usize) -> Self {
        let key: Vec<_> = compared[..key_columns].iter().map(|column| column.domain.clone()).collect();
        RowRules {
            order: KeyOrder::new(key),
            whole_rows: compared.len() == columns_total,
            hasher: BlockHasher::new(compared.iter().map(|column| &column.domain)),
            compared: compared.into(),
        }
    }

    /// The order of keys.
    pub fn order(&self) -> &KeyOrder {
        &self.order
    }

    /// Whether a row is compared from its first to its last byte.
    pub(super) fn whole_rows(&self) -> bool {
        self.whole_rows
    }

    /// A hasher that knows the compared columns' domains.
    pub fn hasher(&self) -> BlockHasher {
        self.hasher.clone()
    }

    /// The part of an encoded row that is compared.
    pub fn compared_part<'a>(&self, row: &'a [u8]) -> &'a [u8] {
        if self.whole_rows {
            return row;
        }
        let mut rest = fields(row);
        for _ in 0..self.compared.len() {
            rest.next();
        }
        &row[..row.len() - rest.remaining()]
    }

    /// Compares two rows of one key.
    pub fn difference(&self, primary: &[u8], replica: &[u8]) -> RowDifference {
        if self.compared_part(primary) == self.compared_part(replica) {
            return RowDifference::None;
        }
        let (mut columns, mut excused) = (Vec::new(), false);
        let both = fields(primary).zip(fields(replica)).zip(self.compared.iter()).enumerate();
        for (index, ((primary, replica), column)) in both.skip(self.order.columns()) {
            if primary != replica {
                if column.excuses(primary, replica) {
                    excused = true;
                } else {
                    columns.push(index as u16);
                }
            }
        }
        match columns.is_empty() {
            false => RowDifference::Columns(columns),
            true if excused => RowDifference::Excused,
            true => RowDifference::None,
        }
    }

    /// What two rows of one key need: an update, or nothing; `excused` counts a row whose differences are
    /// all excused.
    pub fn update(&self, primary: &[u8], replica: &[u8], excused: &mut u64) -> Option<RowChange> {
        match self.difference(primary, replica) {
            RowDifference::None => None,
            RowDifference::Excused => {
                *excused += 1;
                None
            }
            RowDifference::Columns(columns) => {
                Some(RowChange::Update { before: Row::new(replica), after: Row::new(primary), columns })
            }
        }
    }
}

impl ColumnRule {
    fn excuses(&self, primary: Option<&[u8]>, replica: Option<&[u8]>) -> bool {
        self.excuse.as_ref().is_some_and(|excuse| {
            excuse.excuses(&decode(&self.domain, primary), &decode(&self.domain, replica))
        })
    }
}

impl std::fmt::Debug for RowRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowRules").field("compared", &self.compared).finish_non_exhaustive()
    }
}
