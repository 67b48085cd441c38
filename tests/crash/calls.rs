//! Each call of the interface.
