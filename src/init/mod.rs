//! From two catalogs to a commented spec: tables and columns are paired by their names, across letter case and
//! naming style, and what does not pair or cannot be compared is said in comments. Pure.
//!
//! Refuses to guess: where a name could mean several, a person decides. The invariant: the text is a valid spec
//! whose every entry has been paired by the code that plans, so that it works at once; no password is in it.

mod document;
mod entry;
mod names;
mod notes;
mod pair;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use crate::failure::{ErrorKind, Failure};
use crate::report::{name, thousands};
use crate::schema::{Catalog, Table};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::{QualifiedName, SideUrl, Spec, did_you_mean};
use crate::sql::{Dialect, TableName};

use document::Document;
pub use document::variables;

use pair::{Drafted, Pairer};
use tables::{Tables, pair_tables};
use text::list;

/// How many names an error quotes.
const NAMES_SHOWN: usize = 8;

/// What is known of one of the two databases.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a> {
    /// Its URL, taken apart.
    pub url: &'a SideUrl,
    /// Its URL as it was given; used only where it holds no password.
    pub written: &'a str,
    /// What was learned when connecting.
    pub server: &'a Server,
    /// Its SQL.
    pub dialect: &'a dyn Dialect,
    /// Its tables, of all schemas.
    pub catalog: &'a Catalog,
    /// Its tables that the login may not read, and what would let it.
    pub unreadable: &'a [(TableName, String)],
}

/// A spec, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The YAML.
    pub text: String,
    /// Entries.
    pub entries: usize,
    /// Entries that ask for a decision.
    pub to_look_at: usize,
    /// Tables that are not compared, although both sides have them or the replica is to get them.
    pub refused: usize,
}

/// Drafts a spec. `path` is what the commands in its head call it.
///
/// # Errors
/// The primary has no tables, or none that pairs with one of the replica's and can be compared.
pub fn draft(sides: &Sides<Database<'_>>, path: &str) -> Result<Draft, Failure> {
    let catalogs = sides.as_ref().map(|side| side.catalog);
    let tables = pair_tables(catalogs, sides.primary.dialect.same_family(sides.replica.dialect));
    let document = document(sides, path, tables);
    if document.entries.is_empty() {
        return Err(nothing_to_compare(&document));
    }
    let text = document.text();
    // The URLs are of no account here, and might be of one server.
    let environment = |name: &str| match name {
        "PRIMARY_URL" => Some("sqlite:primary".to_owned()),
        _ => Some("sqlite:replica".to_owned()),
    };
    Spec::parse(&text, "the drafted spec", &environment).map_err(|errors| {
        let why = errors.iter().next().map(|error| error.headline()).unwrap_or_default();
        Failure::new(ErrorKind::Internal, format!("could not write a valid spec: {why}"))
    })?;
    Ok(Draft {
        entries: document.entries.len(),
        to_look_at: document.entries.iter().filter(|entry| entry.notes.ask()).count(),
        refused: document.refused.len() + document.unclear.len(),
        text,
    })
}

fn document<'a>(sides: &'a Sides<Database<'a>>, path: &'a str, tables: Tables<'a>) -> Document<'a> {
    let pairer = Pairer { sides };
    let empty_replica =
        tables.pairs.is_empty() && tables.only.replica.is_empty() && tables.ambiguous.is_empty();
    let mut document = Document {
        sides,
        path,
        empty_replica,
        entries: Vec::new(),
        refused: Vec::new(),
        unclear: Vec::new(),
        only_primary: Vec::new(),
        only_replica: Vec::new(),
    };
    for pair in &tables.pairs {
        document.add(pairer.draft(pair.primary, Some(pair.replica)));
    }
    let mut unclear = tables.ambiguous;
    let mut only_replica = tables.only.replica;
    for table in tables.only.primary {
        let near = near(table, &only_replica);
        if let Some(at) = near.filter(|_| !empty_replica) {
            unclear.push(Sides::new(vec![table], vec![only_replica.remove(at)]));
            continue;
        }
        let drafted = pairer.draft(table, None);
        if empty_replica {
            document.add(drafted);
        } else {
            document.only_primary.push(drafted);
        }
    }
    for group in unclear {
        if let (Some(primary), Some(replica)) = (group.primary.first(), group.replica.first()) {
            let entry = pairer.draft(primary, Some(replica)).entry;
            let names = group.as_ref().zip(sides.as_ref());
            let names = names.map(|(tables, side)| tables.iter().map(|table| shown(table, side)).collect());
            document.unclear.push((names, entry));
        }
    }
    document.only_replica = only_replica.iter().map(|table| shown(table, &sides.replica)).collect();
    document
}

impl Document<'_> {
    fn add(&mut self, drafted: Drafted) {
        match drafted.refused {
            None => self.entries.push(drafted.entry),
            Some(_) => self.refused.push(drafted),
        }
    }
}

/// The place of a table that nearly has this one's name.
fn near(table: &Table, others: &[&Table]) -> Option<usize> {
    let near = did_you_mean(&table.name.name, others.iter().map(|other| other.name.name.as_str()))?;
    others.iter().position(|other| other.name.name == near)
}

/// A table as the spec names it.
fn shown(table: &Table, side: &Database<'_>) -> String {
    let schema = table.name.schema.clone().filter(|_| table.name.schema != side.catalog.default_schema);
    QualifiedName { schema, name: table.name.name.clone() }.to_string()
}

fn nothing_to_compare(document: &Document<'_>) -> Failure {
    let sides = document.sides;
    if sides.primary.catalog.tables.is_empty() {
        let message = format!("the primary, {}, has no tables", sides.primary.server.display);
        return Failure::new(ErrorKind::Missing, message)
            .hint("is it the right database, and does this user have the right to see its tables?");
    }
    if let Some(Drafted { entry, refused: Some(why) }) = document.refused.first() {
        let message = format!("no table can be compared; the first of them, {}: {why}", entry.table);
        return Failure::new(ErrorKind::Key, message);
    }
    let names = sides.as_ref().map(|side| {
        let all = side.catalog.tables.len();
        let names = side.catalog.tables.iter().map(|table| table.name.name.as_str());
        match all.checked_sub(NAMES_SHOWN) {
            None | Some(0) => list(names),
            Some(more) => {
                let shown: Vec<String> = names.take(NAMES_SHOWN).map(name).collect();
                format!("{} and {} more", shown.join(", "), thousands(more as u64))
            }
        }
    });
    let message = "no table of the primary has the name of a table of the replica";
    Failure::new(ErrorKind::Missing, message).hint(format!(
        "the primary has {}; the replica has {}; pair tables of other names in a spec of your own, with `table:` and `to:`",
        names.primary, names.replica
    ))
}
