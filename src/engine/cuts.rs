//! Where to cut a table into parts of about equal row counts, without reading it.
//!
//! The table is asked for a few real keys here and there, and stretches between real keys are halved, the heaviest
//! first, until the heaviest is a small share of all. A half begins and ends at keys that exist, so a gap of 10^12
//! in the middle costs one cut and is gone. How heavy a stretch is the engine estimates from its index where it can
//! (the MySQL family); else the distance that a handful of keys takes at either end tells how dense they are.
//!
//! Invariant: what comes out are keys of the table, ascending. How good they are is a matter of speed alone.

use async_trait::async_trait;

use super::EngineError;
use crate::value::{Domain, Key, KeyOrder, KeyRange, fields, put_field, put_null};

/// How many keys tell how dense they are.
pub(super) const SAMPLE: usize = 32;
/// A part is made of about this many stretches, so that it is even to within one of them.
const STRETCHES_IN_PART: f64 = 8.0;
/// Bytes of a value that are reckoned with, behind those that all values of a stretch have in common.
const WINDOW: usize = 15;

/// What is asked of a table's key, answered through an index.
#[async_trait]
pub(super) trait Probe: Send {
    /// The first [`SAMPLE`] keys of the range or, `from_end`, the last ones, last first.
    async fn keys(&mut self, range: &KeyRange, from_end: bool) -> Result<Vec<Key>, EngineError>;

    /// About how many rows the range has; `None` where the engine cannot tell.
    async fn rows(&mut self, range: &KeyRange) -> Result<Option<f64>, EngineError>;
}

/// Keys that cut the table into `parts`, none where it has fewer rows than `rows_min`. Halves at most `halvings_max`
/// times.
pub(super) async fn cuts(
    probe: &mut dyn Probe,
    order: &KeyOrder,
    parts: usize,
    rows_min: f64,
    halvings_max: usize,
) -> Result<Vec<Key>, EngineError> {
    let all = KeyRange::all();
    let (head, tail) = (probe.keys(&all, false).await?, probe.keys(&all, true).await?);
    let Some(whole) = Stretch::new(probe, order, all, head, tail).await? else { return Ok(Vec::new()) };
    let mut stretches = vec![whole];
    let mut halvings = 0;
    while let Some(at) = heaviest(&stretches, parts) {
        if halvings == halvings_max {
            // What was never looked into may be anything: no part is given up to it.
            tame(&mut stretches);
            break;
        }
        halvings += 1;
        match stretches[at].halved(probe, order).await? {
            Some(halves) => drop(stretches.splice(at..=at, halves)),
            None => stretches[at].whole = true,
        }
    }
    if stretches.iter().map(|one| one.rows).sum::<f64>() < rows_min {
        return Ok(Vec::new());
    }
    Ok(chosen(&stretches, order, parts))
}

/// The keys of a range, between two that exist.
struct Stretch {
    range: KeyRange,
    /// Its first keys, ascending, and its last ones, descending: as many as a sample has, or all there are.
    head: Vec<Key>,
    tail: Vec<Key>,
    rows: f64,
    /// Whether it cannot be halved any more.
    whole: bool,
}

impl Stretch {
    /// `None` without keys.
    async fn new(
        probe: &mut dyn Probe,
        order: &KeyOrder,
        range: KeyRange,
        head: Vec<Key>,
        tail: Vec<Key>,
    ) -> Result<Option<Stretch>, EngineError> {
        if head.is_empty() || tail.is_empty() {
            return Ok(None);
        }
        let count = head.len().min(tail.len());
        let mut stretch = Stretch { range, head, tail, rows: count as f64, whole: count < SAMPLE };
        if !stretch.whole {
            stretch.rows = stretch.estimate(probe, order).await?;
        }
        Ok(Some(stretch))
    }

    /// Cuts it in the middle of its values, not of its rows; the halves begin and end at keys that exist.
    async fn halved(
        &self,
        probe: &mut dyn Probe,
        order: &KeyOrder,
    ) -> Result<Option<[Stretch; 2]>, EngineError> {
        let Some(middle) = between(order, &self.head[0], &self.tail[0]) else { return Ok(None) };
        let lower = KeyRange { from: self.range.from.clone(), to: Some(middle.clone()) };
        let upper = KeyRange { from: Some(middle.clone()), to: self.range.to.clone() };
        let (before, after) = (probe.keys(&lower, true).await?, probe.keys(&upper, false).await?);
        let is_below = |key: &&Key| order.compare(key.bytes(), middle.bytes()).is_lt();
        // A sample that is cut short by the middle has counted its half.
        let head = self.head.iter().take_while(is_below).cloned().collect();
        let tail = self.tail.iter().take_while(|key| !is_below(key)).cloned().collect();
        let lower = Stretch::new(probe, order, lower, head, before).await?;
        let upper = Stretch::new(probe, order, upper, after, tail).await?;
        Ok(lower.zip(upper).map(|(lower, upper)| [lower, upper]))
    }

    async fn estimate(&self, probe: &mut dyn Probe, order: &KeyOrder) -> Result<f64, EngineError> {
        if let Some(rows) = probe.rows(&self.range).await? {
            return Ok(rows.max(1.0));
        }
        let (first, last) = (&self.head[0], &self.tail[0]);
        let of_head = self.head.last().and_then(|end| share(order, first, last, end)).unwrap_or(1.0);
        let of_tail = self.tail.last().and_then(|end| share(order, first, last, end)).unwrap_or(0.0);
        let sample = SAMPLE as f64;
        let from_head = if of_head > 0.0 { sample / of_head } else { self.in_groups(probe, order).await? };
        let from_tail = if of_tail < 1.0 { sample / (1.0 - of_tail) } else { from_head };
        let rows = (from_head + from_tail) / 2.0;
        Ok(rows_max(order, first, last).map_or(rows, |most| rows.min(most)).max(1.0))
    }

    /// Where many rows share the value of their first column: those of the first group, times the groups.
    async fn in_groups(&self, probe: &mut dyn Probe, order: &KeyOrder) -> Result<f64, EngineError> {
        let sample = SAMPLE as f64;
        let (first, last) = (&self.head[0], &self.tail[0]);
        let Some(next) = after_group(order, first, last) else { return Ok(sample) };
        let within = KeyRange { from: self.range.from.clone(), to: Some(next.clone()) };
        let behind = KeyRange { from: Some(next), to: self.range.to.clone() };
        let (group, others) = (probe.keys(&within, true).await?, probe.keys(&behind, false).await?);
        let (Some(group_last), Some(other), Some(head_end)) =
            (group.first(), others.first(), self.head.last())
        else {
            return Ok(sample);
        };
        let of_group = share(order, first, group_last, head_end).filter(|share| *share > 0.0);
        let of_all = share(order, first, last, other).filter(|share| *share > 0.0);
        // From the first group to the last there is one more of them than there are steps.
        Ok(sample / of_group.unwrap_or(1.0) * (1.0 / of_all.unwrap_or(1.0) + 1.0))
    }
}

/// The one to halve next; `None` where all are a small share of the whole.
fn heaviest(stretches: &[Stretch], parts: usize) -> Option<usize> {
    let total: f64 = stretches.iter().map(|one| one.rows).sum();
    let small = total / (parts as f64 * STRETCHES_IN_PART);
    let open = stretches.iter().enumerate().filter(|(_, one)| !one.whole && one.rows > small);
    open.max_by(|(_, a), (_, b)| a.rows.total_cmp(&b.rows)).map(|(at, _)| at)
}

/// Bounds the guesses about stretches that were never looked into by what the others weigh.
fn tame(stretches: &mut [Stretch]) {
    let mut rows: Vec<f64> = stretches.iter().map(|one| one.rows).collect();
    rows.sort_by(f64::total_cmp);
    let most = 4.0 * rows.get(rows.len() / 2).copied().unwrap_or_default().max(SAMPLE as f64);
    stretches.iter_mut().filter(|one| !one.whole).for_each(|one| one.rows = one.rows.min(most));
}

/// The first keys of the stretches that begin nearest to where the parts should.
fn chosen(stretches: &[Stretch], order: &KeyOrder, parts: usize) -> Vec<Key> {
    let total: f64 = stretches.iter().map(|one| one.rows).sum();
    let mut cuts: Vec<Key> = Vec::new();
    let mut before = stretches.first().map_or(0.0, |one| one.rows);
    let mut rest = stretches.iter().skip(1).peekable();
    for part in 1..parts {
        let wanted = total * part as f64 / parts as f64;
        while let Some(next) = rest.peek() {
            // The next beginning is nearer.
            if (before + next.rows - wanted).abs() >= (before - wanted).abs() {
                break;
            }
            before += next.rows;
            rest.next();
        }
        let Some(begin) = rest.peek() else { break };
        let key = &begin.head[0];
        if cuts.last().is_none_or(|last| order.compare(last.bytes(), key.bytes()).is_lt()) {
            cuts.push(key.clone());
        }
    }
    cuts
}

/// The values of two keys in the first column in which they differ, as bytes in their order.
struct Span {
    column: usize,
    tag: Option<u8>,
    /// Bytes that both begin with.
    prefix: Vec<u8>,
    /// The bytes behind, as a number.
    first: u128,
    last: u128,
    /// Bytes of the value where all values have as many.
    fixed: Option<usize>,
    /// Bytes that the numbers are made of.
    width: usize,
}

impl Span {
    fn of(order: &KeyOrder, first: &Key, last: &Key) -> Option<Span> {
        let pairs = fields(first.bytes()).zip(fields(last.bytes())).enumerate();
        let (column, (a, b)) = pairs.into_iter().find(|(_, (a, b))| a != b)?;
        let domain = &order.domains()[column];
        let ((tag, a), (other_tag, b)) = (ordered(domain, a?)?, ordered(domain, b?)?);
        if tag != other_tag {
            return None;
        }
        let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        let common = if is_text(domain, tag) { common / CHARACTER * CHARACTER } else { common };
        let fixed = (a.len() == b.len() && !has_any_length(domain, tag)).then_some(a.len());
        let width = fixed.map_or(WINDOW, |length| (length - common).min(WINDOW));
        let (first, last) = (window(&a, common, width), window(&b, common, width));
        Some(Span { column, tag, prefix: a[..common].to_vec(), first, last, fixed, width })
    }

    /// The key whose value in the column is this number, and the lowest in all columns behind.
    fn key(&self, order: &KeyOrder, first: &Key, number: u128) -> Option<Key> {
        let domain = &order.domains()[self.column];
        let mut value = self.prefix.clone();
        value.extend_from_slice(&number.to_be_bytes()[16 - self.width..]);
        match self.fixed {
            Some(length) => value.resize(length, 0),
            None => value.truncate(value.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)),
        }
        let mut key = Vec::new();
        for field in fields(first.bytes()).take(self.column) {
            match field {
                Some(field) => put_field(&mut key, field),
                None => put_null(&mut key),
            }
        }
        put_field(&mut key, &payload(domain, self.tag, &value)?);
        (self.column + 1..order.columns()).for_each(|_| put_null(&mut key));
        Some(Key::new(key))
    }
}

/// A key above the first and not above the last, in the middle of their values.
fn between(order: &KeyOrder, first: &Key, last: &Key) -> Option<Key> {
    let span = Span::of(order, first, last)?;
    let middle = span.first + (span.last - span.first).div_ceil(2);
    let key = span.key(order, first, middle)?;
    let is_above = order.compare(key.bytes(), first.bytes()).is_gt();
    (is_above && order.compare(key.bytes(), last.bytes()).is_le()).then_some(key)
}

/// The lowest key whose value is above the first one's in the first column in which the keys differ.
fn after_group(order: &KeyOrder, first: &Key, last: &Key) -> Option<Key> {
    let span = Span::of(order, first, last)?;
    span.key(order, first, span.first + 1)
}

/// How far a key is from the first to the last, from 0 to 1.
fn share(order: &KeyOrder, first: &Key, last: &Key, key: &Key) -> Option<f64> {
    let span = Span::of(order, first, last)?;
    let field = fields(key.bytes()).nth(span.column)??;
    let (tag, value) = ordered(&order.domains()[span.column], field)?;
    if tag != span.tag || span.last <= span.first {
        return None;
    }
    let number = window(&value, span.prefix.len(), span.width).clamp(span.first, span.last);
    Some((number - span.first) as f64 / (span.last - span.first) as f64)
}

/// As many rows as there are values, where a single column of whole numbers can tell.
fn rows_max(order: &KeyOrder, first: &Key, last: &Key) -> Option<f64> {
    let span = Span::of(order, first, last)?;
    let domain = &order.domains()[span.column];
    let whole = matches!(domain, Domain::Integer { bytes: ..9 } | Domain::Date)
        || (matches!(domain, Domain::Storage { .. }) && span.tag == Some(b'i'));
    (whole && span.column + 1 == order.columns()).then(|| (span.last - span.first) as f64 + 1.0)
}

/// Bytes that stand for a character, so that they sort as it does.
const CHARACTER: usize = 3;

fn is_text(domain: &Domain, tag: Option<u8>) -> bool {
    matches!(domain, Domain::Text) || tag == Some(b't')
}

fn has_any_length(domain: &Domain, tag: Option<u8>) -> bool {
    matches!(domain, Domain::Text | Domain::Bytes) || matches!(tag, Some(b't' | b'b'))
}

fn window(value: &[u8], from: usize, width: usize) -> u128 {
    let bytes = value[from.min(value.len())..].iter().copied().chain(std::iter::repeat(0)).take(width);
    bytes.fold(0, |number, byte| number << 8 | u128::from(byte))
}

/// A payload as bytes that sort by themselves, and the tag of its storage class; `None` where that is not known.
fn ordered(domain: &Domain, payload: &[u8]) -> Option<(Option<u8>, Vec<u8>)> {
    match domain {
        Domain::Integer { .. } | Domain::Date | Domain::Time | Domain::DateTime | Domain::Instant => {
            Some((None, signed(payload)))
        }
        Domain::Boolean | Domain::Bytes | Domain::Uuid => Some((None, payload.to_vec())),
        Domain::Text => Some((None, characters(payload)?)),
        Domain::Storage { .. } => {
            let (tag, rest) = payload.split_first()?;
            let value = match tag {
                b'i' => signed(rest),
                b't' => characters(rest)?,
                b'b' => rest.to_vec(),
                b'r' => real(rest),
                _ => return None,
            };
            Some((Some(*tag), value))
        }
        _ => None,
    }
}

/// The inverse of [`ordered`], for bytes that need not be any value's: the nearest one's then.
fn payload(domain: &Domain, tag: Option<u8>, value: &[u8]) -> Option<Vec<u8>> {
    let plain = match (domain, tag) {
        (Domain::Text, _) | (_, Some(b't')) => text(value),
        (Domain::Boolean | Domain::Bytes | Domain::Uuid, _) | (_, Some(b'b')) => value.to_vec(),
        (_, Some(b'r')) => unreal(value)?,
        _ => signed(value),
    };
    Some(tag.into_iter().chain(plain).collect())
}

/// Two's complement in the order of bytes, and back.
fn signed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first ^= 0x80;
    }
    bytes
}

/// A double in the order of bytes: those below zero run backwards.
fn real(bytes: &[u8]) -> Vec<u8> {
    let flipped = bytes.first().is_some_and(|first| *first >= 0x80);
    if flipped { bytes.iter().map(|byte| !byte).collect() } else { signed(bytes) }
}

fn unreal(value: &[u8]) -> Option<Vec<u8>> {
    let above = value.first().is_some_and(|first| *first >= 0x80);
    let bytes: Vec<u8> = if above { signed(value) } else { value.iter().map(|byte| !byte).collect() };
    let number = f64::from_be_bytes(bytes.as_slice().try_into().ok()?);
    number.is_finite().then_some(bytes)
}

fn characters(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    // What lies behind the common beginning and a window is not looked at, but that beginning may be long.
    Some(text.chars().flat_map(|c| u32::from(c).to_be_bytes()[4 - CHARACTER..].to_vec()).collect())
}

fn text(value: &[u8]) -> Vec<u8> {
    let character = |bytes: &[u8]| {
        let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
        let code = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        // A surrogate is no character, and nothing lies above the last one. No engine takes a NUL everywhere.
        char::from_u32(code.clamp(1, 0x10_ffff)).unwrap_or('\u{e000}')
    };
    value.chunks(CHARACTER).map(character).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Value, encode};

    /// A table that is only its keys.
    struct Keys {
        keys: Vec<Key>,
        order: KeyOrder,
        asked: usize,
    }

    impl Keys {
        fn new(domains: &[Domain], rows: impl IntoIterator<Item = Vec<Value>>) -> Keys {
            let order = KeyOrder::new(domains);
            let mut keys: Vec<Key> = rows.into_iter().map(|row| key(domains, &row)).collect();
            keys.sort_by(|a, b| order.compare(a.bytes(), b.bytes()));
            keys.dedup();
            Keys { keys, order, asked: 0 }
        }

        fn place(&self, bound: &Key) -> usize {
            self.keys.partition_point(|key| self.order.compare(key.bytes(), bound.bytes()).is_lt())
        }

        /// The share of the largest part in an even one.
        fn largest_part(&mut self, parts: usize) -> f64 {
            let order = self.order.clone();
            let cuts = cuts(self, &order, parts, 1_000.0, 512);
            let cuts = futures_util::FutureExt::now_or_never(cuts).expect("nothing waits").expect("cuts");
            let mut places: Vec<usize> = cuts.iter().map(|cut| self.place(cut)).collect();
            places.insert(0, 0);
            places.push(self.keys.len());
            let largest = places.windows(2).map(|pair| pair[1] - pair[0]).max().expect("a part");
            largest as f64 * parts as f64 / self.keys.len() as f64
        }
    }

    fn key(domains: &[Domain], row: &[Value]) -> Key {
        let mut bytes = Vec::new();
        for (domain, value) in domains.iter().zip(row) {
            encode(&mut bytes, domain, value).expect("a value of the domain");
        }
        Key::new(bytes)
    }

    #[async_trait]
    impl Probe for Keys {
        async fn keys(&mut self, range: &KeyRange, from_end: bool) -> Result<Vec<Key>, EngineError> {
            self.asked += 1;
            let from = range.from.as_ref().map_or(0, |from| self.place(from));
            let to = range.to.as_ref().map_or(self.keys.len(), |to| self.place(to));
            let found = &self.keys[from..to.max(from)];
            Ok(match from_end {
                true => found.iter().rev().take(SAMPLE).cloned().collect(),
                false => found.iter().take(SAMPLE).cloned().collect(),
            })
        }

        async fn rows(&mut self, _range: &KeyRange) -> Result<Option<f64>, EngineError> {
            Ok(None)
        }
    }

    const INTEGER: Domain = Domain::Integer { bytes: 8 };

    fn integers(values: impl IntoIterator<Item = i128>) -> Keys {
        Keys::new(&[INTEGER], values.into_iter().map(|value| vec![Value::Integer(value)]))
    }

    fn mixed(value: i128) -> u64 {
        blake3::hash(&value.to_be_bytes()).as_bytes()[..8]
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    #[test]
    fn integers_are_cut_evenly_whatever_gaps_they_have() {
        let gap = 1_000_000_000_000;
        let cases: Vec<(&str, Vec<i128>)> = vec![
            ("dense", (0..100_000).collect()),
            ("negative too", (-50_000..50_000).collect()),
            ("one gap", (0..50_000).chain(gap..gap + 50_000).collect()),
            ("gaps, uneven", (0..10_000).chain(gap..gap + 90_000).collect()),
            ("many gaps", (0..100_000).map(|at| at + at / 1_000 * gap).collect()),
            ("a far row", (0..100_000).chain([i64::MAX.into()]).collect()),
            ("far rows", [i64::MIN.into()].into_iter().chain(0..100_000).chain([i64::MAX.into()]).collect()),
            ("random", (0..100_000).map(|at| i128::from(mixed(at) as i64)).collect()),
            ("sparse, then dense", (0..10_000).map(|at| at * 1_000).chain(10_000_000..10_090_000).collect()),
            ("squares", (0..100_000).map(|at| at * at).collect()),
            ("by the day", (0..200).flat_map(|day| (0..500).map(move |at| day * 100_000_000 + at)).collect()),
        ];
        for (name, values) in cases {
            let mut keys = integers(values);
            let largest = keys.largest_part(4);
            println!("{name}: {largest:.2} of an even part, {} questions", keys.asked);
            assert!(largest < 1.6, "{name}: {largest}");
        }
    }

    #[test]
    fn other_keys_are_cut_well() {
        let two = [INTEGER, INTEGER];
        let pair = |a: i128, b: i128| vec![Value::Integer(a), Value::Integer(b)];
        let text = |text: String| vec![Value::Text(text)];
        let storage = Domain::Storage { expected: None };
        let uuid = |at: i128| {
            vec![Value::Uuid(blake3::hash(&at.to_be_bytes()).as_bytes()[..16].try_into().expect("16"))]
        };
        let cases: Vec<(&str, Keys)> = vec![
            ("few groups", Keys::new(&two, (0..100_000).map(|at| pair(at / 20_000, at)))),
            ("many groups", Keys::new(&two, (0..100_000).map(|at| pair(at / 5, at % 5)))),
            ("one group", Keys::new(&two, (0..100_000).map(|at| pair(7, at)))),
            ("uuids", Keys::new(&[Domain::Uuid], (0..100_000).map(uuid))),
            (
                "numbers as text",
                Keys::new(&[Domain::Text], (0..100_000).map(|at| text(format!("customer-{at:08}")))),
            ),
            ("words", Keys::new(&[Domain::Text], (0..100_000).map(|at| text(format!("{:x}", mixed(at)))))),
            (
                "storage",
                Keys::new(std::slice::from_ref(&storage), (0..100_000).map(|at| vec![Value::Integer(at)])),
            ),
            ("texts in storage", Keys::new(&[storage], (0..100_000).map(|at| text(format!("{at:06}"))))),
            (
                "days",
                Keys::new(
                    &[Domain::DateTime],
                    (0..100_000)
                        .map(|at| vec![Value::DateTime(crate::value::Stamp(i64::from(at) * 60_000_000))]),
                ),
            ),
        ];
        for (name, mut keys) in cases {
            let largest = keys.largest_part(4);
            println!("{name}: {largest:.2} of an even part, {} questions", keys.asked);
            assert!(largest < 2.0, "{name}: {largest}");
        }
    }

    #[test]
    fn small_and_odd_tables_are_left_whole() {
        assert_eq!(integers(0..900).largest_part(4), 4.0);
        assert_eq!(integers([5]).largest_part(4), 4.0);
        let nulls = Keys::new(&[INTEGER, INTEGER], (0..10).map(|at| vec![Value::Null, Value::Integer(at)]));
        assert_eq!(nulls.keys.len(), 10);
    }
}
