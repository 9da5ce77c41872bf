//! Connecting to the sides, and what is wrong with a side as a whole.
//!
//! Invariant: such a failure names the side and its place in the spec, and a replica's is its own.

use std::sync::Arc;

use crate::engine::{self, Engine, EngineError, Primary, Replica};
use crate::failure::{ErrorKind, Failure};
use crate::schema::Pairing;
use crate::spec::{ReplicaSpec, Side, Spec};

/// A replica of the spec, or why it cannot be looked at.
pub(super) struct Connected {
    pub name: String,
    pub replica: Result<Replica, Failure>,
}

pub(super) async fn connect_primary(spec: &Spec) -> Result<Primary, Failure> {
    let connected = engine::connect(&spec.primary, false).await;
    connected.map(Primary::new).map_err(|error| unreachable_side(spec, &spec.primary, "the primary", error))
}

pub(super) async fn connect_replica(spec: &Spec, replica: &ReplicaSpec, writable: bool) -> Connected {
    let name = replica.name.value.clone();
    let what = format!("the replica {name}");
    let engine = engine::connect(&replica.side, true)
        .await
        .map_err(|error| unreachable_side(spec, &replica.side, &what, error))
        .and_then(|engine| refuse_read_only(spec, &replica.side, engine, &what, writable));
    Connected { name, replica: engine.map(Replica::new) }
}

/// A replica that cannot be written is fine to look at; for apply it is an error before any row is read.
fn refuse_read_only(
    spec: &Spec,
    side: &Side,
    engine: Arc<dyn Engine>,
    what: &str,
    writable: bool,
) -> Result<Arc<dyn Engine>, Failure> {
    match &engine.server().read_only {
        Some(reason) if writable => {
            let message = format!("{what} cannot be written: {reason}");
            let failure =
                Failure::new(ErrorKind::Permission, spec.error_at(side.url.place, message).headline());
            Err(failure.hint("plan and verify can look at it; apply needs a replica that can be written"))
        }
        _ => Ok(engine),
    }
}

/// A table that the user may not see is not missing: creating it would fail, and "missing" would be a guess.
pub(super) async fn refuse_hidden_table(replica: &Replica, pairing: Pairing) -> Result<Pairing, Failure> {
    let table = &pairing.pair.names.replica;
    if replica.server().missing || !pairing.pair.replica_missing || !replica.hides(table).await? {
        return Ok(pairing);
    }
    let message =
        format!("this user has no right on the replica's table {table}, nor to know whether it is there");
    Err(Failure::new(ErrorKind::Permission, message)
        .hint(format!("GRANT SELECT ON {table} TO that user, and CREATE if apply is to create it")))
}

/// The catalog is read right after connecting; what is wrong with it is about the side as a whole.
pub(super) fn unread_catalog(spec: &Spec, replica: Option<&str>, error: EngineError) -> Failure {
    of_side(spec, replica, "could not read the structure of", error)
}

/// A moment of a side that could not be begun keeps all of it from being read.
pub(super) fn no_snapshot(spec: &Spec, replica: Option<&str>, error: EngineError) -> Failure {
    of_side(spec, replica, "could not begin to read", error)
}

/// What is wrong with the primary, or with a replica, as a whole: at its place in the spec.
fn of_side(spec: &Spec, replica: Option<&str>, doing: &str, error: EngineError) -> Failure {
    let side = replica.and_then(|name| spec.replica(name)).map_or(&spec.primary, |replica| &replica.side);
    let what = replica.map_or("the primary".to_owned(), |name| format!("the replica {name}"));
    let mut failure = Failure::from(error);
    let message = format!("{doing} {what}: {}", failure.message);
    failure.message = spec.error_at(side.url.place, message).headline();
    failure
}

fn unreachable_side(spec: &Spec, side: &Side, what: &str, error: EngineError) -> Failure {
    let mut failure = Failure::from(error);
    // The engine's words begin with the URL (without its password) or the file.
    let message = format!("could not connect to {what}: {}", failure.message);
    failure.message = spec.error_at(side.url.place, message).headline();
    failure
}

/// The same database twice would make every difference disappear, or delete what was just written: such a
/// replica is in error, and the others are looked at.
pub(super) fn refuse_same_database(spec: &Spec, primary: Option<&Primary>, replicas: &mut [Connected]) {
    let mut seen: Vec<(String, String)> = primary
        .map(|primary| ("the primary".to_owned(), primary.server().identity.clone()))
        .into_iter()
        .collect();
    for connected in replicas {
        let Ok(replica) = &connected.replica else { continue };
        let identity = replica.server().identity.clone();
        let what = format!("the replica {}", connected.name);
        let twin = seen.iter().find(|(_, known)| !identity.is_empty() && *known == identity);
        if let Some((other, _)) = twin {
            let mut message = format!("{what} is the same database as {other}");
            if let Some(place) = spec.replica(&connected.name).map(|replica| replica.side.url.place) {
                message = spec.error_at(place, message).headline();
            }
            connected.replica = Err(Failure::new(ErrorKind::Connect, message)
                .hint("each side of a comparison needs a database of its own"));
            continue;
        }
        seen.push((what, identity));
    }
}
