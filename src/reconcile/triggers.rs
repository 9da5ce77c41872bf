//! `triggers: suppress` where triggers cannot be suppressed: an error of the table, before anything is compared.

use crate::engine::Replica;
use crate::failure::Failure;
use crate::schema::Pairing;
use crate::spec::{Spec, TriggerMode};

/// The pairing, unless the spec wants its triggers kept from firing and nothing can do that.
pub(super) async fn refuse_firing(
    spec: &Spec,
    replica: &Replica,
    pairing: Pairing,
) -> Result<Pairing, Failure> {
    let pair = &pairing.pair;
    if pair.triggers == TriggerMode::Fire || pair.replica_missing || !pair.writes.any() {
        return Ok(pairing);
    }
    match replica.firing(std::slice::from_ref(&pair.names.replica)).await?.into_iter().next() {
        None => Ok(pairing),
        Some(firing) => {
            let message = format!(
                "the triggers of the replica's table {} cannot be suppressed: {}",
                pair.names.replica, firing.reason
            );
            let failure = Failure::new(firing.kind, spec.error_at(pair.place, message).headline());
            Err(failure.hint(firing.hint))
        }
    }
}
