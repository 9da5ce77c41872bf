//! Two texts with what differs between them marked, and what they have in common left out where it is long.
//!
//! In colour the differing part is underlined; without, it stands in the brackets of `git diff --word-diff`:
//! `[-old-]` and `{+new+}`.

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use super::paint::{GREEN, Paint, RED};
use super::words::{escaped, thousands};

/// Texts shorter than this are read at a glance.
const CHARS_MIN: usize = 16;
/// Longer differing middles are not looked into; finding the smallest difference costs more than it helps.
const MIDDLE_CHARS_MAX: usize = 2_000;
/// How much of what is common is shown beside a difference.
const CONTEXT_CHARS: usize = 24;
/// How much of one differing part is shown.
const PART_CHARS_MAX: usize = 120;

struct Segment {
    text: String,
    differs: bool,
}

/// Both texts in quotes with their differing parts marked; `None` where marking would not help: a short text,
/// or two that have little in common.
pub fn marked(before: &str, after: &str, paint: Paint) -> Option<(String, String)> {
    let (before, after): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    if before.len().min(after.len()) < CHARS_MIN {
        return None;
    }
    let (old, new) = segments(&before, &after);
    let common: usize = old.iter().filter(|part| !part.differs).map(|part| part.text.chars().count()).sum();
    if 3 * common < before.len().min(after.len()) {
        return None;
    }
    let old = rendered(&old, before.len(), RED, ("[-", "-]"), paint);
    let new = rendered(&new, after.len(), GREEN, ("{+", "+}"), paint);
    Some((old, new))
}

/// Common beginning and end first: they are the most and cost the least. What is left is compared by words.
fn segments(before: &[char], after: &[char]) -> (Vec<Segment>, Vec<Segment>) {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (before_rest, after_rest) = (&before[head..], &after[head..]);
    let tail = before_rest.iter().rev().zip(after_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = |rest: &[char]| rest[..rest.len() - tail].iter().collect::<String>();
    let (old, new) = (middle(before_rest), middle(after_rest));
    let (mut old, mut new) = middle_segments(&old, &new);
    let head: String = before[..head].iter().collect();
    let tail: String = before[before.len() - tail..].iter().collect();
    for side in [&mut old, &mut new] {
        side.insert(0, Segment { text: head.clone(), differs: false });
        side.push(Segment { text: tail.clone(), differs: false });
        side.retain(|segment| !segment.text.is_empty());
    }
    (old, new)
}

fn middle_segments(old: &str, new: &str) -> (Vec<Segment>, Vec<Segment>) {
    let whole = |text: &str| vec![Segment { text: text.to_owned(), differs: true }];
    if old.chars().count().max(new.chars().count()) > MIDDLE_CHARS_MAX {
        return (whole(old), whole(new));
    }
    let (mut old_parts, mut new_parts) = (Vec::new(), Vec::new());
    for change in TextDiff::from_words(old, new).iter_all_changes() {
        let differs = change.tag() != ChangeTag::Equal;
        if change.tag() != ChangeTag::Insert {
            push(&mut old_parts, change.value(), differs);
        }
        if change.tag() != ChangeTag::Delete {
            push(&mut new_parts, change.value(), differs);
        }
    }
    (old_parts, new_parts)
}

/// Adds to the last part where that is of the same kind.
fn push(parts: &mut Vec<Segment>, text: &str, differs: bool) {
    match parts.last_mut().filter(|last| last.differs == differs) {
        Some(last) => last.text.push_str(text),
        None => parts.push(Segment { text: text.to_owned(), differs }),
    }
}

fn rendered(parts: &[Segment], length: usize, style: Style, marks: (&str, &str), paint: Paint) -> String {
    let mut shown = String::from("\"");
    let mut cut = false;
    for (index, part) in parts.iter().enumerate() {
        let (text, was_cut) = kept(part, index == 0, index + 1 == parts.len());
        cut |= was_cut;
        match (part.differs, paint) {
            (false, _) => shown.push_str(&text),
            (true, Paint::Colour) => shown.push_str(&paint.on(style.underline(), text)),
            (true, Paint::Plain) => shown.extend([marks.0, &text, marks.1]),
        }
    }
    shown.push('"');
    if cut {
        shown.push_str(&format!(" ({} characters)", thousands(length as u64)));
    }
    shown
}

/// The part of a segment that is shown, escaped, and whether something was left out.
fn kept(part: &Segment, first: bool, last: bool) -> (String, bool) {
    let chars: Vec<char> = part.text.chars().collect();
    let (head, tail) = match (part.differs, first, last) {
        (true, _, _) => (PART_CHARS_MAX / 2, PART_CHARS_MAX / 2),
        (false, true, false) => (0, CONTEXT_CHARS),
        (false, false, true) => (CONTEXT_CHARS, 0),
        (false, _, _) => (CONTEXT_CHARS, CONTEXT_CHARS),
    };
    // To leave out less than a few characters would only make it harder to read.
    if chars.len() <= head + tail + 8 {
        return (escaped(&part.text), false);
    }
    let text = |chars: &[char]| escaped(&chars.iter().collect::<String>());
    (format!("{}…{}", text(&chars[..head]), text(&chars[chars.len() - tail..])), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        match marked(before, after, Paint::Plain) {
            Some((before, after)) => format!("{before} -> {after}"),
            None => "not marked".to_owned(),
        }
    }

    #[test]
    fn what_differs_is_marked() {
        insta::assert_snapshot!(shown("ada.lovelace@exmaple.org", "ada.lovelace@example.org"), @r#""ada.lovelace@ex[-ma-]ple.org" -> "ada.lovelace@ex{+am+}ple.org""#);
        insta::assert_snapshot!(shown("the quick brown fox jumps", "the quick red fox leaps"), @r#""the quick [-brown-] fox [-jum-]ps" -> "the quick {+red+} fox {+lea+}ps""#);
        insta::assert_snapshot!(shown("short", "shore"), @"not marked");
        insta::assert_snapshot!(shown("nothing in common here", "0123456789012345678901"), @"not marked");
        let long = "lorem ipsum dolor sit amet ".repeat(40);
        insta::assert_snapshot!(shown(&format!("{long}old{long}"), &format!("{long}new\n{long}")), @r#""…em ipsum dolor sit amet [-old-]lorem ipsum dolor sit am…" (2,163 characters) -> "…em ipsum dolor sit amet {+new\n+}lorem ipsum dolor sit am…" (2,164 characters)"#);
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
