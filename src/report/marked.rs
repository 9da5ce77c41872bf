//! Two texts with what differs between them marked, and what they have in common left out where it is long.
//!
//! In colour the differing part is underlined; without, it stands in the brackets of `git diff --word-diff`:
//! `[-old-]` and `{+new+}`. Where both would look the same (one é is one character, the other two) the differing part
//! is spelled in code points.

use anstyle::Style;
use similar::{ChangeTag, TextDiff};
use unicode_normalization::UnicodeNormalization;

use crate::value::Value;

use super::paint::{GREEN, Paint, RED};
use super::text_value::{BYTES_MAX, CHARS_MAX, hex, shown};
use super::words::{escaped, thousands, visible};

/// Texts shorter than this are read at a glance.
const CHARS_MIN: usize = 16;
/// Longer differing middles are not looked into; finding the smallest difference costs more than it helps.
const MIDDLE_CHARS_MAX: usize = 2_000;
/// How much of what is common is shown beside a difference.
const CONTEXT_CHARS: usize = 24;
/// How much of one differing part is shown.
const PART_CHARS_MAX: usize = 120;

/// Two different values, so that what differs is seen even where they are long.
pub fn both(before: &Value, after: &Value, paint: Paint) -> (String, String) {
    let marked = match (before, after) {
        (Value::Text(before), Value::Text(after)) => texts(before, after, QUOTED, paint),
        (Value::Json(before), Value::Json(after)) | (Value::Native(before), Value::Native(after)) => {
            texts(before, after, BARE, paint)
        }
        (Value::Decimal(before), Value::Decimal(after)) => {
            marked(before.as_str(), after.as_str(), BARE, paint)
        }
        (Value::OtherStorage(before), Value::OtherStorage(after)) => {
            let (old, new) = both(before, after, paint);
            let class = super::text_value::storage_class;
            Some((format!("{} {old}", class(before)), format!("{} {new}", class(after))))
        }
        (Value::Bytes(before), Value::Bytes(after)) | (Value::RawText(before), Value::RawText(after)) => {
            let (old, new) = bytes(before, after);
            Some((paint.on(RED, old), paint.on(GREEN, new)))
        }
        _ => None,
    };
    marked.unwrap_or_else(|| (paint.on(RED, shown(before)), paint.on(GREEN, shown(after))))
}

/// Both from where they begin to differ, if that is not at their beginning.
fn bytes(before: &[u8], after: &[u8]) -> (String, String) {
    let (head, _) = common(before, after);
    if before.len().max(after.len()) <= BYTES_MAX || head < BYTES_MAX / 2 {
        return (hex(before), hex(after));
    }
    let from = head - BYTES_MAX / 4;
    let part = |bytes: &[u8]| {
        let to = bytes.len().min(from + BYTES_MAX);
        let digits: String = bytes[from..to].iter().map(|byte| format!("{byte:02x}")).collect();
        let tail = if to < bytes.len() { "…" } else { "" };
        let (length, place) = (thousands(bytes.len() as u64), thousands(from as u64));
        format!("x'…{digits}{tail}' ({length} bytes, from byte {place})")
    };
    (part(before), part(after))
}

/// How a text is shown.
#[derive(Clone, Copy)]
struct Form {
    /// What stands around it.
    quote: &'static str,
    /// How characters that both texts have are shown.
    common: fn(&str) -> String,
    /// How those are shown that differ.
    differing: fn(&str) -> String,
}

const QUOTED: Form = Form { quote: "\"", common: escaped, differing: escaped };
const BARE: Form = Form { quote: "", common: visible, differing: visible };

/// Text with everything but ASCII as code points.
fn code_points(text: &str) -> String {
    let spelled = |character: char| match character {
        _ if character.is_ascii() => escaped(character.encode_utf8(&mut [0; 4])),
        _ => character.escape_unicode().to_string(),
    };
    text.chars().map(spelled).collect()
}

fn texts(before: &str, after: &str, form: Form, paint: Paint) -> Option<(String, String)> {
    let alike = !before.is_ascii() && before.nfc().eq(after.nfc());
    if !alike {
        return marked(before, after, form, paint);
    }
    let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let (head, tail) = common(&before, &after);
    let parts = |chars: &[char]| -> Vec<Segment> {
        let (middle, end) = (head, chars.len() - tail);
        let parts = [(&chars[..middle], false), (&chars[middle..end], true), (&chars[end..], false)];
        let segment = |(part, differs): (&[char], bool)| Segment { text: part.iter().collect(), differs };
        parts.into_iter().map(segment).collect()
    };
    let form = Form { differing: code_points, ..form };
    Some(both_rendered(&before, &parts(&before), &after, &parts(&after), form, paint))
}

struct Segment {
    text: String,
    differs: bool,
}

/// Both texts with their differing parts marked; `None` where marking would not help: a short text, or two that
/// have little in common and differ in what is shown of them.
fn marked(before: &str, after: &str, form: Form, paint: Paint) -> Option<(String, String)> {
    let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    if before.len().min(after.len()) < CHARS_MIN {
        return None;
    }
    let (head, tail) = common(&before, &after);
    let seen_shortened = head.min(tail) < CHARS_MAX / 2;
    let (old, new) = segments(&before, &after);
    let common: usize = old.iter().filter(|part| !part.differs).map(|part| part.text.chars().count()).sum();
    if seen_shortened && 3 * common < before.len().min(after.len()) {
        return None;
    }
    Some(both_rendered(&before, &old, &after, &new, form, paint))
}

fn both_rendered(
    before: &[char],
    old: &[Segment],
    after: &[char],
    new: &[Segment],
    form: Form,
    paint: Paint,
) -> (String, String) {
    let old = rendered(old, before.len(), form, Marks { style: RED, plain: ("[-", "-]"), paint });
    let new = rendered(new, after.len(), form, Marks { style: GREEN, plain: ("{+", "+}"), paint });
    (old, new)
}

/// Common beginning and end first, up to whole words: they are the most and cost the least. What is left is
/// compared by words.
fn segments(before: &[char], after: &[char]) -> (Vec<Segment>, Vec<Segment>) {
    let (head, _) = common(before, after);
    let head = before[..head].iter().rposition(|character| character.is_whitespace()).map_or(0, |at| at + 1);
    let (before_rest, after_rest) = (&before[head..], &after[head..]);
    let (_, tail) = common(before_rest, after_rest);
    let tail = &before[before.len() - tail..];
    let tail = tail.iter().position(|character| character.is_whitespace()).map_or(0, |at| tail.len() - at);
    let middle = |rest: &[char]| rest[..rest.len() - tail].iter().collect::<String>();
    let mut pair = Pair::default();
    pair.push_equal(&before[..head].iter().collect::<String>());
    pair.push_middle(&middle(before_rest), &middle(after_rest));
    pair.push_equal(&before[before.len() - tail..].iter().collect::<String>());
    (pair.old, pair.new)
}

/// How long the common beginning is, and the common end of what is left.
fn common<T: PartialEq>(a: &[T], b: &[T]) -> (usize, usize) {
    let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    (head, tail)
}

/// Both sides while they are put together.
#[derive(Default)]
struct Pair {
    old: Vec<Segment>,
    new: Vec<Segment>,
}

impl Pair {
    fn push_equal(&mut self, text: &str) {
        push(&mut self.old, text, false);
        push(&mut self.new, text, false);
    }

    fn push_middle(&mut self, old: &str, new: &str) {
        if old.chars().count().max(new.chars().count()) > MIDDLE_CHARS_MAX {
            push(&mut self.old, old, true);
            push(&mut self.new, new, true);
            return;
        }
        let (mut removed, mut added) = (String::new(), String::new());
        for change in TextDiff::from_words(old, new).iter_all_changes() {
            match change.tag() {
                ChangeTag::Delete => removed.push_str(change.value()),
                ChangeTag::Insert => added.push_str(change.value()),
                ChangeTag::Equal => {
                    self.push_replaced(&removed, &added);
                    removed.clear();
                    added.clear();
                    self.push_equal(change.value());
                }
            }
        }
        self.push_replaced(&removed, &added);
    }

    /// Words in the place of others. Where they have most letters in common it is a letter that was changed.
    fn push_replaced(&mut self, removed: &str, added: &str) {
        if removed.is_empty() && added.is_empty() {
            return;
        }
        let (old, new): (Vec<char>, Vec<char>) = (removed.chars().collect(), added.chars().collect());
        let (head, tail) = common(&old, &new);
        let (head, tail) = if 2 * (head + tail) >= old.len().max(new.len()) { (head, tail) } else { (0, 0) };
        let text = |chars: &[char]| chars.iter().collect::<String>();
        self.push_equal(&text(&old[..head]));
        push(&mut self.old, &text(&old[head..old.len() - tail]), true);
        push(&mut self.new, &text(&new[head..new.len() - tail]), true);
        self.push_equal(&text(&old[old.len() - tail..]));
    }
}

/// Adds to the last part where that is of the same kind.
fn push(parts: &mut Vec<Segment>, text: &str, differs: bool) {
    // An empty part that differs stays: it is where the other side has something.
    if text.is_empty() && !differs {
        return;
    }
    match parts.last_mut().filter(|last| last.differs == differs) {
        Some(last) => last.text.push_str(text),
        None => parts.push(Segment { text: text.to_owned(), differs }),
    }
}

struct Marks {
    style: Style,
    plain: (&'static str, &'static str),
    paint: Paint,
}

fn rendered(parts: &[Segment], length: usize, form: Form, marks: Marks) -> String {
    let mut shown = form.quote.to_owned();
    let mut cut = false;
    for (index, part) in parts.iter().enumerate() {
        let show = if part.differs { form.differing } else { form.common };
        let (text, was_cut) = kept(part, index == 0, index + 1 == parts.len(), show);
        cut |= was_cut;
        match (part.differs, marks.paint) {
            _ if !part.differs || text.is_empty() => shown.push_str(&text),
            (_, Paint::Colour) => shown.push_str(&marks.paint.on(marks.style.underline(), text)),
            (_, Paint::Plain) => shown.extend([marks.plain.0, &text, marks.plain.1]),
        }
    }
    shown.push_str(form.quote);
    if cut {
        shown.push_str(&format!(" ({} characters)", thousands(length as u64)));
    }
    shown
}

/// The part of a segment that is shown, escaped, and whether something was left out.
fn kept(part: &Segment, first: bool, last: bool, show: fn(&str) -> String) -> (String, bool) {
    let chars: Vec<char> = part.text.chars().collect();
    let (head, tail) = match (part.differs, first, last) {
        (true, _, _) => (PART_CHARS_MAX / 2, PART_CHARS_MAX / 2),
        (false, true, false) => (0, CONTEXT_CHARS),
        (false, false, true) => (CONTEXT_CHARS, 0),
        (false, _, _) => (CONTEXT_CHARS, CONTEXT_CHARS),
    };
    // To leave out less than a few characters would only make it harder to read.
    if chars.len() <= head + tail + 8 {
        return (show(&part.text), false);
    }
    let text = |chars: &[char]| show(&chars.iter().collect::<String>());
    (format!("{}…{}", text(&chars[..head]), text(&chars[chars.len() - tail..])), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        match texts(before, after, QUOTED, Paint::Plain) {
            Some((before, after)) => format!("{before} -> {after}"),
            None => "not marked".to_owned(),
        }
    }

    fn values(before: Value, after: Value) -> String {
        let (before, after) = both(&before, &after, Paint::Plain);
        format!("{before} -> {after}")
    }

    #[test]
    fn two_long_values_never_look_alike() {
        let bytes = |middle: u8| {
            let mut bytes = vec![7; 1_000];
            bytes[500] = middle;
            Value::Bytes(bytes)
        };
        insta::assert_snapshot!(values(bytes(1), bytes(2)), @r#"x'…07070707010707070707070707070707…' (1,000 bytes, from byte 496) -> x'…07070707020707070707070707070707…' (1,000 bytes, from byte 496)"#);
        let json = |middle: &str| {
            Value::Json(format!("{{\"a\": \"{}{middle}{}\"}}", "x".repeat(60), "y".repeat(60)))
        };
        insta::assert_snapshot!(values(json("1"), json("2\n")), @r#"…xxxxxxxxxxxxxxxxxxxxxxxx[-1-]yyyyyyyyyyyyyyyyyyyyyyyy… (130 characters) -> …xxxxxxxxxxxxxxxxxxxxxxxx{+2\n+}yyyyyyyyyyyyyyyyyyyyyyyy… (131 characters)"#);
        let ends =
            |middle: &str| Value::Text(format!("{}{}{}", "h".repeat(40), middle.repeat(300), "t".repeat(40)));
        let (before, after) = both(&ends("ab"), &ends("cd"), Paint::Plain);
        assert!(before.contains("[-") && after.contains("{+"), "{before} -> {after}");
        assert!(before.len() < 400, "{before}");
        let digits = |middle: u32| Value::Native(format!("{}{middle}{}", "1".repeat(40), "2".repeat(40)));
        insta::assert_snapshot!(values(digits(3), digits(4)), @r#"…111111111111111111111111[-3-]222222222222222222222222… (81 characters) -> …111111111111111111111111{+4+}222222222222222222222222… (81 characters)"#);
    }

    #[test]
    fn what_differs_is_marked() {
        insta::assert_snapshot!(shown("ada.lovelace@exmaple.org", "ada.lovelace@example.org"), @r#""ada.lovelace@ex[-ma-]ple.org" -> "ada.lovelace@ex{+am+}ple.org""#);
        insta::assert_snapshot!(shown("the quick brown fox jumps", "the quick red fox leaps"), @r#""the quick [-brown-] fox [-jumps-]" -> "the quick {+red+} fox {+leaps+}""#);
        insta::assert_snapshot!(shown("short", "shore"), @"not marked");
        insta::assert_snapshot!(shown("nothing in common here", "0123456789012345678901"), @"not marked");
        let long = "lorem ipsum dolor sit amet ".repeat(40);
        insta::assert_snapshot!(shown(&format!("{long}old{long}"), &format!("{long}new\n{long}")), @r#""…em ipsum dolor sit amet [-old-]lorem ipsum dolor sit am…" (2,163 characters) -> "…em ipsum dolor sit amet {+new\n+}lorem ipsum dolor sit am…" (2,164 characters)"#);
    }

    #[test]
    fn texts_that_look_the_same_are_spelled() {
        insta::assert_snapshot!(shown("Caf\u{e9}", "Cafe\u{301}"), @r#""Caf[-\u{e9}-]" -> "Caf{+e\u{301}+}""#);
        let long = |e: &str| format!("{}Zo{e} und Ren\u{e9}e{}", "m\u{fc}de ".repeat(20), " ja".repeat(40));
        insta::assert_snapshot!(shown(&long("\u{eb}"), &long("e\u{308}")), @r#""…e müde müde müde müde Zo[-\u{eb}-] und Renée ja ja ja ja j…" (233 characters) -> "…e müde müde müde müde Zo{+e\u{308}+} und Renée ja ja ja ja j…" (234 characters)"#);
    }

    #[test]
    fn nothing_but_the_mark_differs() {
        let (before, after) = ("a b c d e f g h i j k", "a b X d e f Y h i j k l");
        let (old, new) = segments(&before.chars().collect::<Vec<_>>(), &after.chars().collect::<Vec<_>>());
        let whole = |parts: &[Segment]| parts.iter().map(|part| part.text.as_str()).collect::<String>();
        let equal = |parts: &[Segment]| {
            parts.iter().filter(|part| !part.differs).map(|part| part.text.as_str()).collect::<String>()
        };
        assert_eq!((whole(&old).as_str(), whole(&new).as_str()), (before, after));
        assert_eq!(equal(&old), equal(&new));
    }
}
