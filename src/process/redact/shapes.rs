//! Secrets that are recognised by their own form, whatever the key or program.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

/// Triggers in lower case: every secret found here contains one. `?sig=` and `&sig=` are triggers for the key `sig`,
/// which the rules mask.
pub const TRIGGERS: [&str; 5] = ["://", "?sig=", "&sig=", "eyj", "akia"];

/// Appends the ranges of all such secrets.
pub fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    urls(text, found);
    web_tokens(text, found);
    key_ids(text, found);
}

/// Finds the secret in `scheme://user:secret@host`.
fn urls(text: &[u8], found: &mut Vec<Range<usize>>) {
    let is_end = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace() || b"/?#\"'<>\\".contains(byte);
    for start in memmem::find_iter(text, b"://").map(|at| at + 3) {
        let length = text[start..].iter().position(is_end).unwrap_or(text.len() - start);
        let authority = &text[start..start + length];
        let Some(at_sign) = memrchr(b'@', authority) else { continue };
        let Some(colon) = memchr(b':', &authority[..at_sign]) else { continue };
        if colon + 1 < at_sign {
            found.push(start + colon + 1..start + at_sign);
        }
    }
}

/// Finds JSON web tokens: three parts in base64url. The first part is an object, so it begins with `eyJ`.
fn web_tokens(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(offset) = memmem::find(&text[from..], b"eyJ") {
        let start = from + offset;
        let mut end = base64url_end(text, start);
        let mut parts = 1;
        while parts < 3 && text.get(end) == Some(&b'.') && base64url_end(text, end + 1) > end + 1 {
            end = base64url_end(text, end + 1);
            parts += 1;
        }
        if parts == 3 && !is_alphanumeric(text, start.checked_sub(1)) {
            found.push(start..end);
        }
        from = end;
    }
}

fn base64url_end(text: &[u8], start: usize) -> usize {
    let is_base64url = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    start + text[start..].iter().take_while(is_base64url).count()
}

/// Finds AWS access key ids: `AKIA` and 16 more characters.
fn key_ids(text: &[u8], found: &mut Vec<Range<usize>>) {
    for start in memmem::find_iter(text, b"AKIA") {
        let end = start + 20;
        let is_id = |id: &[u8]| id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let apart = !is_alphanumeric(text, start.checked_sub(1)) && !is_alphanumeric(text, Some(end));
        if apart && text.get(start..end).is_some_and(is_id) {
            found.push(start..end);
        }
    }
}

fn is_alphanumeric(text: &[u8], at: Option<usize>) -> bool {
    at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric)
}
