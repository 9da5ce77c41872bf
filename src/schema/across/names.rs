//! The names of keys and indexes that come from another engine.
//!
//! Names are unique within a schema on one engine, within a table on another, and as long as each likes. Invariant: the
//! same two catalogs give the same names, and no two things that come, and nothing that is there, have one.

use std::collections::HashMap;

use crate::schema::{Catalog, SelectedTables, Table};
use crate::sql::{Attachment, AttachmentKind, Dialect};

/// Hexadecimal digits behind a name that others have too.
const DIGITS: usize = 8;

/// What names are chosen from.
pub(in crate::schema) struct Naming<'a> {
    /// The replica's dialect.
    pub dialect: &'a dyn Dialect,
    /// All tables of the primary that the spec selects.
    pub selected: &'a SelectedTables<'a>,
    /// What is there.
    pub replica: &'a Catalog,
}

impl Naming<'_> {
    /// A name for what a table of the primary has, where those `going` go from the replica's before.
    pub(super) fn name(&self, table: &Table, attachment: &Attachment, going: &[&str]) -> String {
        let others = self.selected.wished.get_or_init(|| self.wished());
        let taken = |name: &str| self.replica.tables.have_name(name, going);
        let is_free = |name: &str| {
            self.dialect.fits_name(name)
                && others.get(&name.to_lowercase()).is_none_or(|count| *count < 2)
                && !taken(name)
        };
        let [short, long] = wishes(table, attachment);
        if let Some(name) = [&short, &long].into_iter().find(|name| is_free(name)) {
            return name.clone();
        }
        let said = format!("{}\n{:?}\n{attachment:?}", table.name, attachment.kind);
        let digest = blake3::hash(said.as_bytes()).to_hex();
        let with_digits = |digits: usize| {
            let end = format!("_{}", &digest[..digits]);
            let cut = |length: usize| format!("{}{end}", long.chars().take(length).collect::<String>());
            let longest = (0..=long.chars().count()).rev().map(cut).find(|name| self.dialect.fits_name(name));
            longest.unwrap_or_else(|| format!("key{end}"))
        };
        let more = (DIGITS..=digest.len() / 2).map(with_digits);
        more.clone().find(|name| !taken(name)).unwrap_or_else(|| with_digits(digest.len() / 2))
    }

    /// How often each name is wished for, in small letters: by tables of the primary, and for tables.
    fn wished(&self) -> HashMap<String, usize> {
        let mut wished = HashMap::new();
        for table in self.selected.iter().filter_map(|selected| selected.table.as_ref().ok()) {
            *wished.entry(table.name.name.to_lowercase()).or_default() += 2;
            for name in server_names(table) {
                *wished.entry(name.to_lowercase()).or_default() += 2;
            }
            for attachment in table.attachments.iter().filter(|one| has_name(one)) {
                let [short, long] = wishes(table, attachment).map(|name| name.to_lowercase());
                if short != long {
                    *wished.entry(long).or_default() += 1;
                }
                *wished.entry(short).or_default() += 1;
            }
        }
        wished
    }
}

/// What PostgreSQL calls the primary key and the sequences of a table that it creates.
fn server_names(table: &Table) -> impl Iterator<Item = String> {
    let name = &table.name.name;
    let sequences = table.columns.iter().map(move |column| format!("{name}_{}_seq", column.name));
    sequences.chain([format!("{name}_pkey")])
}

fn has_name(attachment: &Attachment) -> bool {
    match attachment.kind {
        AttachmentKind::Unique | AttachmentKind::Index | AttachmentKind::ForeignKey => true,
        AttachmentKind::PrimaryKey | AttachmentKind::Check | AttachmentKind::Comment => false,
    }
}

/// The name that it has, and one with the table's before it; where it has none of its own, what PostgreSQL would call it.
fn wishes(table: &Table, attachment: &Attachment) -> [String; 2] {
    let label = match attachment.kind {
        AttachmentKind::Unique => "key",
        AttachmentKind::ForeignKey => "fkey",
        AttachmentKind::PrimaryKey
        | AttachmentKind::Index
        | AttachmentKind::Check
        | AttachmentKind::Comment => "idx",
    };
    let table = &table.name.name;
    let made_up = format!("{table}_{}_{label}", attachment.columns.join("_"));
    match attachment.name.as_str() {
        "" => [made_up.clone(), made_up],
        _ if attachment.name_made_up => [made_up.clone(), made_up],
        name => [name.to_owned(), format!("{table}_{name}")],
    }
}
