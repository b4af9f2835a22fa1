//! Where records go, and as which bytes. Nothing here knows what a record is about.

pub mod csv;
pub mod json;
pub mod stdout;

use std::borrow::Cow;

/// Bytes as the text that every encoding writes: what is not UTF-8 becomes U+FFFD, here and nowhere else.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    // The plain check is several times as fast, and nearly all text passes it.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
