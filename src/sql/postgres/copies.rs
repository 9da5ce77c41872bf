//! Rows without a key: told apart by all that they hold, counted, and deleted so many at a time by where they lie.
//!
//! Rows are compared with lists of values by equalities that the server can hash; which columns are NULL is part
//! of the condition, so that no comparison has to take NULL for equal. Invariant: equal means the same in the
//! pair's domain, exactly.

use super::super::{Column, ColumnType, CopiesToDelete, Guard, SelectColumn, Unwritable};
use super::literal::literal;
use super::select::{own_rows, printed};
use super::{STATEMENT_BYTES_MAX, change, identifier, table};
use crate::value::{Row, Type, Value, decode};

/// Rows in which the same columns are NULL, as a list of values and the condition that finds them in the table
/// `t`.
struct Alike {
    /// `(VALUES …) AS v (…)`: a number, how many copies, and the values that are not NULL.
    list: String,
    condition: String,
}

/// The rows of a select that equal one of these in all of its columns.
pub(super) fn among(columns: &[SelectColumn], rows: &[Row]) -> String {
    let value = |(column, field): (&SelectColumn, Option<&[u8]>)| decode(&column.domain, field);
    // What has no literal is in no column of this type.
    let lines: Vec<Line> = (rows.iter())
        .filter_map(|row| {
            let values: Vec<Value> = columns.iter().zip(row.fields()).map(value).collect();
            Line::new(columns, &values, 0).ok()
        })
        .collect();
    let alike = alike(columns, lines, usize::MAX)
        .into_iter()
        .map(|alike| format!("EXISTS (SELECT FROM {} WHERE {})", alike.list, alike.condition));
    let conditions: Vec<String> = alike.collect();
    match conditions.as_slice() {
        [] => "FALSE".to_owned(),
        [one] => one.clone(),
        all => format!("({})", all.join(" OR ")),
    }
}

/// Deletes so many copies of each row, whichever the server comes upon first.
pub(super) fn delete(copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
    let lines = lines(copies.columns, copies.rows.iter().map(|(values, count)| (values, *count)))?;
    let name = table(copies.table);
    let scope = copies.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
    let statements = alike(copies.columns, lines, STATEMENT_BYTES_MAX).into_iter().map(|alike| {
        format!(
            "DELETE FROM {name} AS t USING (\n\
             SELECT _trueup_table, _trueup_place FROM (\n\
             SELECT t.tableoid AS _trueup_table, t.ctid AS _trueup_place, v._trueup_copies,\n  \
             row_number() OVER (PARTITION BY v._trueup_row ORDER BY t.tableoid, t.ctid) AS _trueup_copy\n\
             FROM {}\nJOIN {name} AS t ON {} AND {}{scope}\n\
             ) AS found WHERE _trueup_copy <= _trueup_copies\n\
             ) AS going WHERE t.tableoid = going._trueup_table AND t.ctid = going._trueup_place",
            alike.list,
            alike.condition,
            own_rows(copies.table, "t")
        )
    });
    Ok(statements.collect())
}

/// The body of a block that stops unless there are exactly so many copies of each row.
pub(super) fn guard(guard: &Guard<'_>, counts: &[u64], stop: &str) -> Result<String, Unwritable> {
    let name = table(guard.table);
    let lines = lines(guard.columns, guard.rows.iter().zip(counts.iter().copied()))?;
    let scope = guard.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
    let mut body = "#variable_conflict use_column\nBEGIN\n".to_owned();
    for alike in alike(guard.columns, lines, usize::MAX) {
        let condition = format!("{} AND {}{scope}", alike.condition, own_rows(guard.table, "t"));
        if guard.locked {
            body.push_str(&format!(
                "PERFORM 1 FROM {}\nJOIN {name} AS t ON {condition}\nFOR UPDATE OF t;\n",
                alike.list
            ));
        }
        body.push_str(&format!(
            "IF EXISTS (\nSELECT FROM {}\nLEFT JOIN {name} AS t ON {condition}\n\
             GROUP BY v._trueup_row, v._trueup_copies HAVING count(t.tableoid) <> v._trueup_copies\n\
             ) THEN\n  {stop};\nEND IF;\n",
            alike.list
        ));
    }
    body.push_str("END\n");
    Ok(body)
}

/// One row as literals, which of its columns are NULL, and how many copies of it are meant.
struct Line {
    literals: Vec<String>,
    nulls: Vec<bool>,
    copies: u64,
}

impl Line {
    fn new(columns: &[SelectColumn], values: &[Value], copies: u64) -> Result<Self, Unwritable> {
        let literals = columns.iter().zip(values).map(|(part, value)| {
            let listed = listed(&part.column).column_type;
            let text = match value {
                Value::Native(text) if is_text(&listed) => &Value::Text(text.clone()),
                _ => value,
            };
            literal(text, &listed).map_err(|why| Unwritable {
                reason: format!("column `{}`: {}", part.column.name, why.reason),
            })
        });
        let literals = literals.collect::<Result<Vec<_>, _>>()?;
        Ok(Line { literals, nulls: values.iter().map(Value::is_null).collect(), copies })
    }
}

/// A column as a list of its values has it. A word may not be one of its enum's yet, also in an array of them; these are
/// compared by their texts.
fn listed(column: &Column) -> Column {
    let declared = &column.column_type.declared;
    match column.column_type.meaning {
        Type::Enum { .. } => Column { column_type: text(), ..column.clone() },
        Type::Printed if declared.ends_with("[]") => Column { column_type: text(), ..column.clone() },
        _ => column.clone(),
    }
}

fn text() -> ColumnType {
    ColumnType::new("text", Type::Text { chars_max: None, fixed: false })
}

fn is_text(listed: &ColumnType) -> bool {
    matches!(listed.meaning, Type::Text { .. })
}

fn lines<'a>(
    columns: &[SelectColumn],
    rows: impl Iterator<Item = (&'a Vec<Value>, u64)>,
) -> Result<Vec<Line>, Unwritable> {
    rows.map(|(values, copies)| Line::new(columns, values, copies)).collect()
}

/// Lists of rows with the same columns NULL, each of about `bytes_max` bytes.
fn alike(columns: &[SelectColumn], lines: Vec<Line>, bytes_max: usize) -> Vec<Alike> {
    let mut groups: Vec<(usize, Vec<Line>)> = Vec::new();
    for line in lines {
        let size: usize = line.literals.iter().map(|literal| literal.len() + 2).sum::<usize>() + 30;
        let room = |(bytes, group): &&mut (usize, Vec<Line>)| {
            *bytes + size <= bytes_max && group.first().is_some_and(|first| first.nulls == line.nulls)
        };
        match groups.iter_mut().find(room) {
            Some((bytes, group)) => {
                *bytes += size;
                group.push(line);
            }
            None => groups.push((size, vec![line])),
        }
    }
    groups.into_iter().map(|(_, group)| list(columns, &group)).collect()
}

/// A composite of nothing but NULLs "is null" too, but for its text.
fn is_null(column: &Column) -> String {
    let name = format!("t.{}", identifier(&column.name));
    match column.column_type.meaning {
        Type::Enum { .. } | Type::JsonText | Type::Printed | Type::Other => {
            format!("{} IS NULL", printed(&name, &column.column_type))
        }
        _ => format!("{name} IS NULL"),
    }
}

fn list(columns: &[SelectColumn], group: &[Line]) -> Alike {
    let nulls = group.first().map(|line| line.nulls.clone()).unwrap_or_default();
    let given: Vec<usize> = (0..columns.len()).filter(|index| !nulls[*index]).collect();
    let listed: Vec<Column> = given.iter().map(|index| listed(&columns[*index].column)).collect();
    let types: Vec<&Column> = listed.iter().collect();
    let mut names = vec!["_trueup_row".to_owned(), "_trueup_copies".to_owned()];
    names.extend(given.iter().map(|index| format!("_trueup_{index}")));
    let tuples: Vec<String> = group
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let literals: Vec<String> = given.iter().map(|index| line.literals[*index].clone()).collect();
            let tuple = change::typed_tuple(&types, &literals, number == 0);
            let values = tuple.strip_prefix('(').unwrap_or(&tuple);
            let comma = if given.is_empty() { "" } else { ", " };
            format!("({number}, {}{comma}{values}", line.copies)
        })
        .collect();
    let conditions: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, part)| match nulls[index] {
            true => is_null(&part.column),
            false => change::same(part, &format!("v._trueup_{index}"), false),
        })
        .collect();
    Alike {
        list: format!("(VALUES\n{}\n) AS v ({})", tuples.join(",\n"), names.join(", ")),
        condition: conditions.join(" AND "),
    }
}
