//! The matrix of one ordered pair of products: tables of columns with rows, all of it data.
//!
//! Each pair of types is a column. Each value of it stands in two rows on both sides: one stays as it is, the other
//! is altered on the replica to the value's nearest neighbour. Values that the primary alone can hold stand in a
//! table each, for they end its comparison.

use std::collections::{BTreeMap, BTreeSet};

use crate::servers::Product;

use super::kind::{Form, Kind, kinds};
use super::line::{Line, lines};
use super::values::{NULL, UNREADABLE, Unreadable, Where, is_single, runs, values_min};

/// Columns of one table; more would be more than a page of InnoDB holds.
const COLUMNS_MAX: usize = 12;
/// Values out of range that are tried of a line.
const OUTSIDE_MAX: usize = 8;

/// A pair of types.
#[derive(Clone, Debug)]
pub struct Pairing {
    pub types: [String; 2],
    pub domain: String,
    /// Each value as the primary and the replica write it, and what the replica's is altered to.
    pub values: Vec<[String; 3]>,
    /// Whether it needs the spec's `zone`.
    pub zoned: bool,
    /// Whether the replica may keep a spelling of its own.
    pub respelled: bool,
}

/// A value that one side cannot say: its table is in error.
#[derive(Clone, Debug)]
pub struct Outside {
    pub types: [String; 2],
    /// What each side holds; without a value the side has no such row.
    pub values: [Option<String>; 2],
    /// The line that says so.
    pub line: String,
}

/// Two types without a common domain, and the words of the spec line that settles it.
#[derive(Clone, Debug)]
pub struct Refused {
    pub types: [String; 2],
    pub settled_by: &'static str,
}

/// Everything that is tried between two products.
#[derive(Default)]
pub struct Matrix {
    pub lines: usize,
    pub tables: Vec<Vec<Pairing>>,
    pub outside: Vec<Outside>,
    pub refused: Vec<Refused>,
    /// The lines that say that some values are outside of them.
    pub bounded: BTreeSet<String>,
}

/// How much of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: usize,
    pub type_pairs: usize,
    pub values: usize,
    pub alterations: usize,
    pub outside: usize,
    pub refused: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { lines, type_pairs, values, alterations, outside, refused } = self;
        write!(
            f,
            "{lines} lines, {type_pairs} pairs of types, {values} values, {alterations} alterations, \
             {outside} values outside, {refused} pairs of types refused"
        )
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.lines += more.lines;
        self.type_pairs += more.type_pairs;
        self.values += more.values;
        self.alterations += more.alterations;
        self.outside += more.outside;
        self.refused += more.refused;
    }
}

impl Matrix {
    /// Between a primary and a replica of these products.
    pub fn between(primary: &Product, replica: &Product) -> Matrix {
        let document = trueup::schema::types_document();
        let lines = lines(&document, primary.name, replica.name);
        let (ones, others) = (kinds(primary), kinds(replica));
        let mut taken = BTreeSet::new();
        let mut matrix = Matrix { lines: lines.len(), ..Matrix::default() };
        for line in &lines {
            let pairs: Vec<(&Kind, &Kind)> = ones
                .iter()
                .flat_map(|one| others.iter().map(move |other| (one, other)))
                .filter(|(one, other)| line.takes(one, other))
                .filter(|(one, other)| line.domain.is_none() || is_first(&mut taken, one, other))
                .collect();
            assert!(!pairs.is_empty() || lacks_types(line, primary, replica), "no types for {}", line.text);
            matrix.add(line, &pairs);
        }
        for (one, other) in ones.iter().flat_map(|one| others.iter().map(move |other| (one, other))) {
            let comparable =
                taken.contains(&(one.declared.clone(), other.declared.clone())) || is_same(one, other);
            if !comparable && is_representative(one) && is_representative(other) {
                let zone = lines.iter().any(|line| line.takes(one, other) && line.wants_zone());
                let settled_by = if zone { "zone: UTC" } else { "exclude_columns: [" };
                let types = [one.declared.clone(), other.declared.clone()];
                matrix.refused.push(Refused { types, settled_by });
            }
        }
        matrix
    }

    fn add(&mut self, line: &Line, pairs: &[(&Kind, &Kind)]) {
        let zoned = line.wants_zone();
        let Some(domain) = line.domain.as_deref().or(zoned.then_some("instant")) else { return };
        let tested: Vec<(&Kind, &Kind)> =
            pairs.iter().copied().filter(|(one, other)| is_tested(one, other)).collect();
        let pairings: Vec<Pairing> =
            tested.iter().map(|(one, other)| pairing(line, domain, one, other)).collect();
        self.tables.extend(pairings.chunks(COLUMNS_MAX).map(<[Pairing]>::to_vec));
        if zoned {
            return;
        }
        if line.has_bounds() {
            self.bounded.insert(either_way(&line.text));
        }
        self.outside.extend(outside(line, domain, &tested));
    }

    /// What it comes to.
    pub fn counts(&self) -> Counts {
        let pairings = || self.tables.iter().flatten();
        let distinct = |pairing: &Pairing| {
            pairing.values.iter().map(|[value, ..]| value.as_str()).collect::<BTreeSet<_>>().len()
        };
        Counts {
            lines: self.lines,
            type_pairs: pairings().count(),
            values: pairings().map(distinct).sum(),
            alterations: pairings().map(|pairing| pairing.values.len()).sum(),
            outside: self.outside.len(),
            refused: self.refused.len(),
        }
    }
}

/// Whether no line above has taken these types.
fn is_first(taken: &mut BTreeSet<(String, String)>, one: &Kind, other: &Kind) -> bool {
    taken.insert((one.declared.clone(), other.declared.clone()))
}

/// A line whichever side is the primary.
fn either_way(text: &str) -> String {
    let mut cells: Vec<&str> = text.trim_matches('|').split(" | ").map(str::trim).collect();
    cells[..2].sort_unstable();
    cells.join(" | ")
}

/// A type of the family that this version of a server lacks.
fn lacks_types(line: &Line, primary: &Product, replica: &Product) -> bool {
    let lacks = |family, product| kinds(product).iter().all(|kind| kind.family != family);
    lacks(line.families.0, primary) || lacks(line.families.1, replica)
}

/// One family of servers and one declaration: equal means the same stored value.
fn is_same(one: &Kind, other: &Kind) -> bool {
    let family = |kind: &Kind| if kind.product == "mysql" { "mariadb" } else { kind.product };
    family(one) == family(other) && one.declared == other.declared
}

/// Of types that only their own engine knows one is tried with one unbounded text.
fn is_tested(one: &Kind, other: &Kind) -> bool {
    let unbounded = |kind: &Kind| ["text", "longtext", "TEXT"].contains(&kind.declared.as_str());
    let tested = |one: &Kind, other: &Kind| {
        !matches!(one.form, Form::Printed(_))
            || (unbounded(other) && (other.product == "postgres" || other.declared != "text"))
    };
    tested(one, other) && tested(other, one)
}

/// The types that stand for all that print: there are dozens.
fn is_representative(kind: &Kind) -> bool {
    let printed = ["interval", "integer[]", "macaddr", "int4range", "pair", "bit varying", "money[]", "name"];
    !matches!(kind.form, Form::Printed(_)) || printed.contains(&kind.declared.as_str())
}

fn pairing(line: &Line, domain: &str, one: &Kind, other: &Kind) -> Pairing {
    let same = is_same(one, other);
    let mut values = Vec::new();
    let mut shared = BTreeSet::new();
    let runs = runs(domain, one, other);
    for run in &runs {
        for (at, value) in run.iter().enumerate() {
            let sides = [one.literal(domain, value, false), other.literal(domain, value, !same)];
            let [Some(primary), Some(replica)] = sides else { continue };
            let neighbours = run[at + 1..]
                .iter()
                .chain(&run[..at])
                .chain(std::iter::once(&NULL))
                .chain(runs.iter().flatten());
            let altered =
                neighbours.filter(|next| *next != value).find_map(|next| other.literal(domain, next, false));
            if let Some(altered) = altered {
                shared.insert(*value);
                values.push([primary, replica, altered]);
            }
        }
    }
    let types = [one.declared.clone(), other.declared.clone()];
    let least = values_min(domain, one, other);
    assert!(shared.len() >= least, "{types:?} share {} values, not {least}: {shared:?}", shared.len());
    // SQLite keeps moments as the texts they are.
    let by_text = ["time", "date-time", "instant"].contains(&domain) && other.product == "sqlite";
    let any_zeros = domain == "decimal" && other.declared == "numeric";
    let respelled = by_text || any_zeros || ["uuid", "json", "address"].contains(&domain);
    Pairing { types, domain: domain.to_owned(), values, zoned: line.wants_zone(), respelled }
}

/// Values that the primary alone can hold, and literals that no side of the domain reads.
fn outside(line: &Line, domain: &str, pairs: &[(&Kind, &Kind)]) -> Vec<Outside> {
    let mut found = Vec::new();
    // First of each pair one value, then of each another.
    for round in 0..OUTSIDE_MAX {
        for (one, other) in pairs {
            let unwritable = runs(domain, one, other).into_iter().flatten().filter_map(|value| {
                let lacks = other.literal(domain, value, false).is_none();
                one.literal(domain, value, false).filter(|_| lacks)
            });
            let unwritable: BTreeSet<String> = unwritable.collect();
            if let Some(value) = unwritable.into_iter().nth(round) {
                // As an update, and as an insert.
                let replica = (found.len() % 2 == 0).then(|| "NULL".to_owned());
                found.push(outside_of(line, one, other, [Some(value), replica]));
            }
        }
    }
    found.truncate(OUTSIDE_MAX);
    for side in [0, 1] {
        found.extend(unreadable_on(side, line, domain, pairs));
    }
    found
}

/// Each literal that no type of the side reads, and each such type, once.
fn unreadable_on(side: usize, line: &Line, domain: &str, pairs: &[(&Kind, &Kind)]) -> Vec<Outside> {
    let mut by_type: BTreeMap<&str, ((&Kind, &Kind), Vec<&str>)> = BTreeMap::new();
    for pair in pairs {
        let kind = [pair.0, pair.1][side];
        let mut literals = unreadable(domain, kind);
        if is_single(pair.0, pair.1) {
            literals.extend(unreadable("single", kind));
        }
        if !literals.is_empty() {
            by_type.insert(&kind.declared, (*pair, literals));
        }
    }
    let most = by_type.values().map(|(_, literals)| literals.len().max(by_type.len())).max().unwrap_or(0);
    let tried = (0..most).zip(by_type.values().cycle());
    tried
        .map(|(at, ((one, other), literals))| {
            let mut values = [Some("NULL".to_owned()), Some("NULL".to_owned())];
            values[side] = Some(literals[at % literals.len()].to_owned());
            outside_of(line, one, other, values)
        })
        .collect()
}

fn unreadable(domain: &str, kind: &Kind) -> Vec<&'static str> {
    let fits = |(of, form, on, _): &&Unreadable| {
        *of == domain && form(&kind.form) && (*on == Where::Every || kind.product == "sqlite")
    };
    UNREADABLE.iter().filter(fits).flat_map(|(_, _, _, literals)| *literals).copied().collect()
}

fn outside_of(line: &Line, one: &Kind, other: &Kind, values: [Option<String>; 2]) -> Outside {
    Outside { types: [one.declared.clone(), other.declared.clone()], values, line: either_way(&line.text) }
}
