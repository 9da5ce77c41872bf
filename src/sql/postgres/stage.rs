//! Rows on their way into a table by COPY: straight into it where they are new, else into a temporary table that
//! one statement then joins with it.
//!
//! The temporary table's columns are of the very types of the table's own, so that rows are found and values stored
//! as if they stood in it already. Invariant: COPY's text of a value is that of its literal, and a type that has
//! values without such a text is not written this way at all.

use super::super::{Column, RowsToWrite, SelectColumn, TableName, TableWrite, Unwritable};
use super::change::found;
use super::literal::{copied, is_copied};
use super::{identifier, table};
use crate::value::Value;

/// The temporary table. In `pg_temp` no name of the database's is in its way.
const STAGED: &str = "pg_temp._trueup_staged";

/// Rows that can go by COPY.
pub(crate) struct Staged<'a> {
    name: &'a TableName,
    rows: &'a RowsToWrite,
    /// The columns that COPY brings values for.
    columns: Vec<&'a Column>,
}

impl<'a> Staged<'a> {
    /// `None` where the rows must go by statements: such as those with a NULL in their key.
    pub(crate) fn new(write: &'a TableWrite) -> Option<Self> {
        let parts = |key: &'a [SelectColumn]| key.iter().map(|part| &part.column);
        let has_null = match &write.rows {
            RowsToWrite::Update { rows, .. } => rows.iter().flat_map(|row| &row.key).any(Value::is_null),
            RowsToWrite::Delete { keys, .. } => keys.iter().flatten().any(Value::is_null),
            _ => false,
        };
        let columns: Vec<&Column> = match &write.rows {
            RowsToWrite::Insert { columns, .. } => columns.iter().collect(),
            RowsToWrite::Update { key, columns, .. } => parts(key).chain(columns).collect(),
            RowsToWrite::Delete { key, .. } => parts(key).collect(),
            RowsToWrite::DeleteCopies { .. } => return None,
        };
        let goes =
            !has_null && !columns.is_empty() && columns.iter().all(|column| is_copied(&column.column_type));
        goes.then_some(Staged { name: &write.table, rows: &write.rows, columns })
    }

    /// Makes an empty temporary table, which goes with the transaction.
    pub(crate) fn create(&self) -> String {
        let columns = self.columns.iter().enumerate();
        let columns: Vec<String> =
            columns.map(|(index, column)| format!("{} AS c{index}", identifier(&column.name))).collect();
        format!(
            "DROP TABLE IF EXISTS {STAGED}; CREATE TEMPORARY TABLE _trueup_staged ON COMMIT DROP AS \
             SELECT {} FROM {} WITH NO DATA",
            columns.join(", "),
            table(self.name)
        )
    }

    /// COPY into the temporary table.
    pub(crate) fn copy(&self) -> String {
        format!("COPY {STAGED} FROM STDIN")
    }

    /// COPY straight into the table.
    pub(crate) fn copy_into_table(&self) -> String {
        format!("COPY {} ({}) FROM STDIN", table(self.name), self.names())
    }

    /// The one statement that writes what is in the temporary table.
    pub(crate) fn statement(&self) -> String {
        let name = table(self.name);
        match self.rows {
            RowsToWrite::Insert { .. } => {
                let columns: Vec<String> = (0..self.columns.len()).map(|index| format!("c{index}")).collect();
                format!(
                    "INSERT INTO {name} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {STAGED}",
                    self.names(),
                    columns.join(", ")
                )
            }
            RowsToWrite::Update { key, columns, .. } => {
                let set: Vec<String> = (key.len()..)
                    .zip(columns)
                    .map(|(index, column)| format!("{} = v.c{index}", identifier(&column.name)))
                    .collect();
                format!(
                    "UPDATE {name} AS t SET {} FROM {STAGED} AS v WHERE {}",
                    set.join(", "),
                    self.found(key)
                )
            }
            RowsToWrite::Delete { key, .. } => {
                format!("DELETE FROM {name} AS t USING {STAGED} AS v WHERE {}", self.found(key))
            }
            RowsToWrite::DeleteCopies { .. } => String::new(),
        }
    }

    /// The rows as COPY takes them, handed on in blocks of about `block_bytes`.
    ///
    /// # Errors
    /// A value that its column cannot hold exactly.
    pub(crate) fn blocks(&self, block_bytes: usize) -> Result<Vec<String>, Unwritable> {
        let mut blocks = Blocks { done: Vec::new(), block: String::new(), block_bytes };
        match self.rows {
            RowsToWrite::Insert { rows, .. } => {
                rows.iter().try_for_each(|row| blocks.line(&self.columns, row.iter()))?;
            }
            RowsToWrite::Update { rows, .. } => rows
                .iter()
                .try_for_each(|row| blocks.line(&self.columns, row.key.iter().chain(&row.values)))?,
            RowsToWrite::Delete { keys, .. } => {
                keys.iter().try_for_each(|key| blocks.line(&self.columns, key.iter()))?;
            }
            RowsToWrite::DeleteCopies { .. } => {}
        }
        blocks.done.push(blocks.block);
        Ok(blocks.done)
    }

    fn found(&self, key: &[SelectColumn]) -> String {
        found(self.name, key, &vec![false; key.len()])
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| identifier(&column.name)).collect();
        names.join(", ")
    }
}

struct Blocks {
    done: Vec<String>,
    block: String,
    block_bytes: usize,
}

impl Blocks {
    fn line<'v>(
        &mut self,
        columns: &[&Column],
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<(), Unwritable> {
        for (index, (column, value)) in columns.iter().zip(values).enumerate() {
            if index > 0 {
                self.block.push('\t');
            }
            copied(&mut self.block, value, &column.column_type)?;
        }
        self.block.push('\n');
        if self.block.len() >= self.block_bytes {
            let next = String::with_capacity(self.block.len());
            self.done.push(std::mem::replace(&mut self.block, next));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{ColumnType, Domain, Type};

    fn column(name: &str, declared: &str, meaning: Type) -> Column {
        Column {
            name: name.to_owned(),
            column_type: ColumnType::new(declared, meaning),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        }
    }

    fn text(name: &str) -> Column {
        column(name, "text", Type::Text { chars_max: None, fixed: false })
    }

    fn insert(columns: Vec<Column>, row: Vec<Value>) -> TableWrite {
        TableWrite { table: TableName::plain("t"), rows: RowsToWrite::Insert { columns, rows: vec![row] } }
    }

    #[test]
    fn what_copy_would_take_for_its_own_is_escaped() {
        let texts = ["\\.", "\\N", "", "a\tb\nc\rd\\", "'\"\u{b}\u{85}"];
        let columns = (0..texts.len()).map(|index| text(&format!("c{index}"))).chain([text("null")]);
        let values = texts.iter().map(|text| Value::Text((*text).to_owned())).chain([Value::Null]);
        let write = insert(columns.collect(), values.collect());
        let staged = Staged::new(&write).expect("text goes by COPY");
        let expected = "\\\\.\t\\\\N\t\ta\\tb\\nc\\rd\\\\\t'\"\u{b}\u{85}\t\\N\n";
        assert_eq!(staged.blocks(1 << 20), Ok(vec![expected.to_owned()]));
        assert_eq!(
            staged.copy_into_table(),
            "COPY \"t\" (\"c0\", \"c1\", \"c2\", \"c3\", \"c4\", \"null\") FROM STDIN"
        );
    }

    #[test]
    fn values_go_as_their_literals_would() {
        let bytes = column("b", "bytea", Type::Bytes { bytes_max: None, fixed: false });
        let bits = column("c", "bit(3)", Type::Bits { length: 3 });
        let write =
            insert(vec![bytes, bits], vec![Value::Bytes(vec![0, 0xff]), Value::Native("101".to_owned())]);
        let staged = Staged::new(&write).expect("they go by COPY");
        assert_eq!(staged.blocks(1 << 20), Ok(vec!["\\\\x00ff\t101\n".to_owned()]));
    }

    #[test]
    fn what_has_no_exact_text_goes_by_statements_or_not_at_all() {
        let odd = insert(vec![column("c", "\"char\"", Type::Other)], vec![Value::Native("\\377".to_owned())]);
        assert!(Staged::new(&odd).is_none());
        let write = insert(vec![text("a")], vec![Value::Text("a\0b".to_owned())]);
        let staged = Staged::new(&write).expect("text goes by COPY");
        assert!(staged.blocks(1 << 20).expect_err("it has a NUL").reason.contains("NUL"));
    }

    #[test]
    fn rows_are_found_by_the_columns_of_the_same_type() {
        let key = vec![SelectColumn {
            column: Column {
                nullable: false,
                ..column("id", "numeric", Type::Decimal { precision: None, scale: None })
            },
            domain: Domain::Decimal { with_scale: true },
        }];
        let rows = RowsToWrite::Delete { key, keys: vec![vec![Value::Integer(1)]] };
        let write = TableWrite { table: TableName::plain("t"), rows };
        let staged = Staged::new(&write).expect("a number goes by COPY");
        assert!(staged.create().ends_with("AS SELECT \"id\" AS c0 FROM \"t\" WITH NO DATA"));
        assert!(staged.statement().starts_with(
            "DELETE FROM \"t\" AS t USING pg_temp._trueup_staged AS v WHERE \
             t.\"id\" = v.c0 AND t.\"id\"::text = v.c0::text AND "
        ));
    }
}
