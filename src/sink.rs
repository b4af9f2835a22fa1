//! Where records go, and as which bytes. Nothing here knows what a record is about.

pub mod json;
pub mod stdout;
