//! Set-wise changes: many rows a statement, each statement below a size, every value typed as its column.

use super::condition::{by_code_point, is_spelled_uuid, needs_expression, one_of};
use super::identifier;
use super::literal::is_refused_when_strict;
use crate::sql::{Column, RowUpdate, SelectColumn, Unwritable};
use crate::value::{Type, Value};

/// Rows of one statement: a bound on what the server must hold of a statement's parse tree.
pub(super) const ROWS_MAX: usize = 5_000;

/// Longer values are updated row by row: a derived table with two columns of long values loses others of its
/// values (MariaDB 10.11: a short text beside them reads back as ''). Columns stay `varchar` below 512.
const JOINED_LITERAL_BYTES_MAX: usize = 500;

/// What differs between the two servers of the family.
pub(super) struct Changes<'a> {
    /// The quoted table.
    pub table: String,
    /// A value as a literal of its column.
    pub literal: &'a dyn Fn(&Value, &Column) -> Result<String, Unwritable>,
    /// The collation by code point.
    pub binary_collation: &'static str,
    /// Whether rows of a table constructor are bare: `VALUES (1), (2)` instead of one SELECT a row.
    pub bare_values: bool,
    /// The longest statement.
    pub bytes_max: usize,
    /// The statement run without strict mode.
    pub loose: fn(&str) -> String,
}

impl Changes<'_> {
    fn literals(&self, values: &[Value], columns: &[Column]) -> Result<Vec<String>, Unwritable> {
        values.iter().zip(columns).map(|(value, column)| (self.literal)(value, column)).collect()
    }

    /// `INSERT … VALUES (…), (…)`.
    pub fn insert(&self, columns: &[Column], rows: &[Vec<Value>]) -> Result<Vec<String>, Unwritable> {
        let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
        let head = format!("INSERT INTO {} ({}) VALUES ", self.table, names.join(", "));
        let (mut strict, mut loose) = (Vec::new(), Vec::new());
        for row in rows {
            let literals = format!("({})", self.literals(row, columns)?.join(", "));
            if needs_loose(row, columns) { loose.push(literals) } else { strict.push(literals) }
        }
        let insert = |group: &[String]| format!("{head}{}", group.join(", "));
        let mut statements = self.grouped(&strict, head.len(), insert);
        statements.extend(self.grouped(&loose, head.len(), |group| (self.loose)(&insert(group))));
        Ok(statements)
    }

    /// `DELETE … WHERE` the key is one of these.
    pub fn delete(&self, key: &[SelectColumn], keys: &[Vec<Value>]) -> Vec<String> {
        let head = format!("DELETE FROM {} WHERE ", self.table);
        let alone: Vec<String> = keys.iter().map(|one| one_of(key, std::slice::from_ref(one))).collect();
        let mut statements = Vec::new();
        for range in groups(&alone, self.bytes_max.saturating_sub(head.len())) {
            statements.push(format!("{head}{}", one_of(key, &keys[range])));
        }
        statements
    }

    /// An UPDATE joined with the new values. `keep` are columns that would write themselves.
    pub fn update(
        &self,
        key: &[SelectColumn],
        columns: &[Column],
        keep: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        let keep: Vec<&Column> = keep.iter().filter(|kept| !is_named(columns, &kept.name)).collect();
        if let [row] = rows {
            return Ok(vec![self.update_one(key, columns, &keep, row)?]);
        }
        // MariaDB 10.11 makes '' of a NULL on its way from a derived text column to an inet6 or year.
        let any_native = columns.iter().any(is_of_the_family);
        if any_native
            || !key.iter().all(joinable)
            || rows.iter().any(|row| row.key.iter().any(Value::is_null))
        {
            return rows.iter().map(|row| self.update_one(key, columns, &keep, row)).collect();
        }
        let mut statements = Vec::new();
        let mut lines = Vec::new();
        for row in rows {
            let line = self.line(key, columns, row)?;
            let is_raw = |value: &Value| matches!(value, Value::RawText(_));
            // Texts of two character sets have no common one in a derived table.
            let alone = row.key.iter().chain(&row.values).any(is_raw);
            if alone || line.iter().any(|literal| literal.len() > JOINED_LITERAL_BYTES_MAX) {
                statements.push(self.update_one(key, columns, &keep, row)?);
            } else {
                lines.push(line);
            }
        }
        let tail = self.join_and_set(key, columns, &keep);
        let fixed_bytes = tail.len() + 40 * (key.len() + columns.len());
        statements.extend(self.grouped(&lines, fixed_bytes, |group| {
            format!("UPDATE ({}) d STRAIGHT_JOIN {tail}", self.derived(group, key.len(), columns.len()))
        }));
        Ok(statements)
    }

    fn update_one(
        &self,
        key: &[SelectColumn],
        columns: &[Column],
        keep: &[&Column],
        row: &RowUpdate,
    ) -> Result<String, Unwritable> {
        let mut set = Vec::new();
        for (column, literal) in columns.iter().zip(self.literals(&row.values, columns)?) {
            set.push(format!("{} = {literal}", identifier(&column.name)));
        }
        set.extend(keep.iter().map(|kept| format!("{0} = {0}", identifier(&kept.name))));
        let condition = one_of(key, std::slice::from_ref(&row.key));
        let sql = format!("UPDATE {} SET {} WHERE {condition}", self.table, set.join(", "));
        Ok(if needs_loose(&row.values, columns) { (self.loose)(&sql) } else { sql })
    }

    /// One row of the derived table: key, then values, each typed so that all rows agree.
    fn line(
        &self,
        key: &[SelectColumn],
        columns: &[Column],
        row: &RowUpdate,
    ) -> Result<Vec<String>, Unwritable> {
        let values = row.key.iter().chain(&row.values);
        key.iter()
            .map(|part| &part.column)
            .chain(columns)
            .zip(values)
            .map(|(column, value)| self.typed(value, column))
            .collect()
    }

    /// Rows of a derived table have one type a column, the widest of all: a cast keeps decimals from losing
    /// digits to one another, and dates from being compared as text.
    fn typed(&self, value: &Value, column: &Column) -> Result<String, Unwritable> {
        let literal = (self.literal)(value, column)?;
        if value.is_null() {
            return Ok(literal);
        }
        Ok(match &column.column_type.meaning {
            Type::Decimal { precision, scale } => {
                let (precision, scale) = (precision.unwrap_or(65), scale.unwrap_or(30));
                format!("CAST({literal} AS DECIMAL({precision},{scale}))")
            }
            Type::Date => format!("CAST({literal} AS DATE)"),
            Type::Time { .. } => format!("CAST({literal} AS TIME(6))"),
            Type::DateTime { .. } | Type::Zoned { .. } | Type::Instant { .. } => {
                format!("CAST({literal} AS DATETIME(6))")
            }
            Type::Uuid => format!("CAST({literal} AS UUID)"),
            // Rows of text among them would make all of them text, which MySQL reads less exactly.
            Type::Json => format!("CAST({literal} AS JSON)"),
            Type::Text { .. } | Type::JsonText if literal.starts_with('\'') => {
                format!("_utf8mb4 {literal}")
            }
            _ => literal,
        })
    }

    /// The first row names the columns.
    fn derived(&self, lines: &[Vec<String>], keys: usize, columns: usize) -> String {
        let names = (0..keys).map(|at| format!("k{at}")).chain((0..columns).map(|at| format!("c{at}")));
        let mut sql = String::from("SELECT ");
        for (at, (value, name)) in lines[0].iter().zip(names).enumerate() {
            sql.push_str(if at == 0 { "" } else { ", " });
            sql.push_str(&format!("{value} AS {name}"));
        }
        let rest = lines[1..].iter().map(|line| line.join(", "));
        if self.bare_values && lines.len() > 1 {
            let rows: Vec<String> = rest.map(|row| format!("({row})")).collect();
            return format!("{sql} UNION ALL VALUES {}", rows.join(", "));
        }
        rest.fold(sql, |sql, row| format!("{sql} UNION ALL SELECT {row}"))
    }

    /// `t ON … SET …`; STRAIGHT_JOIN before it makes the new values the outer side, and the key's index finds
    /// each row.
    fn join_and_set(&self, key: &[SelectColumn], columns: &[Column], keep: &[&Column]) -> String {
        let on: Vec<String> = key.iter().enumerate().map(|(at, part)| self.join_on(at, part)).collect();
        let set = columns.iter().enumerate().map(|(at, column)| {
            let name = identifier(&column.name);
            format!("t.{name} = d.c{at}")
        });
        let set: Vec<String> =
            set.chain(keep.iter().map(|kept| format!("t.{0} = t.{0}", identifier(&kept.name)))).collect();
        format!("{} t ON {} SET {}", self.table, on.join(" AND "), set.join(", "))
    }

    fn join_on(&self, at: usize, part: &SelectColumn) -> String {
        let column = &part.column;
        let name = format!("t.{}", identifier(&column.name));
        if !matches!(column.column_type.meaning, Type::Text { .. }) {
            return format!("{name} = d.k{at}");
        }
        let collation = column.collation.as_deref().unwrap_or(self.binary_collation);
        let charset = collation.split('_').next().unwrap_or("utf8mb4");
        let indexed = format!("{name} = CONVERT(d.k{at} USING {charset}) COLLATE {collation}");
        if !needs_expression(column, &part.domain) {
            return indexed;
        }
        format!("{indexed} AND {} = {}", by_code_point(&name), by_code_point(&format!("d.k{at}")))
    }

    fn grouped<T: Size>(
        &self,
        items: &[T],
        fixed_bytes: usize,
        statement: impl Fn(&[T]) -> String,
    ) -> Vec<String> {
        groups(items, self.bytes_max.saturating_sub(fixed_bytes))
            .into_iter()
            .map(|range| statement(&items[range]))
            .collect()
    }
}

/// How much of a statement an item takes, separators included.
trait Size {
    fn size(&self) -> usize;
}

impl Size for String {
    fn size(&self) -> usize {
        self.len() + 4
    }
}

impl Size for Vec<String> {
    fn size(&self) -> usize {
        self.iter().map(|part| part.len() + 2).sum::<usize>() + 20
    }
}

/// Cuts items into runs that stay below a size; an item that is larger stands alone.
fn groups<T: Size>(items: &[T], bytes_max: usize) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let size = item.size();
        if at > start && (bytes + size > bytes_max || at - start >= ROWS_MAX) {
            groups.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += size;
    }
    if start < items.len() {
        groups.push(start..items.len());
    }
    groups
}

/// Whether a row holds a value that strict mode refuses. All its literals are exact all the same.
fn needs_loose(values: &[Value], columns: &[Column]) -> bool {
    let mut pairs = values.iter().zip(columns);
    pairs.any(|(value, column)| is_refused_when_strict(value, &column.column_type))
}

fn is_named(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name == name)
}

/// Types that no other engine has in this form.
fn is_of_the_family(column: &Column) -> bool {
    matches!(
        column.column_type.meaning,
        Type::Other
            | Type::Enum { .. }
            | Type::Set { .. }
            | Type::Bits { .. }
            | Type::Year
            | Type::Address { .. }
    )
}

/// Whether the column can be joined with a derived one by an exact equality.
fn joinable(part: &SelectColumn) -> bool {
    if is_spelled_uuid(part) {
        return false;
    }
    matches!(
        part.column.column_type.meaning,
        Type::Boolean
            | Type::Integer { .. }
            | Type::Decimal { .. }
            | Type::Text { .. }
            | Type::Bytes { .. }
            | Type::Date
            | Type::Time { .. }
            | Type::DateTime { .. }
            | Type::Uuid
    )
}
