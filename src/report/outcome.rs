//! What a run amounts to for a replica, and the exit code of several replicas together.

use crate::failure::ErrorKind;
use crate::plan::{Applied, Outcome, Plan, ReplicaPlan};

use super::Command;

/// A signal that asks a run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// 128 and the signal's number, as shells report it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }
}

/// What comparing found for a replica, before anything is applied. Being told to stop counts before all else.
pub fn outcome_of(replica: &ReplicaPlan) -> Outcome {
    let mut failures =
        replica.error.iter().chain(replica.tables.iter().filter_map(|table| table.error.as_ref()));
    if failures.any(|failure| failure.kind == ErrorKind::Interrupted) {
        return Outcome::Interrupted;
    }
    replica.outcome()
}

/// The exit code of a run: of the codes of its replicas the first of 130/143, 1, 5, 4, 3, 2, 0.
///
/// `detailed` is `plan --detailed-exitcode`; `signal` is what interrupted the run, if anything did.
pub fn exit_code(
    command: Command,
    detailed: bool,
    plan: &Plan,
    applied: Option<&[Applied]>,
    signal: Option<Signal>,
) -> u8 {
    let interrupted = signal.unwrap_or(Signal::Interrupt).exit_code();
    let codes: Vec<u8> = match applied {
        Some(applied) => applied.iter().map(|applied| applied_code(applied, interrupted)).collect(),
        None => plan
            .replicas
            .iter()
            .map(|replica| match outcome_of(replica) {
                Outcome::Drift if command == Command::Plan && !detailed => 0,
                outcome => code_of(outcome, interrupted),
            })
            .collect(),
    };
    [interrupted, 1, 5, 4, 3, 2].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// Drift that the spec withholds ends well; drift that the check afterwards found does not.
fn applied_code(applied: &Applied, interrupted: u8) -> u8 {
    match (applied.outcome, applied.verified) {
        (Outcome::Applied | Outcome::Drift, Some(false)) => 2,
        (Outcome::Drift, _) => 0,
        (outcome, _) => code_of(outcome, interrupted),
    }
}

fn code_of(outcome: Outcome, interrupted: u8) -> u8 {
    match outcome {
        Outcome::InSync | Outcome::Applied => 0,
        Outcome::Drift => 2,
        Outcome::Refused => 3,
        Outcome::Stale => 4,
        Outcome::Locked => 5,
        Outcome::Error => 1,
        Outcome::Interrupted => interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(outcome: Outcome, verified: Option<bool>) -> Applied {
        Applied { verified, ..Applied::nothing(outcome, None) }
    }

    fn code(all: &[(Outcome, Option<bool>)], signal: Option<Signal>) -> u8 {
        let plan = super::super::samples::empty_plan();
        let all: Vec<Applied> = all.iter().map(|(outcome, verified)| applied(*outcome, *verified)).collect();
        exit_code(Command::Apply, false, &plan, Some(&all), signal)
    }

    #[test]
    fn the_gravest_outcome_decides() {
        let grave = [
            (Outcome::Interrupted, 130),
            (Outcome::Error, 1),
            (Outcome::Locked, 5),
            (Outcome::Stale, 4),
            (Outcome::Refused, 3),
        ];
        for (index, (outcome, wanted)) in grave.iter().enumerate() {
            let rest = grave[index..].iter().map(|(outcome, _)| (*outcome, None));
            let all: Vec<_> = [(Outcome::Applied, Some(true)), (Outcome::Drift, Some(false))]
                .into_iter()
                .chain(rest)
                .collect();
            assert_eq!(code(&all, None), *wanted, "{outcome:?}");
        }
        assert_eq!(code(&[(Outcome::Interrupted, None)], Some(Signal::Terminate)), 143);
    }

    #[test]
    fn apply_ends_well_when_only_withheld_changes_are_left() {
        assert_eq!(code(&[(Outcome::Drift, None)], None), 0);
        assert_eq!(code(&[(Outcome::Applied, Some(false))], None), 2);
        assert_eq!(code(&[(Outcome::Applied, Some(true)), (Outcome::InSync, None)], None), 0);
        assert_eq!(code(&[(Outcome::Applied, None)], None), 0);
    }

    #[test]
    fn a_plan_with_drift_ends_well_unless_asked_in_detail() {
        let plan = super::super::samples::plan();
        let mut drift = plan.clone();
        drift.replicas.retain(|replica| outcome_of(replica) == Outcome::Drift);
        assert!(!drift.replicas.is_empty());
        assert_eq!(exit_code(Command::Plan, false, &drift, None, None), 0);
        assert_eq!(exit_code(Command::Plan, true, &drift, None, None), 2);
        assert_eq!(exit_code(Command::Verify, false, &drift, None, None), 2);
        assert_eq!(exit_code(Command::Plan, false, &plan, None, None), 1);
    }
}
