//! The flags of a line: those of known programs, those that every program with a user has, and those with a secret key. It
//! knows the tables, and no program's name.

use memchr::memchr;

use super::keys::{Place, Verdict};
use super::programs::{Form, Takes};
use super::scan::{Class, Scan, class};
use super::state::Pending;
use super::values::{is_port, is_unlike_a_name};

impl Scan<'_> {
    /// A flag. Its value may be secret for this program, for every program that has a user, or because of its name.
    pub fn flag(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> Option<usize> {
        let (next, is_known) = self.program_flag(level, at, head_end, is_whole);
        if next.is_some() {
            return next;
        }
        let rules = self.rules;
        let head = &self.text[at..head_end];
        let line = &mut self.frame(level).line;
        if let Some(program) = line.programs[0].filter(|_| is_whole) {
            for (counted, state) in program.operands.iter().zip(&mut line.counted) {
                state.0 += u8::from(counted.after.get(usize::from(state.0)) == Some(&head));
            }
        }
        line.names_next = is_whole && rules.naming_flags.has(head);
        if is_whole && head == b"--" && line.programs[0].is_some_and(|program| !program.runs.is_empty()) {
            *line = line.next_line();
        }
        if is_whole && rules.starters.has(head) {
            line.reads = false;
            line.searches = false;
        }
        if is_whole && rules.script_flags.has(head) {
            line.script_next = true;
        }
        if head.len() < 6 && head[0] == b'-' && head[1..].iter().all(u8::is_ascii_alphabetic) {
            line.letters |= head[1..].iter().fold(0, |bits, byte| bits | 1 << (byte & 63));
        }
        if is_known {
            return None;
        }
        line.sets |= is_whole && rules.setters.has(head);
        let has_equals = self.text[..self.end].get(head_end) == Some(&b'=');
        let is_pair = head.len() == 3 && head[0] == b'-' && head[1].is_ascii_lowercase();
        if rules.user_flags.has(head) || is_pair && head[2] == b'u' {
            if is_whole {
                let line = &mut self.frame(level).line;
                if head == b"-l" {
                    line.candidate = (0, 0);
                }
                line.pending = Pending::User;
                return None;
            }
            if has_equals {
                let value = head_end + 1..self.value_end(level, head_end + 1);
                return self.user(level, value);
            }
        }
        if head.len() > 2 && matches!(head, [b'-', b'u' | b'U', b'a'..=b'z', ..]) && is_whole {
            self.frame(level).line.has_attached_user = true;
        }
        let line = &mut self.frame(level).line;
        if is_whole && is_pair && head[2] == b'p' && line.has_user {
            line.pending = Pending::Password;
            return None;
        }
        if is_whole && rules.token_flags.has(head) {
            line.pending = Pending::Token;
            return None;
        }
        if is_whole && rules.auth_flags.has(head) {
            line.pending = Pending::Pair;
            return None;
        }
        if is_whole && rules.password_flags.has(head) {
            line.pending = if line.has_user { Pending::Password } else { Pending::Candidate };
            return None;
        }
        if is_whole {
            let key = self.without_dashes(at..head_end);
            let key = key.start + head.iter().take_while(|byte| **byte == b'+').count()..key.end;
            let is_key = self.text[key.clone()].iter().all(|byte| class(*byte) == Class::Key);
            let place = if head.starts_with(b"--") { Place::Flag } else { Place::ShortFlag };
            let verdict = if is_key { self.verdict(&key, place) } else { Verdict::Harmless };
            if !verdict.is_harmless() {
                self.frame(level).line.pending = Pending::Value(verdict);
            } else if head.ends_with(b":") {
                return None;
            }
            return None;
        }
        None
    }

    /// Applies the rules of the programs to a flag. The flag is known if the program's rules say all about it.
    pub fn program_flag(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> (Option<usize>, bool) {
        let line = self.frame(level).line;
        let head = &self.text[at..head_end];
        let has_equals = self.text[..self.end].get(head_end) == Some(&b'=');
        for program in line.programs.into_iter().flatten() {
            for (index, rule) in program.flags.iter().enumerate() {
                if !rule.after.is_empty() && line.subcommands & 1 << (index & 31) == 0 {
                    continue;
                }
                let flag = rule.flag;
                let is_letter = flag.len() == 2 && flag[0] == b'-';
                if flag.last() == Some(&b'=') {
                    if has_equals && head == &flag[..flag.len() - 1] {
                        return self.attached(level, head_end + 1, rule.form);
                    }
                } else if head == flag {
                    if has_equals && !is_letter && rule.takes != Takes::Next || has_equals && flag.starts_with(b"--") {
                        return self.attached(level, head_end + 1, rule.form);
                    }
                    if is_whole && rule.takes != Takes::Attached && rule.form != Form::Plain {
                        let pending = if rule.form == Form::Skip { Pending::Skip } else { Pending::Form(rule.form) };
                        self.frame(level).line.pending = pending;
                    } else if rule.takes != Takes::Next && is_letter && !is_whole {
                        // The value is quoted, or begins with a sign.
                        return self.attached(level, head_end, rule.form);
                    }
                    return (None, is_whole);
                } else if rule.takes != Takes::Next
                    && (is_letter || flag.len() == 3 && flag[0] == b'-' || flag.ends_with(b":"))
                    && head.starts_with(flag)
                {
                    if rule.form == Form::Plain {
                        return (None, false);
                    }
                    let key = at + 1..head_end;
                    let is_key = head[1..].iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
                    let begins = is_key && self.rules.keys.begins_with_word(&self.folded[key.clone()]);
                    if is_letter && is_whole && begins && !self.verdict(&key, Place::ShortFlag).is_harmless() {
                        // `-passphrase S` is no `-p`.
                        continue;
                    }
                    let value = at + flag.len();
                    if is_port(&self.text[value..head_end]) && memchr(b':', &self.text[value..head_end]).is_some() {
                        return (None, true);
                    }
                    return self.attached(level, value, rule.form);
                } else if is_letter
                    && is_whole
                    && rule.takes != Takes::Attached
                    && (3..9).contains(&head.len())
                    && head.last() == flag.last()
                    && head[1..head.len() - 1].iter().all(|letter| program.switches.contains(letter))
                    && head[1] != b'-'
                {
                    self.frame(level).line.pending = Pending::Form(rule.form);
                    return (None, true);
                }
            }
        }
        // The password follows its flag without a blank, and the program has a user.
        if (line.has_user || line.has_attached_user)
            && !has_equals
            && head.len() >= 7
            && (head.starts_with(b"-p") || head.starts_with(b"-P"))
        {
            let value = &head[2..];
            let is_word = value.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'.'));
            let has_mark = value.iter().any(|byte| matches!(byte, b'/' | b':' | b','));
            if !is_word && !has_mark && !is_port(value) && is_unlike_a_name(value) {
                return self.attached(level, at + 2, Form::Secret);
            }
        }
        (None, false)
    }

    /// `/u:user /p:S`, as programs for Windows have their flags.
    pub fn slash_flag(&mut self, level: usize, at: usize, head_end: usize) -> Option<usize> {
        let head = &self.text[at..head_end];
        let colon = at + memchr(b':', head)? + 1;
        if matches!(&self.folded[at..colon], b"/u:" | b"/user:" | b"/ru:") {
            self.frame(level).line.has_user = true;
            return None;
        }
        if matches!(&self.folded[at..colon], b"/p:" | b"/pw:" | b"/rp:") && self.frame(level).line.has_user {
            return self.attached(level, colon, Form::Secret).0;
        }
        self.operand(level, at, head_end, self.is_whole(level < self.top(), head_end))
    }

    pub fn attached(&mut self, level: usize, value: usize, form: Form) -> (Option<usize>, bool) {
        if form == Form::Plain {
            self.plain_equals = value;
        }
        let end = self.value_end(level, value);
        (self.hide_form(level, value..end, form), true)
    }
}
