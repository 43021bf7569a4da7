//! The typed, versioned events of a run.
