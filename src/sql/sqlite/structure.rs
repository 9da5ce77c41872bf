//! What SQLite's own texts say of a table: the words of its columns, and all it has besides them.
//!
//! Owns the one spelling in which two tables are held against each other. Invariant: what is told is the whole text, or
//! an error; the names of columns are those of the table's own definition.

use super::super::{Attachment, AttachmentKind, AttachmentPart, Column, ColumnWords, TableName, Target};
use super::ddl::{self, Clause, ColumnText, Constraint, Expression, Over, Part, Rule, TableText};
use super::tokens::Unread;

/// A table that a foreign key points at: its name and the columns of its primary key, as they are defined.
pub(crate) type Parents<'a> = &'a dyn Fn(&str) -> Option<(TableName, Vec<String>)>;

/// What the texts say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Of each column, in order.
    pub words: Vec<ColumnWords>,
    /// What the table has besides.
    pub attachments: Vec<Attachment>,
    /// WITHOUT ROWID, STRICT.
    pub options: Option<String>,
}

/// Reads a table's text and those of its indexes. `columns`: as SQLite lists them.
///
/// # Errors
/// Where a text is not read to its end, or says something else than SQLite does.
pub(crate) fn described(
    sql: &str,
    indexes: &[String],
    columns: &[Column],
    parents: Parents<'_>,
) -> Result<Described, Unread> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let text = ddl::table(sql, &names)?;
    if !text.columns.iter().map(|column| &column.name).eq(&names) {
        return Err(Unread("its columns are others than SQLite lists".to_owned()));
    }
    let known = Known { columns, parents };
    let mut attachments = Vec::new();
    for constraint in constraints(&text) {
        let attachment = known.constraint(constraint);
        // SQLite makes one index of two keys that are one.
        let twice = |other: &Attachment| other.is_as(&attachment) && other.name == attachment.name;
        if !attachments.iter().any(twice) {
            attachments.push(attachment);
        }
    }
    for sql in indexes {
        attachments.push(known.index(sql)?);
    }
    let options = options(&text);
    Ok(Described { words: text.columns.iter().map(words).collect(), attachments, options })
}

/// The options in one spelling.
pub(super) fn options(text: &TableText) -> Option<String> {
    let options: Vec<&str> = [(text.strict, "STRICT"), (text.without_rowid, "WITHOUT ROWID")]
        .into_iter()
        .filter_map(|(has, word)| has.then_some(word))
        .collect();
    (!options.is_empty()).then(|| options.join(", "))
}

/// All constraints, in whichever form, in order.
pub(super) fn constraints(text: &TableText) -> impl Iterator<Item = &Constraint> {
    let in_columns =
        text.columns.iter().flat_map(|column| &column.clauses).filter_map(|clause| match &clause.clause {
            Clause::Constraint(constraint) => Some(constraint),
            Clause::Null
            | Clause::NotNull(_)
            | Clause::Default(_)
            | Clause::Collate(_)
            | Clause::Generated(..) => None,
        });
    in_columns.chain(text.constraints.iter().map(|constraint| &constraint.constraint))
}

/// What is said of a column besides what could stand behind all columns.
pub(super) fn words(column: &ColumnText) -> ColumnWords {
    let mut words = ColumnWords::default();
    let mut not_null = String::new();
    for clause in &column.clauses {
        // Of two, SQLite takes the last.
        match &clause.clause {
            Clause::NotNull(conflict) => not_null = ["NOT NULL", conflict].join(" ").trim().to_owned(),
            Clause::Default(default) => words.default = Some(default.clone()),
            Clause::Collate(collation) => words.collation = Some(collation.clone()),
            Clause::Generated(expression, stored) => {
                let kept = if *stored { "STORED" } else { "VIRTUAL" };
                words.generated = Some(format!("({expression}) {kept}"));
            }
            Clause::Null | Clause::Constraint(_) => {}
        }
    }
    let collation = words.collation.clone().filter(|name| name != "BINARY");
    words.collation = collation;
    let parts = [
        Some(column.declared.clone()),
        Some(not_null),
        words.default.as_ref().map(|default| format!("DEFAULT {default}")),
        words.collation.as_ref().map(|name| format!("COLLATE {name}")),
        words.generated.as_ref().map(|generated| format!("GENERATED ALWAYS AS {generated}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    words.whole = Some(parts.join(" "));
    words
}

/// What texts are read beside.
pub(super) struct Known<'a> {
    /// The table's columns.
    pub columns: &'a [Column],
    /// The tables pointed at.
    pub parents: Parents<'a>,
}

impl Known<'_> {
    /// A column's name as it is defined.
    fn defined(&self, name: &str) -> String {
        let column = self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.map_or_else(|| name.to_owned(), |column| column.name.clone())
    }

    fn mentioned(&self, names: &[String]) -> Vec<String> {
        let mentioned = |column: &&Column| names.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        self.columns.iter().filter(mentioned).map(|column| column.name.clone()).collect()
    }

    /// A constraint.
    pub(super) fn constraint(&self, constraint: &Constraint) -> Attachment {
        let name = constraint.name.clone().unwrap_or_default();
        let made_up = constraint.name.is_none();
        let with = |kind, columns: &[String], rest: String| Attachment {
            name_made_up: made_up,
            rest,
            ..Attachment::over(kind, name.clone(), columns)
        };
        let conflict = constraint.conflict.clone();
        match &constraint.rule {
            Rule::PrimaryKey { parts, counted, descending_column } => {
                let counted = if *counted { "AUTOINCREMENT" } else { "" };
                let rest = [counted, &conflict].join(" ").trim().to_owned();
                let mut key = self.over(with(AttachmentKind::PrimaryKey, &[], rest), parts);
                if *descending_column {
                    key.method = "DESC".to_owned();
                }
                key
            }
            Rule::Unique(parts) => {
                let unique = self.over(with(AttachmentKind::Unique, &[], conflict), parts);
                Attachment { method: "CONSTRAINT".to_owned(), ..unique }
            }
            Rule::Check(condition) => Attachment {
                condition: Some(condition.sql.clone()),
                columns: self.mentioned(&condition.names),
                ..with(AttachmentKind::Check, &[], String::new())
            },
            Rule::ForeignKey { columns, table, referenced, rest, .. } => {
                let columns: Vec<String> = columns.iter().map(|name| self.defined(name)).collect();
                let key = with(AttachmentKind::ForeignKey, &columns, rest.clone());
                Attachment { target: Some(self.target(table, referenced)), ..key }
            }
        }
    }

    fn target(&self, table: &str, referenced: &[String]) -> Target {
        match (self.parents)(table) {
            Some((table, key)) if referenced.is_empty() => Target { table, columns: key },
            Some((table, _)) => Target { table, columns: referenced.to_vec() },
            None => Target { table: TableName::plain(table), columns: referenced.to_vec() },
        }
    }

    /// An index by its text.
    pub(super) fn index(&self, sql: &str) -> Result<Attachment, Unread> {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let text = ddl::index(sql, &names)?;
        let kind = if text.unique { AttachmentKind::Unique } else { AttachmentKind::Index };
        let named = &sql[text.name.clone()];
        let name = super::tokens::tokens(named)?.first().and_then(super::tokens::Token::name);
        let index = Attachment::over(kind, name.unwrap_or_default(), &[]);
        let mut index = self.over(index, &text.parts);
        if let Some(condition) = &text.condition {
            let more = self.mentioned(&condition.names);
            index
                .columns
                .extend(more.into_iter().filter(|name| !index.columns.contains(name)).collect::<Vec<_>>());
            index.condition = Some(condition.sql.clone());
        }
        index.text = Some(sql.to_owned());
        Ok(index)
    }

    fn over(&self, mut attachment: Attachment, parts: &[Part]) -> Attachment {
        for part in parts {
            let of_column = |name: &str| {
                let column = self.columns.iter().find(|column| column.name == name);
                column.and_then(|column| column.collation.as_deref()).unwrap_or("BINARY").to_ascii_uppercase()
            };
            let order = if part.descending { " DESC" } else { "" };
            let collated = |own: &str| match &part.collation {
                Some(collation) if collation != own => format!(" COLLATE {collation}"),
                _ => String::new(),
            };
            match &part.over {
                Over::Column(name) => {
                    let name = self.defined(name);
                    let suffix = format!("{}{order}", collated(&of_column(&name))).trim().to_owned();
                    attachment.columns.push(name.clone());
                    attachment.parts.push(AttachmentPart::Column { name, suffix });
                }
                Over::Expression(Expression { sql, names }) => {
                    attachment.columns.extend(self.mentioned(names));
                    attachment
                        .parts
                        .push(AttachmentPart::Expression(format!("{sql}{}{order}", collated(""))));
                }
            }
        }
        let mut once: Vec<String> = Vec::new();
        for name in attachment.columns.drain(..) {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        attachment.columns = once;
        attachment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::sqlite::column_type;

    fn columns(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            column_type: column_type(""),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: ColumnWords::default(),
        };
        names.iter().map(column).collect()
    }

    fn read(sql: &str, indexes: &[&str], names: &[&str]) -> Result<Described, Unread> {
        let indexes: Vec<String> = indexes.iter().map(|sql| (*sql).to_owned()).collect();
        let parents = |name: &str| {
            name.eq_ignore_ascii_case("p").then(|| (TableName::plain("P"), vec!["id".to_owned()]))
        };
        described(sql, &indexes, &columns(names), &parents)
    }

    /// Two texts that mean one thing say one thing.
    #[test]
    fn spelling_makes_no_difference() {
        let same = [
            (
                "CREATE TABLE t(a INTEGER PRIMARY KEY, b text not null default 1 collate nocase)",
                "CREATE TABLE \"T\" ( [a] integer, -- , the key\n `b` TEXT DEFAULT 1 /*)*/ COLLATE NoCase NOT NULL,\n PRIMARY KEY(A))",
            ),
            (
                "CREATE TABLE t(a INTEGER UNIQUE CHECK (a > 0), b REFERENCES p ON DELETE CASCADE)",
                "CREATE TABLE t(a INTEGER, b, UNIQUE (\"a\") CHECK(T.A>0) FOREIGN KEY (b) REFERENCES P(id) on update no action ON DELETE cascade NOT DEFERRABLE)",
            ),
            (
                "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b AS (a+1) STORED)",
                "CREATE TABLE t(a INTEGER, b GENERATED ALWAYS AS ( \"A\" + 1 ) stored, PRIMARY KEY (a AUTOINCREMENT))",
            ),
            (
                "CREATE TABLE t(a VARCHAR(10), b DECIMAL(10,2) DEFAULT - 1) STRICT, WITHOUT ROWID",
                "CREATE TABLE t(a varchar ( 10 ),b decimal(10 , 2)default -1)without rowid,strict",
            ),
        ];
        for (one, other) in same {
            let (one, other) = (read(one, &[], &["a", "b"]), read(other, &[], &["a", "b"]));
            let sorted = |mut described: Described| {
                described.attachments.sort_by_key(|one| one.kind);
                described
            };
            assert!(one.is_ok(), "{one:?}");
            assert_eq!(one.map(sorted), other.map(sorted));
        }
    }

    #[test]
    fn what_differs_is_told() {
        let differ = [
            ("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", "CREATE TABLE t(a INTEGER PRIMARY KEY DESC, b)"),
            ("CREATE TABLE t(a CHECK (a > 'x'), b)", "CREATE TABLE t(a CHECK (a > 'X'), b)"),
            ("CREATE TABLE t(a, b)", "CREATE TABLE t(a, b DEFAULT NULL)"),
            ("CREATE TABLE t(a, b)", "CREATE TABLE t(a, b) STRICT"),
            ("CREATE TABLE t(a UNIQUE, b)", "CREATE TABLE t(a UNIQUE ON CONFLICT REPLACE, b)"),
            (
                "CREATE TABLE t(a, b REFERENCES p)",
                "CREATE TABLE t(a, b REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
            ),
            ("CREATE TABLE t(a, b AS (a))", "CREATE TABLE t(a, b AS (a) STORED)"),
            ("CREATE TABLE t(a DEFAULT 'Ab', b)", "CREATE TABLE t(a DEFAULT 'aB', b)"),
        ];
        for (one, other) in differ {
            assert_ne!(read(one, &[], &["a", "b"]), read(other, &[], &["a", "b"]), "{one} | {other}");
        }
    }

    #[test]
    fn indexes_are_read_from_their_texts() {
        let index =
            |sql: &str| read("CREATE TABLE t(a, b)", &[sql], &["a", "b"]).map(|read| read.attachments);
        let one =
            index("CREATE INDEX i ON t(a DESC, lower(b), b COLLATE nocase) WHERE b IS NOT NULL").unwrap();
        let other = index(
            "CREATE INDEX [i] ON \"T\" ( A desc,LOWER ( b ) asc,\"b\" collate NOCASE)where t.b is not null",
        )
        .unwrap();
        assert!(one[0].is_as(&other[0]), "{one:?} {other:?}");
        assert_eq!(one[0].name, "i");
        assert_eq!(one[0].columns, ["a", "b"]);
        for other in
            ["CREATE INDEX i ON t(a)", "CREATE UNIQUE INDEX i ON t(a DESC, lower(b), b COLLATE nocase)"]
        {
            assert!(!one[0].is_as(&index(other).unwrap()[0]), "{other}");
        }
    }

    #[test]
    fn what_is_not_read_is_an_error() {
        for sql in [
            "CREATE TABLE t(a, b",
            "CREATE TABLE t(a, b) SOMETHING",
            "CREATE TABLE t(a, b, c)",
            "CREATE TABLE t(a FOO(BAR), b)",
            "CREATE TABLE t(a, b NOT)",
        ] {
            assert!(read(sql, &[], &["a", "b"]).is_err(), "{sql}");
        }
    }
}
