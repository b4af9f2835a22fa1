//! Bytes as text: the kernel and files contain bytes, and records contain UTF-8. And numbers of records in words.

use std::borrow::Cow;

/// The bytes as text: invalid UTF-8 becomes U+FFFD.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // The plain check is several times faster, and nearly all text passes it.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A number of records in words.
pub fn records(count: usize) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}
