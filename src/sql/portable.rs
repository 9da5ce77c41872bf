//! What every engine has besides columns, said without an engine: keys, unique keys and indexes over whole columns, and
//! foreign keys with what they do.
//!
//! Owns which two of them are one whichever engine they are on. Each engine reads its own
//! [`Attachment`](super::Attachment) as one ([`Dialect::portable`](super::Dialect::portable)), or says why another engine
//! could not have it, and makes its own of one ([`Dialect::adopted`](super::Dialect::adopted)).

use super::{AttachmentKind, ForeignKeyAction, Target};

/// Something that every engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portable {
    /// A primary key, a unique key, an index or a foreign key.
    pub kind: AttachmentKind,
    /// What it is over, in order.
    pub parts: Vec<PortablePart>,
    /// What a foreign key points at.
    pub target: Option<Target>,
    /// What a foreign key does where what it points at goes.
    pub on_delete: ForeignKeyAction,
    /// And where that changes.
    pub on_update: ForeignKeyAction,
    /// Whether it is looked at when the transaction ends (INITIALLY DEFERRED).
    pub deferred: bool,
}

/// A column of a [`Portable`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortablePart {
    /// Its name.
    pub name: String,
    /// Whether an index has it in descending order.
    pub descending: bool,
}

/// What is kept of an attachment, and what of it is not, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ported {
    /// What every engine has of it.
    pub kept: Portable,
    /// What it says besides, in words such as `deferrable`; empty: nothing.
    pub lost: Vec<&'static str>,
}

impl Portable {
    /// One over whole columns, that points at nothing.
    pub fn over(kind: AttachmentKind, parts: Vec<PortablePart>) -> Self {
        let on = ForeignKeyAction::NoAction;
        Portable { kind, parts, target: None, on_delete: on, on_update: on, deferred: false }
    }

    /// The names of its columns.
    pub fn columns(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.name.clone()).collect()
    }

    /// Whether two are one. `coarse`: one of both engines does not tell NO ACTION from RESTRICT, nor puts
    /// anything off. A key is unique in
    /// whichever direction it is kept, and a foreign key points alike in whichever order its columns are said.
    pub fn is_as(&self, other: &Portable, coarse: bool) -> bool {
        let same = |one: ForeignKeyAction, other: ForeignKeyAction| {
            one == other || coarse && !one.carries() && !other.carries()
        };
        let over = match self.kind {
            AttachmentKind::Index => self.parts == other.parts,
            AttachmentKind::PrimaryKey
            | AttachmentKind::Unique
            | AttachmentKind::Check
            | AttachmentKind::Comment => self.columns() == other.columns(),
            AttachmentKind::ForeignKey => self.ties() == other.ties(),
        };
        let table = |one: &Portable| one.target.as_ref().map(|target| target.table.clone());
        self.kind == other.kind
            && over
            && table(self) == table(other)
            && same(self.on_delete, other.on_delete)
            && same(self.on_update, other.on_update)
            && (coarse || self.deferred == other.deferred)
    }

    /// The pairs of columns that a foreign key ties together, in one order.
    fn ties(&self) -> Vec<(String, String)> {
        let referenced = self.target.iter().flat_map(|target| target.columns.iter().cloned());
        let mut ties: Vec<(String, String)> = self.columns().into_iter().zip(referenced).collect();
        ties.sort();
        ties
    }
}

/// Reads the actions of a foreign key from the words behind it, and what other words there are.
pub(super) fn actions(rest: &str) -> (ForeignKeyAction, ForeignKeyAction, String) {
    let mut other = format!(" {} ", rest.trim());
    let mut taken = |event: &str| {
        let words = [
            ("CASCADE", ForeignKeyAction::Cascade),
            ("SET NULL", ForeignKeyAction::SetNull),
            ("SET DEFAULT", ForeignKeyAction::SetDefault),
            ("RESTRICT", ForeignKeyAction::Restrict),
            ("NO ACTION", ForeignKeyAction::NoAction),
        ];
        for (word, action) in words {
            let said = format!(" ON {event} {word} ");
            if other.contains(&said) {
                other = other.replacen(&said, " ", 1);
                return action;
            }
        }
        ForeignKeyAction::NoAction
    };
    let (on_delete, on_update) = (taken("DELETE"), taken("UPDATE"));
    (on_delete, on_update, other.trim().to_owned())
}

/// The words of an action; `None` for the one that holds where nothing is said.
pub(super) fn action_words(action: ForeignKeyAction) -> Option<&'static str> {
    match action {
        ForeignKeyAction::NoAction => None,
        ForeignKeyAction::Restrict => Some("RESTRICT"),
        ForeignKeyAction::Cascade => Some("CASCADE"),
        ForeignKeyAction::SetNull => Some("SET NULL"),
        ForeignKeyAction::SetDefault => Some("SET DEFAULT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::TableName;

    fn key(columns: &[&str], referenced: &[&str], on_delete: ForeignKeyAction) -> Portable {
        let part = |name: &&str| PortablePart { name: (*name).to_owned(), descending: false };
        let columns = columns.iter().map(part).collect();
        let referenced = referenced.iter().map(|name| (*name).to_owned()).collect();
        let target = Some(Target { table: TableName::plain("p"), columns: referenced });
        Portable { target, on_delete, ..Portable::over(AttachmentKind::ForeignKey, columns) }
    }

    #[test]
    fn words_behind_a_foreign_key_are_read() {
        use ForeignKeyAction::{Cascade, NoAction, Restrict, SetNull};
        for (rest, expected) in [
            ("", (NoAction, NoAction, "")),
            (" ON DELETE CASCADE", (Cascade, NoAction, "")),
            (" ON UPDATE RESTRICT ON DELETE SET NULL", (SetNull, Restrict, "")),
            (" MATCH FULL ON UPDATE CASCADE DEFERRABLE", (NoAction, Cascade, "MATCH FULL DEFERRABLE")),
            (" ON DELETE SET NULL (a)", (SetNull, NoAction, "(a)")),
        ] {
            let (delete, update, other) = actions(rest);
            assert_eq!((delete, update, other.as_str()), expected, "{rest}");
        }
    }

    #[test]
    fn what_a_foreign_key_ties_has_no_order() {
        use ForeignKeyAction::{Cascade, NoAction, Restrict};
        let one = key(&["a", "b"], &["x", "y"], NoAction);
        assert!(one.is_as(&key(&["b", "a"], &["y", "x"], NoAction), false));
        assert!(!one.is_as(&key(&["b", "a"], &["x", "y"], NoAction), false));
        assert!(!one.is_as(&key(&["a", "b"], &["x", "y"], Restrict), false));
        assert!(one.is_as(&key(&["a", "b"], &["x", "y"], Restrict), true));
        assert!(!one.is_as(&key(&["a", "b"], &["x", "y"], Cascade), true));
    }
}
