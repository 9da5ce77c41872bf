//! The lines of `TYPES.md`, and which pairs of concrete types each speaks of.
//!
//! The document is made from `schema/comparable.rs`, so a row that is added there is a line here. A cell that no
//! [`Family`] is known for, or a line that no pair of types fits, fails: such a line has no values.

use super::kind::{Family, Form, Kind};

/// What a line says of two families.
#[derive(Clone, Debug)]
pub struct Line {
    pub families: (Family, Family),
    /// The name of the domain; `None` where the pair is not compared.
    pub domain: Option<String>,
    pub within: String,
    /// As it stands in the document, for messages.
    pub text: String,
}

/// The lines for a primary and a replica of these products, in the order in which they decide.
pub fn lines(document: &str, primary: &str, replica: &str) -> Vec<Line> {
    let (one, other) = (title(primary), title(replica));
    let same = format!("## {one}, two types");
    let heads = if one == other {
        [same.clone(), same]
    } else {
        [format!("## {one} and {other}"), format!("## {other} and {one}")]
    };
    let turned = !document.lines().any(|line| line == heads[0]);
    let head = &heads[usize::from(turned)];
    let section =
        document.split("\n## ").find(|section| head[3..] == *section.lines().next().unwrap_or_default());
    let section = section.unwrap_or_else(|| panic!("TYPES.md has no section `{head}`"));
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| line(row, turned, (primary, replica))).collect()
}

fn title(product: &str) -> &'static str {
    match product {
        "postgres" => "PostgreSQL",
        "mariadb" => "MariaDB",
        "mysql" => "MySQL",
        _ => "SQLite",
    }
}

fn line(row: &str, turned: bool, products: (&str, &str)) -> Line {
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    let [first, second, compared, within] = cells[..] else { panic!("not a line of four cells: {row}") };
    let (first, second) = if turned { (second, first) } else { (first, second) };
    let family = |product: &str, cell: &str| {
        Family::of_cell(product, cell)
            .unwrap_or_else(|| panic!("tests/cross/kind.rs has no types for the cell `{cell}` of {row}"))
    };
    Line {
        families: (family(products.0, first), family(products.1, second)),
        domain: Some(compared.to_owned()).filter(|compared| compared != "not compared"),
        within: within.to_owned(),
        text: row.to_owned(),
    }
}

impl Line {
    /// Whether the spec's `zone` settles it.
    pub fn wants_zone(&self) -> bool {
        self.domain.is_none() && self.within.contains("zone: UTC")
    }

    /// Whether it speaks of two types: of its families, and those that it says are the only ones.
    pub fn takes(&self, one: &Kind, other: &Kind) -> bool {
        if self.families != (one.family, other.family) {
            return false;
        }
        let Some((only, _)) = self.within.split_once(" alone") else { return true };
        let either = |fits: &dyn Fn(&Kind, &Kind) -> bool| fits(one, other) || fits(other, one);
        match only {
            "`bit(1)`" => either(&|kind, _| matches!(kind.form, Form::Bits(1))),
            "of 16 bytes" => either(&|kind, _| match kind.form {
                Form::Bytes { max, fixed } => max == 16 || (max > 16 && !fixed),
                _ => false,
            }),
            "`bigint unsigned` and `numeric(20,0)`" => {
                either(&|one, other| one.declared == "bigint unsigned" && other.declared.ends_with("(20,0)"))
            }
            // Values that one engine alone has, not types.
            _ => true,
        }
    }

    /// Whether it says that some values of one side cannot be said by the other.
    pub fn has_bounds(&self) -> bool {
        self.domain.is_some() && self.within != "every value" && !self.within.ends_with(" alone")
    }
}
