//! 1. YAML text → validated [`Spec`](crate::spec). Reads no files; errors carry line and column.
