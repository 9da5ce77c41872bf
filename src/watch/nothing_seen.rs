//! What stands where a run saw nothing at all: the primary was down, or the spec is no longer valid.

use crate::failure::Failure;
use crate::plan::{Plan, PlanKind, ReplicaPlan};
use crate::server::Server;
use crate::spec::Spec;

/// A plan in which every replica is in error, so that a report made of it can never pass for that of an earlier
/// run. `spec` is the last one that was valid, `primary` what was last known of it, `replicas` the names that the
/// run is limited to (empty: all).
pub fn nothing_seen(
    spec: &Spec,
    primary: Option<&Server>,
    replicas: &[String],
    begun: jiff::Timestamp,
    failure: &Failure,
) -> Plan {
    // A replica that the spec no longer has is looked for all the same: leaving it out would leave nothing to fail.
    let wanted: Vec<&String> = match replicas {
        [] => spec.replicas.iter().map(|replica| &replica.name.value).collect(),
        some => some.iter().collect(),
    };
    let in_error = |name: &String| ReplicaPlan {
        name: name.clone(),
        server: None,
        snapshot: String::new(),
        search_path: Vec::new(),
        tables: Vec::new(),
        renamings: Vec::new(),
        refusals: Vec::new(),
        notes: Vec::new(),
        error: Some(failure.clone()),
        stale: None,
    };
    Plan {
        kind: PlanKind::Changes,
        spec_path: spec.path.clone(),
        spec_fingerprint: String::new(),
        batch_rows: spec.batch_rows,
        created_at: begun,
        primary: primary.cloned().unwrap_or_else(|| never_seen(spec)),
        primary_snapshot: String::new(),
        primary_error: None,
        replicas: wanted.into_iter().map(in_error).collect(),
    }
}

/// What the URL alone tells.
fn never_seen(spec: &Spec) -> Server {
    Server {
        engine: spec.primary.url.scheme.engine(),
        version: String::new(),
        identity: String::new(),
        instance: None,
        place: None,
        display: spec.primary.url.display(),
        missing: false,
        read_only: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ErrorKind;
    use crate::plan::Outcome;

    #[test]
    fn every_replica_that_was_to_be_looked_at_is_in_error() {
        let text = "version: 1\nprimary: postgres://me:secret@db/shop\nreplicas:\n  eu: sqlite:eu.db\n  us: sqlite:us.db\n\
                    tables: [t]\n";
        let spec = Spec::parse(text, "spec.yml", &|_| None).expect("it is valid");
        let failure = Failure::new(ErrorKind::Connect, "could not connect to the primary");
        let all = nothing_seen(&spec, None, &[], jiff::Timestamp::UNIX_EPOCH, &failure);
        assert_eq!((all.replicas.len(), all.outcome()), (2, Outcome::Error));
        assert_eq!((all.primary.engine.as_str(), all.primary.version.as_str()), ("postgres", ""));
        assert!(!format!("{all:?}").contains("secret"));
        for name in ["us", "no longer there"] {
            let one = nothing_seen(&spec, None, &[name.to_owned()], jiff::Timestamp::UNIX_EPOCH, &failure);
            let names: Vec<&str> = one.replicas.iter().map(|replica| replica.name.as_str()).collect();
            assert_eq!((names.as_slice(), one.outcome()), (&[name][..], Outcome::Error));
        }
    }
}
