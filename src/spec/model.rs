//! `schema_file` and `scratch`: a file of DDL that says what the tables are to look like, and where it is loaded.
//!
//! The file's text is handed in, as the spec's is; what of it is taken is decided in [`sql`](crate::sql::read_model).

use std::fmt;

use super::read::{Fields, Reader};
use super::side::{Role, read_side};
use super::{Located, Place, Side, Source, Spec, SpecError, SpecErrors};
use crate::sql::{ModelFault, ModelStatement, read_model};
use crate::value::Digest;

/// The largest file that is read.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// What `schema_file` says.
#[derive(Clone)]
pub struct Model {
    /// The path as it was opened; errors begin with it.
    pub path: String,
    /// The statements that are taken, in order.
    pub statements: Vec<ModelStatement>,
    text: Source,
}

/// Defaults in the file may be anybody's: it is not printed.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({}, {} statements)", self.path, self.statements.len())
    }
}

impl Model {
    /// What ties a plan to the file.
    pub fn digest(&self) -> String {
        Digest::of(self.text.0.as_bytes()).hex()
    }

    /// An error about one of its statements, with its line quoted.
    pub fn error_at(&self, statement: &ModelStatement, message: impl Into<String>) -> SpecError {
        let place = Place { line: statement.line, column: statement.column };
        SpecError::new(&self.path, &self.text.0, place, message)
    }
}

impl Spec {
    /// The spec with the text of its `schema_file`, which stands at `path`.
    ///
    /// # Errors
    /// All that has no place in such a file, and where it cannot be read.
    pub fn with_model(self, path: &str, text: &str) -> Result<Spec, SpecErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > TEXT_BYTES_MAX {
            return Err(SpecError::new(path, "", Place::START, "the file is larger than 64 MiB").into());
        }
        let told = |fault: ModelFault| {
            let place = Place { line: fault.line, column: fault.column };
            let error = SpecError::new(path, text, place, fault.message);
            match fault.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        };
        match read_model(self.primary.url.scheme.engine(), text) {
            Ok(statements) => {
                let model = Model { path: path.to_owned(), statements, text: Source(text.to_owned()) };
                Ok(Spec { model: Some(model), ..self })
            }
            Err(faults) => {
                let errors = SpecErrors::from_list(faults.into_iter().map(told).collect());
                let nothing = || SpecError::new(path, "", Place::START, "this file cannot be read").into();
                Err(errors.unwrap_or_else(nothing))
            }
        }
    }
}

/// The file's name as the spec has it, and where it is to be loaded.
pub(super) fn read_schema_file(
    fields: &Fields<'_>,
    primary: Option<&Side>,
    reader: &mut Reader<'_>,
) -> (Option<Located<String>>, Option<Side>) {
    let file = fields.get("schema_file").and_then(|node| reader.text(node, "`schema_file`"));
    let scratch = fields.get("scratch").and_then(|node| read_side(node, "`scratch`", Role::Replica, reader));
    if let Some(place) = fields.key_place("scratch") {
        let problem = match primary.map(|primary| primary.url.scheme) {
            _ if fields.get("schema_file").is_none() => {
                Some("`scratch` is where `schema_file` is loaded, and there is none".to_owned())
            }
            Some(scheme) => fit(scheme, scratch.as_ref()),
            None => None,
        };
        if let Some(problem) = problem {
            reader.error(place, problem);
        }
    }
    (file, scratch)
}

/// Why the file, which is in the primary's SQL, cannot be loaded there.
fn fit(primary: super::EngineScheme, scratch: Option<&Side>) -> Option<String> {
    if primary == super::EngineScheme::Sqlite {
        return Some(
            "`scratch` is of no use here: the file of a SQLite primary is loaded in memory".to_owned(),
        );
    }
    let scheme = scratch?.url.scheme;
    let same = scheme == primary || (scheme.is_mysql_family() && primary.is_mysql_family());
    (!same).then(|| {
        format!("`scratch` must be of the primary's engine ({}), not {}", primary.name(), scheme.name())
    })
}
