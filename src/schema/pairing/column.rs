//! Pairs one column with its counterpart: the type to create where there is none, the domain, and the `compare` rule.
//!
//! Owns what a column of the primary is compared as; a pair of types without an exact domain, and a rule that could
//! never excuse anything, are refused with the spec line that would settle it.

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::{Cast, CompareEntry, CompareRule, SchemaMode, Zone};
use crate::sql::{AttachmentKind, Column, ColumnWords, DefaultKind, Dialect, NamedType, Target};
use crate::value::{ColumnType, Domain, StorageClass, Type};

use super::super::across::{carried, fit};
use super::super::{ColumnPair, Table, choose_domain};
use super::{Pairer, own_domain};

impl Pairer<'_> {
    /// `None` for a column that is generated on the replica.
    pub(super) fn column(
        &self,
        column: &Column,
        key: &[String],
        replica: Option<&Table>,
    ) -> Result<Option<ColumnPair>, Failure> {
        let is_key = key.contains(&column.name);
        let name = self.replica_column(&column.name);
        let found = replica.and_then(|table| self.replica_meant(table, name));
        if found.is_some_and(|column| column.generated.is_some()) {
            return if is_key { Err(self.generated_key(name)) } else { Ok(None) };
        }
        let counterpart = match found {
            Some(found) => {
                // What no type is called is an error whether or not the column is there.
                if !self.databases.dialects.primary.same_family(self.databases.dialects.replica) {
                    self.cast(column)?;
                }
                found.clone()
            }
            None => self.column_to_create(column, name, key, replica)?,
        };
        // What is to be created as the primary has it is generated there too.
        let dialects = self.databases.dialects;
        let is_one_family = dialects.primary.same_family(dialects.replica);
        if found.is_none() && column.generated.is_some() && is_one_family && !is_key {
            return Ok(None);
        }
        let rule = self.entry.compare.iter().find(|compare| compare.column.value == column.name);
        let rule = rule.filter(|_| !is_key);
        let mut sides = Sides::new(column.clone(), counterpart);
        let zone = rule.and_then(|compare| zone(&compare.rule));
        let zoned = zone.is_some_and(|zone| put_into_zone(&mut sides, zone, self.databases.dialects));
        let settled = self.settled(&sides, found, replica);
        let domain = self.domain(&settled)?;
        let fit = (!is_one_family).then(|| fit(dialects, &column.column_type, &settled.replica.column_type));
        let rule = match rule {
            Some(compare) => self.fitting_rule(compare, &domain, zoned)?,
            None => None,
        };
        let dialect = self.databases.dialects.replica;
        let stored = dialect
            .spells_freely(&sides.replica, &domain)
            .then(|| own_domain(&sides.replica.column_type, dialect));
        Ok(Some(ColumnPair { sides, domain, stored, rule, on_replica: found.is_some(), fit }))
    }

    /// The two as they are once the replica's has the type that it is to have: values are compared as what both hold then.
    fn settled(
        &self,
        sides: &Sides<Column>,
        found: Option<&Column>,
        replica: Option<&Table>,
    ) -> Sides<Column> {
        let mut settled = sides.clone();
        let here = &mut settled.replica.column_type;
        // A date-time that the spec puts into a zone is one of that already.
        let found = found.filter(|found| self.entry.schema == SchemaMode::Sync && found.column_type == *here);
        // Nor is the primary's anything but what it is.
        let primary = self.primary.column(&sides.primary.name).unwrap_or(&sides.primary);
        if let Some((found, replica)) = found.zip(replica)
            && let Some(wanted) = self.becomes(primary, found, replica)
        {
            *here = wanted;
        }
        settled
    }

    /// A rule that could never excuse anything was meant for something else. From `defaults` it is for those
    /// tables whose column it fits.
    /// `zoned`: the rule's zone has made a moment of the side without one.
    fn fitting_rule(
        &self,
        compare: &CompareEntry,
        domain: &Domain,
        zoned: bool,
    ) -> Result<Option<CompareRule>, Failure> {
        let useless = zone(&compare.rule).filter(|_| !zoned);
        let useless = useless.map(|_| ("zone", "a date-time on one side and a moment on the other"));
        match useless.or_else(|| misfit(&compare.rule, domain)) {
            None => Ok(Some(compare.rule.clone())),
            Some(_) if compare.from_defaults => Ok(None),
            Some((option, wanted)) => {
                let name = &compare.column.value;
                let message = format!(
                    "`{option}` is for {wanted}, and the column {name} of the table {} is compared as {}",
                    self.primary.name,
                    domain.name()
                );
                Err(self.error(ErrorKind::Type, &compare.column, message).hint(format!(
                    "drop `{option}`; `{name}: ignore` would leave the column out of the comparison"
                )))
            }
        }
    }

    fn column_to_create(
        &self,
        column: &Column,
        name: &str,
        key: &[String],
        replica: Option<&Table>,
    ) -> Result<Column, Failure> {
        let is_key = key.contains(&column.name);
        if self.entry.schema == SchemaMode::Ignore {
            let what = match replica {
                Some(table) => format!("the replica's table {} has no column {name}", table.name),
                None => format!("the replica has no table {}", self.replica_name().0),
            };
            let message = self.spec.error_at(self.entry.table.place, what).headline();
            return Err(Failure::new(ErrorKind::Missing, message).hint(
                "`schema: ignore` creates nothing; use `schema: sync`, or leave the column out of scope",
            ));
        }
        let dialects = self.databases.dialects;
        let mut created = column.clone();
        created.name = name.to_owned();
        created.generated = None;
        let made = if dialects.primary.same_family(dialects.replica) {
            self.has_type(column)?;
            dialects.replica.adopted_type(&column.column_type)
        } else {
            created.collation = None;
            created.words = ColumnWords::default();
            let is_key = is_key || (replica.is_none() && self.in_primary_key(&column.name, key));
            // SQLite lets most primary keys be NULL.
            created.nullable &= !is_key;
            let meaning = &column.column_type.meaning;
            let cast = self.cast(column)?;
            if let Some(cast) = &cast
                && is_key
            {
                let cast = Column { column_type: cast.clone(), ..created.clone() };
                if dialects.replica.no_key(&[&cast]).is_some() {
                    return Err(self.no_key_type(column));
                }
            }
            let made = cast.or_else(|| self.type_here(column, is_key));
            if made.is_none() && is_key && dialects.replica.type_for(meaning, false).is_some() {
                return Err(self.no_key_type(column));
            }
            made
        };
        created.column_type =
            made.ok_or_else(|| self.no_domain(column, &format!("no type of {}", dialects.replica.engine())))?;
        if !dialects.primary.same_family(dialects.replica) {
            created.default = carried(dialects, column, &created.column_type.meaning);
            if let Some(DefaultKind::Expression(text)) = &created.default {
                created.words.default = Some(text.clone());
            }
            if !self.is_numbered(&created, column, key, replica) {
                created.identity = None;
            }
        }
        Ok(created)
    }

    /// The type that a column from another engine has here where nothing else is said. `is_key`: a key is over it.
    pub(super) fn type_here(&self, column: &Column, is_key: bool) -> Option<ColumnType> {
        let dialects = self.databases.dialects;
        let meaning = &column.column_type.meaning;
        let points = !is_key && self.points(&column.name);
        let length = dialects.primary.declared_chars(&column.column_type);
        // A text of any length has no place in a key of some engines.
        let sized = length.filter(|_| !is_key && self.is_indexed(&column.name));
        let sized = sized.map(|length| Type::Text { chars_max: Some(length), fixed: false });
        let keyed = match sized {
            Some(sized) => dialects.replica.type_for(&sized, true),
            None if points => dialects.replica.type_for(meaning, true),
            None => None,
        };
        keyed.or_else(|| dialects.replica.type_for(meaning, is_key))
    }

    /// The type that the spec says the column is to have: in the table's entry, else of its type with the same
    /// numbers, else of its type.
    pub(super) fn cast(&self, column: &Column) -> Result<Option<ColumnType>, Failure> {
        let Sides { primary, replica } = self.databases.dialects;
        let own = self.entry.cast.iter().find(|(name, _)| name.value == column.name).map(|(_, to)| to);
        let known = NamedType::read(&column.column_type.declared);
        let fits = |cast: &&Cast| {
            let from = NamedType::read(&cast.from.value);
            matches!((&from, &known), (Some(from), Some(known))
                if primary.type_name(&from.name) == primary.type_name(&known.name)
                    && (from.numbers.is_empty() || from.numbers == known.numbers))
        };
        let by_type = self.spec.cast.iter().filter(fits).max_by_key(|cast| cast.from.value.contains('('));
        let Some(to) = own.or(by_type.map(|cast| &cast.to)) else { return Ok(None) };
        let made = NamedType::read(&to.value).and_then(|named| replica.named_type(&named));
        made.map(Some).ok_or_else(|| {
            let message = format!("{} is no type of {} that `cast` knows", to.value, replica.engine());
            self.error(ErrorKind::Type, to, message)
                .hint("a type that every server of the engine has, with the lengths that it takes")
        })
    }

    /// Whether a key or an index is over the column.
    fn is_indexed(&self, name: &str) -> bool {
        self.primary.attachments.iter().any(|one| {
            let is_over = matches!(
                one.kind,
                AttachmentKind::Unique | AttachmentKind::Index | AttachmentKind::ForeignKey
            );
            is_over && one.columns.iter().any(|column| column == name)
        })
    }

    /// Whether the column is one of a foreign key that comes along: it holds what the key that it points at holds.
    fn points(&self, name: &str) -> bool {
        let mut attachments = self.primary.attachments.iter();
        attachments.any(|one| {
            let points = |target: &Target| self.target_on_replica(target).1;
            one.columns.iter().any(|column| column == name) && one.target.as_ref().is_some_and(points)
        })
    }

    /// Whether the replica can number a column that comes from another engine: whole numbers alone, and on the MySQL
    /// family those of which a key is made first.
    fn is_numbered(
        &self,
        created: &Column,
        column: &Column,
        key: &[String],
        replica: Option<&Table>,
    ) -> bool {
        let is_whole = matches!(created.column_type.meaning, Type::Integer { .. });
        let primary_key = self.primary.keys.iter().find(|key| key.primary);
        let first = primary_key.filter(|_| self.in_primary_key(&column.name, key));
        let first = first.map_or(key.first(), |primary_key| primary_key.columns.first());
        let leads = replica.is_none() && first == Some(&column.name);
        is_whole && (leads || !self.databases.dialects.replica.numbers_keys_alone())
    }

    /// Whether the column is one of the primary key that the replica's table is created with.
    pub(super) fn in_primary_key(&self, name: &str, key: &[String]) -> bool {
        let primary_key = self.primary.keys.iter().find(|key| key.primary);
        primary_key.is_some_and(|primary| {
            primary.columns.iter().any(|column| column == name)
                && primary.columns.iter().all(|column| self.in_scope(column, key))
        })
    }

    fn no_key_type(&self, column: &Column) -> Failure {
        let engine = self.databases.dialects.replica.engine();
        let message = format!(
            "table {}, column {}: {} is in the primary key, and {engine} has no type for it that a key can be over",
            self.primary.name, column.name, column.column_type.declared
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Type, error.headline()).hint(
            "create the replica's table by hand with another primary key, or name other columns with `key: [...]` and \
             leave the column out with `exclude_columns`",
        )
    }

    /// A type of the primary's users is there on the replica too, or nothing can be created with it.
    pub(super) fn has_type(&self, column: &Column) -> Result<(), Failure> {
        let declared = column.column_type.declared.as_str();
        if let Some(why) = column.words.untold.as_ref().filter(|_| self.entry.schema == SchemaMode::Sync) {
            let message = format!("table {}, column {}: {why}", self.primary.name, column.name);
            let error = self.spec.error_at(self.entry.table.place, message);
            return Err(Failure::new(ErrorKind::Type, error.headline())
                .hint("create the column by hand, or set `schema: ignore` (look at rows only)"));
        }
        let Some(types) = self.databases.replica.types.as_ref() else { return Ok(()) };
        let is_coming = |name: &str| {
            let one = name.strip_suffix("[]").unwrap_or(name);
            self.databases.primary_enums.iter().any(|known| known.printed == one)
        };
        let known = |name: &str| types.contains(name) || is_coming(name);
        if self.entry.schema != SchemaMode::Sync || known(declared) || known(&without_modifier(declared)) {
            return Ok(());
        }
        let message = format!(
            "table {}, column {}: the replica has no type {declared} to create the column with",
            self.primary.name, column.name
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        let plain = without_modifier(declared);
        let plain = plain.strip_suffix("[]").unwrap_or(&plain);
        let hint = match self.databases.primary_extensions.get(plain) {
            Some(extension) => {
                format!("the type comes from the extension {extension}: CREATE EXTENSION there first")
            }
            None => "create the type there first".to_owned(),
        };
        Err(Failure::new(ErrorKind::Type, error.headline()).hint(hint))
    }

    fn domain(&self, sides: &Sides<Column>) -> Result<Domain, Failure> {
        let types = sides.as_ref().map(|column| &column.column_type);
        choose_domain(types, self.databases.dialects).ok_or_else(|| {
            let failure = self.no_domain(&sides.primary, &sides.replica.column_type.declared);
            if !wants_zone(sides) {
                return failure;
            }
            let name = &sides.primary.name;
            let excluded = failure.hint.unwrap_or_default();
            Failure { hint: None, ..failure }.hint(format!(
                "say which zone the side without one means with `compare: {{ {name}: {{ zone: UTC }} }}` (or an \
                 offset such as +02:00), or {excluded}"
            ))
        })
    }

    fn no_domain(&self, column: &Column, other: &str) -> Failure {
        let message = format!(
            "table {}, column {}: {} on the primary and {other} on the replica have no exact common domain",
            self.primary.name, column.name, column.column_type.declared
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Type, error.headline())
            .hint(format!("leave the column out with `exclude_columns: [{}]`", column.name))
    }
}

/// The option of a rule that a domain has no use for, and what it is for.
fn misfit(rule: &CompareRule, domain: &Domain) -> Option<(&'static str, &'static str)> {
    let CompareRule::Options(options) = rule else { return None };
    let given = [
        (options.tolerance.is_some(), "tolerance", "numbers"),
        (options.precision.is_some(), "precision", "times, date-times and instants"),
        (options.trim, "trim", "text"),
        (options.ignore_case, "case", "text"),
    ];
    let misfit = given.into_iter().find(|(given, option, _)| *given && !takes_option(domain, option));
    misfit.map(|(_, option, wanted)| (option, wanted))
}

/// Whether a `compare` option of this name has a use in a domain.
pub fn takes_option(domain: &Domain, option: &str) -> bool {
    // SQLite keeps numbers, and times as text, in columns of any type.
    let stored = |classes: &[StorageClass]| match domain {
        Domain::Storage { expected } => expected.is_none_or(|class| classes.contains(&class)),
        _ => false,
    };
    match option {
        "tolerance" => {
            stored(&[StorageClass::Integer, StorageClass::Real])
                || matches!(
                    domain,
                    Domain::Integer { .. } | Domain::Decimal { .. } | Domain::Float32 | Domain::Float64
                )
        }
        "precision" => {
            stored(&[StorageClass::Text])
                || matches!(domain, Domain::Time | Domain::DateTime | Domain::Instant)
        }
        "trim" | "case" => stored(&[StorageClass::Text]) || matches!(domain, Domain::Text | Domain::Native),
        _ => false,
    }
}

fn zone(rule: &CompareRule) -> Option<Zone> {
    match rule {
        CompareRule::Options(options) => options.zone,
        CompareRule::Ignore => None,
    }
}

/// Of a date-time beside a moment: makes it one of that zone. Whether there was one.
fn put_into_zone(sides: &mut Sides<Column>, zone: Zone, dialects: Sides<&dyn Dialect>) -> bool {
    if dialects.primary.stores_any_class() && dialects.replica.stores_any_class() {
        return false;
    }
    let Sides { primary, replica } = sides;
    let (local, moment) = match (&primary.column_type.meaning, &replica.column_type.meaning) {
        (Type::DateTime { .. }, _) => (primary, replica),
        _ => (replica, primary),
    };
    let Type::DateTime { digits } = local.column_type.meaning else { return false };
    let beside_a_moment = matches!(moment.column_type.meaning, Type::Instant { .. });
    if beside_a_moment {
        local.column_type.meaning = Type::Zoned { digits, offset_minutes: zone.offset_minutes };
    }
    beside_a_moment
}

/// Whether one is a moment and the other a date and time of no zone.
fn wants_zone(sides: &Sides<Column>) -> bool {
    let meanings = (&sides.primary.column_type.meaning, &sides.replica.column_type.meaning);
    matches!(
        meanings,
        (Type::DateTime { .. }, Type::Instant { .. }) | (Type::Instant { .. }, Type::DateTime { .. })
    )
}

/// `character varying(40)[]` as `character varying[]`, and an interval of some fields as one.
fn without_modifier(declared: &str) -> String {
    if declared.starts_with("interval") {
        return format!("interval{}", if declared.ends_with("[]") { "[]" } else { "" });
    }
    match (declared.find('('), declared.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", &declared[..open], &declared[close + 1..])
        }
        _ => declared.to_owned(),
    }
}
