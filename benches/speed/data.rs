//! The rows that are measured: seeded, so that every run makes the same ones, on every engine.
//!
//! A row is one line of text with a tab between its values and `\N` for NULL, which COPY, LOAD DATA and the loader of
//! SQLite all take. No value has a tab, a backslash or a line break in it. The replica's rows come in another order
//! than the primary's, in blocks as several writers would have left them, so that its pages differ. A variant says in
//! what the replica's rows differ, and how many changes must be found: a run that finds another number has measured
//! nothing.

use std::io::Write;

use crate::servers::Engine;

/// Rows of the replica that stay together.
const BLOCK_ROWS: u64 = 1_000;
/// What lies in the middle of the keys of [`Kind::Items`]: room for rows that only the replica has.
const GAP: u64 = 100_000_000;
/// What lies between the clusters of [`Kind::Gaps`].
const WIDE_GAP: u64 = 1_000_000_000_000;
const SEED: u64 = 0x7275_6575_7074_6f6e;

/// A table's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// About 160 bytes of every common type, by an integer key.
    Items,
    /// Rows of 8 KiB, a quarter of them a JSON document.
    Wide,
    TextKey,
    /// Random uuids as key.
    UuidKey,
    CompositeKey,
    /// Integer keys in clusters of very different size with gaps of 10^12 between them.
    Gaps,
    /// Rows of 1 MiB.
    Big,
}

/// In what the replica's rows differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    Equal,
    /// One row in so many: of ten of them one is missing, one has an extra row behind it, eight have other values.
    Scattered(u64),
    /// A stretch of one row in a hundred is missing.
    RangeMissing,
    AllDifferent,
    /// So many rows in the gap that the primary does not have.
    ExtraRows(u64),
}

/// The changes that the replica needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub insert: u64,
    pub update: u64,
    pub delete: u64,
}

/// A table's rows on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    pub kind: Kind,
    /// On the primary.
    pub count: u64,
    pub variant: Variant,
}

/// What becomes of one of the primary's rows on the replica.
enum Fate {
    Same,
    Other,
    Missing,
    /// The same, and behind it one that only the replica has.
    Followed,
}

impl Rows {
    /// Gives each row of the primary to `put`, in the order of their numbers.
    pub fn primary<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut line = Vec::new();
        (0..self.count).try_for_each(|number| put(self.line(&mut line, number, 0, false)))
    }

    /// Gives each row of the replica to `put`, in an order of its own.
    pub fn replica<E>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut line = Vec::new();
        for number in shuffled(self.count) {
            match self.fate(number) {
                Fate::Same => put(self.line(&mut line, number, 0, false))?,
                Fate::Other => put(self.line(&mut line, number, 0, true))?,
                Fate::Missing => {}
                Fate::Followed => {
                    put(self.line(&mut line, number, 0, false))?;
                    put(self.line(&mut line, number, 1, false))?;
                }
            }
        }
        if let Variant::ExtraRows(extra) = self.variant {
            let last_below = (self.count / 2).saturating_sub(1);
            (1..=extra).try_for_each(|beyond| put(self.line(&mut line, last_below, beyond, false)))?;
        }
        Ok(())
    }

    /// Gives what a script would be given: the replica's rows to change, with the values they are to have, the rows
    /// to insert, and the keys to delete (as rows).
    pub fn changes<E>(&self, mut put: impl FnMut(Action, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut line = Vec::new();
        for number in 0..self.count {
            match self.fate(number) {
                Fate::Same => {}
                Fate::Other => put(Action::Update, self.line(&mut line, number, 0, false))?,
                Fate::Missing => put(Action::Insert, self.line(&mut line, number, 0, false))?,
                Fate::Followed => put(Action::Delete, self.line(&mut line, number, 1, false))?,
            }
        }
        Ok(())
    }

    /// The changes that must be found.
    pub fn expected(&self) -> Counts {
        let mut counts = Counts::default();
        for number in 0..self.count {
            match self.fate(number) {
                Fate::Same => {}
                Fate::Other => counts.update += 1,
                Fate::Missing => counts.insert += 1,
                Fate::Followed => counts.delete += 1,
            }
        }
        if let Variant::ExtraRows(extra) = self.variant {
            counts.delete += extra;
        }
        counts
    }

    fn fate(&self, number: u64) -> Fate {
        match self.variant {
            Variant::Equal | Variant::ExtraRows(_) => Fate::Same,
            Variant::AllDifferent => Fate::Other,
            Variant::RangeMissing => {
                let from = self.count / 10 * 6;
                if (from..from + self.count / 100).contains(&number) { Fate::Missing } else { Fate::Same }
            }
            Variant::Scattered(step) if number % step != step / 2 => Fate::Same,
            Variant::Scattered(step) => match number / step % 10 {
                0 => Fate::Missing,
                1 => Fate::Followed,
                _ => Fate::Other,
            },
        }
    }

    /// The row of this number; `beyond`: one that only the replica has, with a key so far behind it.
    fn line<'l>(&self, line: &'l mut Vec<u8>, number: u64, beyond: u64, other: bool) -> &'l [u8] {
        line.clear();
        let mut row = RowWriter { line, dice: Dice::new(self.kind, number + beyond.wrapping_mul(GAP)) };
        self.put_key(&mut row, number, beyond);
        row.integer(if other { 2 } else { 1 });
        match self.kind {
            Kind::Items => items(&mut row, number),
            Kind::Wide => wide(&mut row),
            Kind::TextKey | Kind::UuidKey | Kind::CompositeKey | Kind::Gaps => {
                row.decimal(2);
                row.moment();
                row.text(5);
                row.nullable(|row| row.text(6));
            }
            Kind::Big => row.bulk(1 << 20),
        }
        line
    }

    fn put_key(&self, row: &mut RowWriter, number: u64, beyond: u64) {
        match self.kind {
            Kind::Items => {
                let gap = if number < self.count / 2 { 0 } else { GAP };
                row.integer(2 * number + gap + beyond);
            }
            Kind::Wide | Kind::Big => row.integer(number),
            Kind::TextKey => {
                let word = row.word();
                row.value(|line| write!(line, "{word}-{number:09}"));
            }
            Kind::UuidKey => row.uuid(),
            Kind::CompositeKey => {
                row.integer(number / 1_000);
                row.integer(number % 1_000 * 7);
            }
            // Half of the rows are in the first cluster, a quarter in the second, and so on.
            Kind::Gaps => {
                let cluster = u64::from((self.count / (self.count - number)).ilog2());
                row.integer(cluster * WIDE_GAP + number);
            }
        }
    }
}

/// What a script is to do with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Update,
    Insert,
    Delete,
}

fn items(row: &mut RowWriter, number: u64) {
    row.random(100_000);
    row.nullable(|row| row.random(500));
    row.decimal(2);
    row.nullable(|row| row.decimal(6));
    row.moment();
    row.nullable(RowWriter::moment);
    row.integer(number % 2);
    row.uuid();
    let status = ["new", "paid", "packed", "on its way", "delivered", "sent back"];
    row.value(|line| line.write_all(status[(number % 6) as usize].as_bytes()));
    row.text(5);
    row.nullable(|row| row.text(6));
}

fn wide(row: &mut RowWriter) {
    row.start();
    row.line.push(b'{');
    for field in 0..40 {
        let comma = if field == 0 { "" } else { ", " };
        let (word, number) = (row.word(), row.dice.below(1_000_000));
        // Writing to memory does not fail.
        let _ = write!(row.line, "{comma}\"field_{field:02}\": {{\"word\": \"{word}\", \"n\": {number}}}");
    }
    row.line.push(b'}');
    row.bulk(6_000);
}

/// The numbers from 0 to `count` in blocks that are out of order, each backwards.
fn shuffled(count: u64) -> impl Iterator<Item = u64> {
    let blocks = count.div_ceil(BLOCK_ROWS).max(1);
    let stride =
        [7_919, 7_907, 104_729, 1].into_iter().find(|stride| !blocks.is_multiple_of(*stride)).unwrap_or(1);
    (0..blocks).flat_map(move |turn| {
        let block = (turn * stride + blocks / 3) % blocks;
        (block * BLOCK_ROWS..((block + 1) * BLOCK_ROWS).min(count)).rev()
    })
}

/// Appends values to a line.
struct RowWriter<'l> {
    line: &'l mut Vec<u8>,
    dice: Dice,
}

impl RowWriter<'_> {
    fn start(&mut self) {
        if !self.line.is_empty() {
            self.line.push(b'\t');
        }
    }

    fn value(&mut self, put: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) {
        self.start();
        // Writing to memory does not fail.
        let _ = put(self.line);
    }

    /// NULL in one row of four.
    fn nullable(&mut self, put: impl FnOnce(&mut Self)) {
        if self.dice.below(4) == 0 {
            self.value(|line| line.write_all(b"\\N"));
        } else {
            put(self);
        }
    }

    fn integer(&mut self, value: u64) {
        self.value(|line| write!(line, "{value}"));
    }

    /// A random integer below `limit`.
    fn random(&mut self, limit: u64) {
        let value = self.dice.below(limit);
        self.integer(value);
    }

    fn decimal(&mut self, scale: u32) {
        let (whole, part) = (self.dice.below(100_000), self.dice.below(10_u64.pow(scale)));
        let sign = if self.dice.below(10) == 0 { "-" } else { "" };
        self.value(|line| write!(line, "{sign}{whole}.{part:0width$}", width = scale as usize));
    }

    fn moment(&mut self) {
        let (year, month, day) =
            (2015 + self.dice.below(11), 1 + self.dice.below(12), 1 + self.dice.below(28));
        let (hour, minute, second) = (self.dice.below(24), self.dice.below(60), self.dice.below(60));
        let micros = self.dice.below(1_000_000);
        self.value(|line| {
            write!(line, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
        });
    }

    fn uuid(&mut self) {
        let (high, low) = (self.dice.next(), self.dice.next());
        self.value(|line| {
            let (first, second, third) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
            let (fourth, fifth) = (0x8000 | (low >> 50), low & 0xffff_ffff_ffff);
            write!(line, "{first:08x}-{second:04x}-4{third:03x}-{fourth:04x}-{fifth:012x}")
        });
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.dice.below(WORDS.len() as u64) as usize]
    }

    fn text(&mut self, words: usize) {
        self.start();
        for at in 0..words {
            if at > 0 {
                self.line.push(b' ');
            }
            let word = self.word();
            self.line.extend_from_slice(word.as_bytes());
        }
    }

    /// Text of so many bytes.
    fn bulk(&mut self, length: usize) {
        self.start();
        let end = self.line.len() + length;
        while self.line.len() + LONGEST_WORD <= end {
            let word = self.word();
            self.line.extend_from_slice(word.as_bytes());
        }
        self.line.resize(end, b'.');
    }
}

const LONGEST_WORD: usize = 12;
const WORDS: [&str; 32] = [
    "amber",
    "bell",
    "cedar",
    "drum",
    "elm",
    "fjord",
    "globe",
    "harp",
    "iris",
    "jetty",
    "kite",
    "lamp",
    "maple",
    "notebook",
    "oak",
    "puzzle",
    "quill",
    "river",
    "saffron",
    "teapot",
    "umbrella",
    "violet",
    "willow",
    "xylophone",
    "yarn",
    "zinnia",
    "straße",
    "café",
    "naïve",
    "smörgås",
    "łódka",
    "plain",
];

/// splitmix64 (Steele, Lea and Flood 2014): a number alone decides all values of its row.
struct Dice(u64);

impl Dice {
    fn new(kind: Kind, number: u64) -> Dice {
        let mut dice = Dice(SEED ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ ((kind as u64) << 56));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// A column and its type on an engine; `key` where it is part of the primary key.
pub struct Column {
    pub name: &'static str,
    pub key: bool,
    types: [&'static str; 3],
}

impl Column {
    pub fn on(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Postgres => self.types[0],
            Engine::Mariadb => self.types[1],
            Engine::Sqlite => self.types[2],
        }
    }
}

impl Kind {
    /// The table's name.
    pub fn table(self) -> &'static str {
        match self {
            Kind::Items => "items",
            Kind::Wide => "wide",
            Kind::TextKey => "text_key",
            Kind::UuidKey => "uuid_key",
            Kind::CompositeKey => "composite_key",
            Kind::Gaps => "gaps",
            Kind::Big => "big",
        }
    }

    /// In the order of a line's values.
    pub fn columns(self) -> Vec<Column> {
        let column =
            |name, postgres, mariadb, sqlite| Column { name, key: false, types: [postgres, mariadb, sqlite] };
        let key =
            |name, postgres, mariadb, sqlite| Column { key: true, ..column(name, postgres, mariadb, sqlite) };
        let id = || vec![key("id", "bigint", "bigint", "INTEGER")];
        let small = || {
            vec![
                column("amount", "numeric(12,2)", "decimal(12,2)", "DECIMAL(12,2)"),
                column("created_at", "timestamp(6)", "datetime(6)", "DATETIME"),
                column("title", "varchar(100)", "varchar(100)", "TEXT"),
                column("note", "text", "text", "TEXT"),
            ]
        };
        let (keys, rest) = match self {
            Kind::Items => (
                id(),
                vec![
                    column("customer", "integer", "int", "INTEGER"),
                    column("quantity", "integer", "int", "INTEGER"),
                    column("price", "numeric(12,2)", "decimal(12,2)", "DECIMAL(12,2)"),
                    column("rate", "numeric(18,6)", "decimal(18,6)", "DECIMAL(18,6)"),
                    column("created_at", "timestamp(6)", "datetime(6)", "DATETIME"),
                    column("seen_at", "timestamptz(6)", "timestamp(6) NULL", "DATETIME"),
                    column("active", "boolean", "tinyint(1)", "BOOLEAN"),
                    column("token", "uuid", "uuid", "TEXT"),
                    column("status", "varchar(16)", "varchar(16)", "TEXT"),
                    column("title", "varchar(100)", "varchar(100)", "TEXT"),
                    column("note", "text", "text", "TEXT"),
                ],
            ),
            Kind::Wide => (
                id(),
                vec![
                    column("document", "jsonb", "json", "TEXT"),
                    column("body", "text", "mediumtext", "TEXT"),
                ],
            ),
            Kind::TextKey => (vec![key("code", "varchar(64)", "varchar(64)", "TEXT")], small()),
            Kind::UuidKey => (vec![key("id", "uuid", "uuid", "TEXT")], small()),
            Kind::CompositeKey => (
                vec![
                    key("tenant", "integer", "int", "INTEGER"),
                    key("number", "bigint", "bigint", "INTEGER"),
                ],
                small(),
            ),
            Kind::Gaps => (id(), small()),
            Kind::Big => (id(), vec![column("body", "text", "mediumtext", "TEXT")]),
        };
        let version = column("version", "integer", "int", "INTEGER");
        keys.into_iter().chain([version]).chain(rest).collect()
    }

    /// The key's columns.
    pub fn key(self) -> Vec<&'static str> {
        self.columns().iter().filter(|column| column.key).map(|column| column.name).collect()
    }
}
