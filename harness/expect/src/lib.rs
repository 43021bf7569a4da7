//! Matching on byte streams, ordering and timing.
