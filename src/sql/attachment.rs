//! What a table has besides columns: keys, indexes, checks, foreign keys and comments, as the catalog describes them, and
//! what can be done to them and to columns in place.
//!
//! Owns what makes two of them one: all but the name. Whatever stands here in SQL is the engine's own stored form,
//! so that two servers of one family that mean the same say the same.

use serde::{Deserialize, Serialize};

use super::{Column, EnumChange, Partition, Rebuild, TableName};

/// The kinds of what a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AttachmentKind {
    /// The primary key.
    PrimaryKey,
    /// A unique constraint or a unique index.
    Unique,
    /// An index that is not unique.
    Index,
    /// A CHECK, or an exclusion constraint.
    Check,
    /// A foreign key.
    ForeignKey,
    /// What is said of a column or of the table, for people.
    Comment,
}

impl AttachmentKind {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            AttachmentKind::PrimaryKey => "primary key",
            AttachmentKind::Unique => "unique key",
            AttachmentKind::Index => "index",
            AttachmentKind::Check => "check",
            AttachmentKind::ForeignKey => "foreign key",
            AttachmentKind::Comment => "comment",
        }
    }
}

/// Something that a table has besides columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Its name; empty where the engine has none for it.
    pub name: String,
    /// Whether the server made the name up.
    pub name_made_up: bool,
    /// What comes before its parts: an index method, `CONSTRAINT` for a unique constraint, `EXCLUDE USING gist`. No names.
    pub method: String,
    /// What it is over, in order.
    pub parts: Vec<AttachmentPart>,
    /// Columns that are stored along (INCLUDE).
    pub included: Vec<String>,
    /// Where a foreign key points.
    pub target: Option<Target>,
    /// The condition of a partial index, what a check asks for, the text of a comment.
    pub condition: Option<String>,
    /// What comes after all that: ON DELETE, DEFERRABLE, storage parameters. No names.
    pub rest: String,
    /// All columns of its table of which it speaks.
    pub columns: Vec<String>,
    /// Whether all rows that are there are known to obey it, and it is in use.
    pub valid: bool,
    /// The statement that made it, where the engine keeps that as it was written.
    #[serde(default)]
    pub text: Option<String>,
}

/// One part of what an [`Attachment`] is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttachmentPart {
    /// A column.
    Column {
        /// Its name.
        name: String,
        /// What is said of it: its prefix, collation, operator class, direction. No names of columns.
        suffix: String,
    },
    /// An expression over columns with what is said of it, in the engine's SQL.
    Expression(String),
}

/// What a foreign key points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The table.
    pub table: TableName,
    /// Its columns.
    pub columns: Vec<String>,
}

impl Attachment {
    /// One that is valid, over whole columns, and of which nothing else is said.
    pub fn over(kind: AttachmentKind, name: impl Into<String>, columns: &[String]) -> Self {
        let part = |name: &String| AttachmentPart::Column { name: name.clone(), suffix: String::new() };
        Attachment {
            kind,
            name: name.into(),
            name_made_up: false,
            method: String::new(),
            parts: columns.iter().map(part).collect(),
            included: Vec::new(),
            target: None,
            condition: None,
            rest: String::new(),
            columns: columns.to_vec(),
            valid: true,
            text: None,
        }
    }

    /// Whether two are one but for their names and for whether they are valid.
    pub fn is_as(&self, other: &Attachment) -> bool {
        let unnamed = |one: &Attachment| Attachment {
            name: String::new(),
            name_made_up: false,
            columns: Vec::new(),
            valid: true,
            text: None,
            ..one.clone()
        };
        unnamed(self) == unnamed(other)
    }

    /// Whether two are one, also by name.
    pub fn is_named_as(&self, other: &Attachment) -> bool {
        self.is_as(other) && self.name == other.name
    }

    /// Whether nothing in it but whole fields names a column, so that another table's names can take their place.
    pub fn is_plain(&self) -> bool {
        let is_column = |part: &AttachmentPart| matches!(part, AttachmentPart::Column { .. });
        let speaks = self.condition.is_some() && self.kind != AttachmentKind::Comment;
        self.parts.iter().all(is_column) && !speaks
    }

    /// Whether rows can break it.
    pub fn constrains(&self) -> bool {
        !matches!(self.kind, AttachmentKind::Index | AttachmentKind::Comment)
    }
}

/// A change of a table that is there, which keeps its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alteration {
    /// It gets this.
    Attach(Attachment),
    /// It loses this.
    Detach(Attachment),
    /// What it has gets another name; nothing else about it changes.
    Rename {
        /// As it is now.
        attachment: Attachment,
        /// The name that it gets.
        name: String,
    },
    /// An index becomes the constraint that it is enough for, by the constraint's name.
    Become {
        /// The index.
        before: Box<Attachment>,
        /// The constraint.
        after: Box<Attachment>,
    },
    /// The rows that are there are held against what so far spoke of new ones alone.
    Validate(Attachment),
    /// A column becomes another; its name and its place stay.
    Column {
        /// As it is now.
        before: Box<Column>,
        /// As it will be.
        after: Box<Column>,
    },
    /// What stands behind its columns becomes something else.
    Options {
        /// As it is now.
        before: String,
        /// As it will be.
        after: String,
    },
    /// A column that is computed goes, and comes again in its place as another.
    Remake {
        /// As it is now.
        before: Box<Column>,
        /// As it will be.
        after: Box<Column>,
        /// The column that it stands behind; `None`: it is the first.
        behind: Option<String>,
    },
    /// Its columns stand in another order.
    Order {
        /// Their names as they stand.
        before: Vec<String>,
        /// Their names as they will stand.
        after: Vec<String>,
        /// Those that move, as they are then; the others keep their order among themselves.
        moved: Vec<Column>,
    },
    /// It is made anew, with its rows.
    Rebuild(Box<Rebuild>),
    /// An enum type that columns of it have, and maybe columns of other tables, becomes another.
    Enum(EnumChange),
    /// It gets a partition; `true`: it loses it.
    Partition(Partition, bool),
}

impl Alteration {
    /// What takes it back; `None` where there is nothing to take back.
    pub fn reversed(&self) -> Option<Alteration> {
        Some(match self {
            Alteration::Attach(attachment) => Alteration::Detach(attachment.clone()),
            Alteration::Detach(attachment) => Alteration::Attach(attachment.clone()),
            Alteration::Rename { attachment, name } => Alteration::Rename {
                attachment: Attachment { name: name.clone(), ..attachment.clone() },
                name: attachment.name.clone(),
            },
            Alteration::Become { before, after } => {
                Alteration::Become { before: after.clone(), after: before.clone() }
            }
            Alteration::Validate(_) => return None,
            Alteration::Column { before, after } => {
                Alteration::Column { before: after.clone(), after: before.clone() }
            }
            Alteration::Options { before, after } => {
                Alteration::Options { before: after.clone(), after: before.clone() }
            }
            Alteration::Remake { before, after, behind } => {
                Alteration::Remake { before: after.clone(), after: before.clone(), behind: behind.clone() }
            }
            Alteration::Order { before, after, moved } => {
                Alteration::Order { before: after.clone(), after: before.clone(), moved: moved.clone() }
            }
            Alteration::Rebuild(rebuild) => {
                let Rebuild { before, after, triggers } = rebuild.as_ref().clone();
                Alteration::Rebuild(Box::new(Rebuild { before: after, after: before, triggers }))
            }
            Alteration::Enum(change) => Alteration::Enum(change.reversed()),
            Alteration::Partition(partition, goes) => Alteration::Partition(partition.clone(), !goes),
        })
    }
}
