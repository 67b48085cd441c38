//! May this statement run? The guest's text is judged here before it reaches the server.

pub mod statement;
