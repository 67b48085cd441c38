//! End to end: real servers, real connections, real components.

mod connection;
