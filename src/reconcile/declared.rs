//! The model that `schema_file` declares: where it is loaded, and what stands in the primary's place by it.
//!
//! The primary's server is only ever read, so a model is loaded on that of a replica, or where `scratch` says. Invariant:
//! with a `schema_file` there is its catalog or an error, never the primary's own.

use crate::engine::{self, ModelLoad, ModelPlace, Primary, Unloaded};
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::schema::{self, Catalog, Pairing};
use crate::spec::{Model, Side, Spec};
use crate::value::Type;

use super::Options;
use super::connect::Connected;
use super::patience::answered;

/// The catalog that the replicas are held against: the primary's own (`live`), or what is declared.
///
/// # Errors
/// Where there is a file that is not loaded.
pub(super) async fn settled(
    spec: &Spec,
    options: &Options,
    (primary, live): (&Primary, &Catalog),
    replicas: &[Connected],
    stop: &Stop,
) -> Result<Catalog, Failure> {
    let Some(file) = &spec.schema_file else { return Ok(live.clone()) };
    let at = |message: String| spec.error_at(file.place, message).headline();
    let Some(model) = &spec.model else {
        return Err(Failure::new(ErrorKind::Missing, at(format!("{} was not read", file.value))));
    };
    let dialect = primary.dialect();
    let place = match (&spec.scratch, dialect.has_server()) {
        (_, false) => None,
        (Some(scratch), true) => Some(checked(spec, scratch, primary, replicas).await?),
        (None, true) => Some(beside(spec, primary, replicas).ok_or_else(|| {
            let message = format!(
                "there is no place to load {}: no replica that can be written runs on the primary's engine, and the \
                 primary's own server is only read",
                file.value
            );
            Failure::new(ErrorKind::Missing, at(message))
                .hint(format!("name an empty database of {} with `scratch:`", dialect.engine()))
        })?),
    };
    let asked = stop.clone();
    let load = ModelLoad {
        statements: model.statements.clone(),
        schemas: schema::primary_schemas(spec),
        default_schema: live.default_schema.clone(),
        search_path: spec.primary.search_path.iter().map(|schema| schema.value.clone()).collect(),
        goes_on: Box::new(move || !asked.requested()),
    };
    // What it makes goes in any case, also where nobody waits any more.
    let loading = tokio::spawn(engine::load_model(dialect.engine(), place, load));
    let loaded = async {
        match loading.await {
            Ok(Ok(catalog)) => Ok(catalog),
            Ok(Err(unloaded)) => Err(told(spec, model, unloaded)),
            Err(_) => Err(Failure::new(ErrorKind::Internal, at("loading it stopped".to_owned()))),
        }
    };
    let catalog = answered(stop, loaded).await?;
    Ok(schema::declared_catalog(spec, (&file.value, catalog), live, dialect, options.now))
}

/// The pairing with the primary's own columns, which are what is read. They say what is declared, or the table is in error.
/// A date-time that the spec puts into a zone stays in it.
pub(super) fn read_where_it_is(spec: &Spec, mut pairing: Pairing, live: &Catalog) -> Pairing {
    let pair = &mut pairing.pair;
    let own = live.table(&pair.names.primary).filter(|_| spec.schema_file.is_some());
    let Some(table) = own else { return pairing };
    for column in &mut pair.columns {
        if let Some(own) = table.column(column.name()) {
            let declared = std::mem::replace(&mut column.sides.primary, own.clone());
            if matches!(declared.column_type.meaning, Type::Zoned { .. }) {
                column.sides.primary.column_type.meaning = declared.column_type.meaning;
            }
        }
    }
    pairing
}

/// `scratch`, unless it is a database that is compared.
async fn checked(
    spec: &Spec,
    scratch: &Side,
    primary: &Primary,
    replicas: &[Connected],
) -> Result<ModelPlace, Failure> {
    let at = |message: String| spec.error_at(scratch.url.place, message).headline();
    let found = engine::connect(scratch, true).await.map_err(|error| {
        let failure = Failure::from(error);
        let message = at(format!("could not connect to `scratch`: {}", failure.message));
        Failure { message, ..failure }
    })?;
    let (wanted, engine) = (primary.dialect().engine(), found.dialect().engine());
    if wanted != engine {
        let message = format!("`scratch` must be of the primary's engine ({wanted}), not {engine}");
        return Err(Failure::new(ErrorKind::Connect, at(message)));
    }
    let own = |identity: &str| identity == found.server().identity && !identity.is_empty();
    let replica = replicas
        .iter()
        .find(|connected| connected.replica.as_ref().is_ok_and(|replica| own(&replica.server().identity)));
    let other = match replica {
        Some(replica) => Some(format!("the replica {}", replica.name)),
        None => own(&primary.server().identity).then(|| "the primary".to_owned()),
    };
    match other {
        Some(other) => {
            let message = at(format!("`scratch` is the same database as {other}"));
            Err(Failure::new(ErrorKind::Connect, message)
                .hint("give it a database of its own, which is empty"))
        }
        None => Ok(ModelPlace::In(scratch.clone())),
    }
}

/// The first replica whose server can hold a database for the model.
fn beside(spec: &Spec, primary: &Primary, replicas: &[Connected]) -> Option<ModelPlace> {
    let fits = |connected: &&Connected| {
        connected.replica.as_ref().is_ok_and(|replica| {
            replica.dialect().engine() == primary.dialect().engine() && replica.server().read_only.is_none()
        })
    };
    let first = replicas.iter().find(fits)?;
    Some(ModelPlace::Beside(spec.replica(&first.name)?.side.clone()))
}

/// Why a model was not loaded, with its place.
fn told(spec: &Spec, model: &Model, unloaded: Unloaded) -> Failure {
    let failure = Failure::from(unloaded.error);
    let statement = unloaded.statement.and_then(|index| model.statements.get(index));
    let message = match (statement, &spec.schema_file) {
        (Some(statement), _) => model.error_at(statement, failure.message.clone()).headline(),
        (None, Some(file)) => {
            let what = format!("could not load {}: {}", file.value, failure.message);
            spec.error_at(file.place, what).headline()
        }
        (None, None) => failure.message.clone(),
    };
    Failure { message, ..failure }
}
