//! Statements as text; the engine room runs them.
