//! Where a sequence must stand once a plan is applied: its next number is below neither the primary's nor the
//! replica's own rows, and it is never set back.
//!
//! Everything is reckoned along the sequence's course, so that one that descends is as one that ascends: further along
//! is larger. A sequence keeps its stride: one that gives odd numbers goes on with odd ones. Invariant: what stands far
//! enough is left alone, and so is what could only be set back.

use crate::schema::{Commit, SchemaAction, SchemaChange};
use crate::sql::{Numbering, Sequence, TableName};

/// The course of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    sign: i128,
    stride: i128,
    /// The first and the last number it gives, along the course.
    first: i128,
    last: i128,
    cycles: bool,
}

impl Course {
    /// The course of this sequence.
    pub fn of(sequence: &Sequence) -> Self {
        let sign = if sequence.descends() { -1 } else { 1 };
        let ends = [sequence.min.saturating_mul(sign), sequence.max.saturating_mul(sign)];
        Course {
            sign,
            stride: i128::from(sequence.increment).abs().max(1),
            first: sequence.start.map_or(ends[0].min(ends[1]), |start| i128::from(start) * sign),
            last: ends[0].max(ends[1]),
            cycles: sequence.cycles,
        }
    }

    /// Whether another sequence runs in the same direction.
    pub fn agrees(&self, other: &Course) -> bool {
        self.sign == other.sign
    }

    /// A number along the course; and back again.
    pub fn along(&self, number: i128) -> i128 {
        number.saturating_mul(self.sign)
    }

    /// The next number, along the course, of a sequence that stands at `number`, which it has given already
    /// (`given`) or gives next; where it never gave any, its first.
    pub fn next(&self, position: Option<(i128, bool)>) -> i128 {
        match position {
            Some((number, given)) => self.along(number).saturating_add(if given { self.stride } else { 0 }),
            None => self.first,
        }
    }

    /// Whether it gives that number, whatever its stride.
    pub fn gives(sequence: &Sequence, number: i128) -> bool {
        (sequence.min..=sequence.max).contains(&number)
    }

    /// Whether the replica's rows say where it must stand: not where it is meant to give the same numbers again.
    pub fn minds_rows(&self) -> bool {
        !self.cycles
    }

    /// The first number it can come to from `now` that is not before `wanted`; beyond its last number where there is
    /// none. `None` where it stands far enough, or has nothing left to give up.
    pub fn reach(&self, now: i128, wanted: i128) -> Option<i128> {
        if now >= wanted || now > self.last {
            return None;
        }
        // Rows may hold numbers that no sequence comes to.
        let gap = wanted.saturating_sub(now);
        let strides = gap / self.stride + i128::from(gap % self.stride != 0);
        let next = now.saturating_add(strides.saturating_mul(self.stride));
        match next > self.last {
            true if self.cycles => None,
            true => Some(self.last.saturating_add(1)),
            false => Some(next),
        }
    }

    /// In words.
    fn words(&self, next: i128) -> String {
        match next > self.last {
            true => "no number left".to_owned(),
            false => format!("next number {}", self.along(next)),
        }
    }
}

/// The step that moves the sequence of a replica's column from `now` to `next`, both along its course. `None` where
/// the engine cannot do that.
pub fn set_sequence(
    numbering: &dyn Numbering,
    table: &TableName,
    sequence: &Sequence,
    now: i128,
    next: i128,
    withheld: bool,
) -> Option<SchemaChange> {
    let course = Course::of(sequence);
    let sql = numbering.set(table, sequence, course.along(next));
    (!sql.is_empty()).then(|| SchemaChange {
        action: SchemaAction::SetSequence,
        object: format!("{}.{}", table.name, sequence.column),
        sql,
        before: Some(course.words(now)),
        after: Some(course.words(next)),
        hazards: Vec::new(),
        withheld,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(increment: i64, min: i128, max: i128) -> Course {
        Course::of(&Sequence { increment, min, max, ..Sequence::counter("id", max) })
    }

    #[test]
    fn a_sequence_keeps_its_stride() {
        let odd = course(2, 1, 99);
        assert_eq!(odd.next(None), 1);
        assert_eq!(odd.next(Some((5, true))), 7);
        assert_eq!(odd.next(Some((5, false))), 5);
        assert_eq!(odd.reach(7, 7), None);
        assert_eq!(odd.reach(7, 8), Some(9));
        assert_eq!(odd.reach(7, 9), Some(9));
        assert_eq!(odd.reach(1, 40), Some(41));
    }

    #[test]
    fn what_descends_is_the_same_the_other_way_round() {
        let down = course(-1, -100, -1);
        assert_eq!(down.next(None), 1);
        assert_eq!(down.next(Some((-5, true))), 6);
        assert_eq!(down.along(6), -6);
        assert_eq!(down.reach(6, down.along(-9)), Some(9));
        assert!(!down.agrees(&course(1, 1, 9)));
    }

    #[test]
    fn numbers_that_no_sequence_comes_to_do_no_harm() {
        for far in [i128::MAX, i128::MIN] {
            for course in [course(7, 1, i128::from(i64::MAX)), course(-7, i128::from(i64::MIN), -1)] {
                let along = course.along(far);
                assert_eq!(course.reach(1, along), (along > 1).then_some(course.last + 1));
                course.next(Some((far, true)));
            }
        }
    }

    #[test]
    fn at_its_end_there_is_nothing_left_to_give() {
        let small = course(1, 1, 127);
        assert_eq!(small.reach(100, 128), Some(128));
        assert_eq!(small.words(128), "no number left");
        // It stands there already.
        assert_eq!(small.reach(128, 200), None);
        let round = Course { cycles: true, ..small };
        assert_eq!(round.reach(100, 128), None);
        assert_eq!(round.reach(100, 120), Some(120));
    }
}
