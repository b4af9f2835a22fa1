//! Secrets that are recognised by their own form, whatever the key or program: tokens, URLs, private keys.

use memchr::{memchr, memmem, memrchr};

use super::keys::is_key_byte;
use super::scan::{Class, Scan, class};
use super::tokens::{Alphabet, WEBHOOKS};
use super::values::{is_port, is_random, is_unlike_a_name};

/// The longest name of a user before a secret.
const USER_MAX: usize = 128;

/// Password that say that the user is the secret: `https://TOKEN:x-oauth-basic@host`.
const FILLERS: [&[u8]; 4] = [b"", b"x-oauth-basic", b"x", b"api_token"];

impl Scan<'_> {
    /// Masks a token in the bytes of a key, or which begins there.
    pub fn token(&mut self, start: usize, end: usize) -> Option<usize> {
        if self.text[start..end].starts_with(b"-----BEGIN")
            && let Some(next) = self.private_key(start)
        {
            return Some(next);
        }
        let mut apart = true;
        for at in start..end {
            let byte = self.text[at];
            if apart
                && byte.is_ascii_alphanumeric()
                && let Some(token_end) = self.token_end(at, end)
            {
                self.hide(at..token_end);
                return Some(token_end);
            }
            apart = !byte.is_ascii_alphanumeric();
        }
        self.bot_token(start, end)
    }

    /// The end of a token at `at`.
    fn token_end(&mut self, at: usize, end: usize) -> Option<usize> {
        let rest = &self.text[at..end];
        if at >= self.no_web_token && rest.starts_with(b"eyJ") {
            let (first, length) = web_token(rest);
            if let Some(length) = length {
                return Some(at + length);
            }
            self.no_web_token = at + first;
        }
        for (prefix, token) in self.rules.tokens.of(&self.text[at..self.end]) {
            let body = &self.text[at + prefix.len()..self.end];
            let is_body = |byte: &&u8| match token.alphabet {
                Alphabet::Alphanumeric => byte.is_ascii_alphanumeric(),
                Alphabet::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
                Alphabet::Hex => byte.is_ascii_hexdigit(),
                Alphabet::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
                Alphabet::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
                Alphabet::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
                Alphabet::Groups => byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'-',
            };
            let length = body.iter().take_while(is_body).count();
            self.looks += length;
            let ends = body.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
            let is_long = length >= token.least && (token.exactly == 0 || length == token.exactly);
            let has_mix =
                body[..length].iter().any(u8::is_ascii_digit) || body[..length].iter().any(u8::is_ascii_uppercase);
            if is_long && ends && has_mix {
                return Some(at + prefix.len() + length);
            }
        }
        None
    }

    /// `123456789:` and 35 characters: a token of a Telegram bot.
    fn bot_token(&mut self, start: usize, end: usize) -> Option<usize> {
        let digits = self.text[start..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        if !(8..=12).contains(&digits) || self.text[..self.end].get(end) != Some(&b':') {
            return None;
        }
        let rest = &self.text[end + 1..self.end];
        let length = rest.iter().take(64).take_while(|byte| is_key_byte(**byte) && **byte != b'.').count();
        if !(34..=40).contains(&length) {
            return None;
        }
        Some(self.hide(end + 1..end + 1 + length))
    }

    /// A private key in PEM, to its end.
    fn private_key(&mut self, start: usize) -> Option<usize> {
        let rest = &self.text[start..self.end];
        let line = &rest[..rest.len().min(64)];
        memmem::find(line, b"PRIVATE KEY")?;
        let begin = memmem::find(line, b"-----BEGIN")?;
        let end = memmem::find(rest, b"-----END").unwrap_or(rest.len());
        self.looks += end;
        let tail = rest[end..].iter().take(48);
        let tail = tail.take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b' ')).count();
        Some(self.hide(start + begin..start + end + tail))
    }

    /// Finds the secret in `scheme://user:S@host`, in `scheme://TOKEN@host`, and in webhooks. `start` is after the slashes.
    pub fn url(&mut self, start: usize) -> Option<usize> {
        let is_end = |byte: &u8| {
            matches!(byte, b'/' | b'?' | b'#' | b'<' | b'>' | b'\n')
                || matches!(class(*byte), Class::Blank | Class::Quote | Class::Backslash)
        };
        let rest = &self.text[start..self.end];
        let mut length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.looks += length;
        let authority = &rest[..length];
        if memchr(b'@', authority).is_none() {
            let colon = memchr(b':', authority);
            let is_host = colon.is_none_or(|colon| {
                authority[colon + 1..].iter().all(u8::is_ascii_digit) || authority.starts_with(b"[")
            });
            if is_host {
                return self.webhook(start);
            }
            // A password with a slash in it: the text after the colon is no port.
            let is_end = |byte: &u8| matches!(class(*byte), Class::Blank | Class::Quote | Class::Backslash);
            let limit = rest.iter().take(512).position(is_end).unwrap_or(rest.len().min(512));
            self.looks += limit;
            length = memrchr(b'@', &rest[..limit])?;
            length += 1;
        }
        let authority = &self.text[start..start + length];
        let at_sign = memrchr(b'@', authority)?;
        let user = &authority[..at_sign];
        let end = start + at_sign;
        match memchr(b':', user) {
            Some(colon) => {
                let secret = &user[colon + 1..];
                if FILLERS.contains(&secret) {
                    if colon > 0 && is_random(&user[..colon]) {
                        self.hide(start..end);
                        return Some(end);
                    }
                    return None;
                }
                Some(self.hide(start + colon + 1..end))
            }
            None => {
                let path = &self.text[start + length..self.end];
                // Some hosts name the owner before the host and in the path.
                let repeats = path.get(1..).is_some_and(|path| path.starts_with(user));
                let is_token = user.len() >= 8
                    && is_unlike_a_name(user)
                    && !repeats
                    && user.iter().all(|byte| is_key_byte(*byte) || *byte == b'~');
                is_token.then(|| self.hide(start..end))
            }
        }
    }

    /// The secret path of a webhook.
    fn webhook(&mut self, start: usize) -> Option<usize> {
        let rest = &self.text[start..self.end];
        for (path, skipped, _) in WEBHOOKS {
            let host = &path[..path.find('/').unwrap_or(path.len())];
            // Some hosts have another name before theirs.
            let authority = &rest[..rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())];
            if !authority.ends_with(host.as_bytes()) {
                continue;
            }
            let from = authority.len() - host.len();
            if !rest[from..].starts_with(path.as_bytes()) {
                continue;
            }
            let mut begin = start + from + path.len();
            for _ in 0..*skipped {
                begin += memchr(b'/', &self.text[begin..self.end]).map_or(0, |slash| slash + 1);
            }
            let is_path = |byte: &&u8| is_key_byte(**byte) || matches!(byte, b'/' | b'@' | b':');
            let length = self.text[begin..self.end].iter().take_while(is_path).count();
            self.looks += length;
            if length >= 6 {
                return Some(self.hide(begin..begin + length));
            }
        }
        None
    }

    /// Finds the secret in `user:S@host` without a scheme. The user ends at `end`.
    pub fn credentials(&mut self, start: usize, end: usize) -> Option<usize> {
        if end - start > USER_MAX {
            return None;
        }
        if self.next_at_sign <= end {
            let found = memchr(b'@', &self.text[end..self.end]);
            self.looks += found.unwrap_or(self.end - end);
            self.next_at_sign = found.map_or(usize::MAX, |at| end + at);
        }
        let at_sign = self.next_at_sign;
        if at_sign >= self.end || at_sign - end > USER_MAX || at_sign <= end + 1 {
            return None;
        }
        let secret = &self.text[end + 1..at_sign];
        let is_part = |byte: &u8| {
            !matches!(class(*byte), Class::Blank | Class::Quote | Class::Backslash)
                && !matches!(byte, b'/' | b'\n' | b',')
        };
        if secret.starts_with(b"=") || !secret.iter().all(is_part) || is_port(secret) || !is_unlike_a_name(secret) {
            return None;
        }
        let user = &self.text[start..end];
        let host = &self.text[at_sign + 1..self.end];
        let is_host = host.first().is_some_and(u8::is_ascii_alphanumeric)
            && !host.starts_with(b"sha256:")
            && !host.starts_with(b"sha512:");
        if !is_host || self.rules.no_users.has(user) || user.starts_with(b"-") && user.len() < 3 {
            return None;
        }
        Some(self.hide(end + 1..at_sign))
    }
}

/// The length of the first part, and of a JSON web token: three parts in base64url. The first part is an object, so it
/// begins with `eyJ`.
fn web_token(text: &[u8]) -> (usize, Option<usize>) {
    let is_base64url = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let part = |from: usize| from + text[from.min(text.len())..].iter().take_while(is_base64url).count();
    let first = part(0);
    let second = part(first + 1);
    let third = part(second + 1);
    let has_dots = text.get(first) == Some(&b'.') && text.get(second) == Some(&b'.');
    (first, (has_dots && second > first + 1 && third > second + 1).then_some(third))
}
