//! Bytes as text: the kernel and files give bytes, the records are UTF-8.

use std::borrow::Cow;

/// The text that bytes are: what is not UTF-8 in them becomes U+FFFD.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // The plain check is several times as fast, and nearly all text passes it.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
