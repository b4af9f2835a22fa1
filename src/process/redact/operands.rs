//! The operands of a line: which program runs, which of its operands are secret, and which words announce a secret in the
//! next word. It knows the tables, and no program's name.

use memchr::{memchr, memrchr};

use super::keys::{Place, Verdict};
use super::programs::{Form, Takes};
use super::scan::{Class, Scan, class};
use super::state::{Line, Pending};
use super::words;

impl Scan<'_> {
    /// A word that is no flag: a program, a subcommand, a secret operand, or a key.
    pub fn operand(&mut self, level: usize, at: usize, head_end: usize, is_whole: bool) -> Option<usize> {
        let rules = self.rules;
        let head = &self.text[at..head_end];
        self.frame(level).line.count_operand(head);
        let line = self.frame(level).line;
        if let Some(next) = self.counted_operand(level, at, head, is_whole) {
            return Some(next);
        }
        if !is_whole {
            // A script in an argument announces nothing about the next argument.
            return self.bare_flag(level, at, head_end);
        }
        if rules.starters.has(head) {
            self.frame(level).line.reads = false;
        }
        if self.bare_flag_next(level, head) {
            return None;
        }
        let name = match memrchr(b'/', head) {
            Some(slash) => {
                let folder = &head[..slash];
                let is_program = folder.ends_with(b"bin") || folder.ends_with(b"libexec") || folder == b".";
                is_program.then_some(&head[slash + 1..])
            }
            None => Some(head),
        };
        let is_fresh = std::mem::take(&mut self.frame(level).line.is_fresh);
        if let Some(name) = name.filter(|_| !line.names_next) {
            let line = &mut self.frame(level).line;
            let is_reader = rules.readers.has(name);
            let known = rules.program(name).filter(|_| !line.reads);
            if is_reader && line.programs[0].is_none() {
                line.reads = true;
                line.searches = rules.searchers.has(name);
            }
            // A program without secrets may have the name of a subcommand.
            let known = known.filter(|program| {
                program.has_secrets
                    || !is_fresh && line.programs.iter().flatten().all(|other| other.operands.is_empty())
            });
            if let Some(program) = known {
                let earlier = line.programs[0];
                *line = Line {
                    programs: [Some(program), earlier],
                    reads: line.reads,
                    searches: line.searches,
                    operands_left: program.operands_before(b""),
                    is_fresh: program.has_secrets,
                    ..Line::default()
                };
                return None;
            }
        }
        self.frame(level).line.names_next = false;
        let line = &mut self.frame(level).line;
        if rules.setters.has(head) {
            line.sets = true;
            return None;
        }
        let is_name = head.iter().all(|byte| matches!(class(*byte), Class::Key | Class::Other) && *byte != b'=');
        if !is_name || head.len() > 96 {
            return None;
        }
        if head.eq_ignore_ascii_case(b"bearer") && level > 0 && line.pending == Pending::Nothing {
            line.pending = Pending::Credential;
            return None;
        }
        for (bit, (first, second, is_quoted)) in words::PHRASES.iter().enumerate() {
            if head.eq_ignore_ascii_case(first.as_bytes()) {
                line.phrases |= 1 << bit;
            } else if line.phrases & 1 << bit != 0 && head.eq_ignore_ascii_case(second.as_bytes()) {
                line.pending =
                    if *is_quoted { Pending::Quoted(Verdict::Secret) } else { Pending::Value(Verdict::Secret) };
                return None;
            }
        }
        if rules.logins.has(head) && line.programs[0].is_none_or(|program| program.operands.is_empty()) {
            line.pending = Pending::Token;
            return None;
        }
        // A bare key: its value follows a word that sets keys, or is quoted.
        let sets = line.sets && line.programs[0].is_none_or(|program| program.operands.is_empty());
        let is_inner = level > 0 && level == self.top();
        if head.eq_ignore_ascii_case(words::AUTHORIZATION.as_bytes()) {
            self.frame(level).line.pending = Pending::Header(Verdict::Authorization);
            return None;
        }
        if sets || is_inner {
            let key = memrchr(b'/', head).map_or(at, |slash| at + slash + 1);
            let key = memrchr(b':', &self.text[key..head_end]).map_or(key, |colon| key + colon + 1);
            if !head.ends_with(b":") {
                let mut verdict = self.verdict(&(key..head_end), Place::Flag);
                if sets && verdict.is_harmless() {
                    // `token.example`: a key for one of several.
                    let dot = memchr(b'.', &self.text[key..head_end]).unwrap_or(0);
                    let dot = if self.text[key..key + dot].contains(&b'-') { dot } else { 0 };
                    verdict = self.verdict(&(key..key + dot), Place::Flag);
                }
                let is_free = self.frame(level).line.pending == Pending::Nothing;
                if is_free
                    && !verdict.is_harmless()
                    && verdict != Verdict::Weak
                    && !self.text[key..head_end].starts_with(b"set")
                {
                    let pending = if sets && (key == at || head.contains(&b':')) {
                        Pending::Value(verdict)
                    } else {
                        Pending::Quoted(verdict)
                    };
                    self.frame(level).line.pending = pending;
                }
            }
        }
        None
    }

    /// A flag without a dash, and its value in the next word: `password S`.
    fn bare_flag_next(&mut self, level: usize, head: &[u8]) -> bool {
        let line = self.frame(level).line;
        for program in line.programs.into_iter().flatten() {
            for (index, rule) in program.flags.iter().enumerate() {
                let allowed = rule.after.is_empty() || line.subcommands & 1 << (index & 31) != 0;
                if allowed && rule.flag == head && rule.takes != Takes::Attached {
                    self.frame(level).line.pending = Pending::Form(rule.form);
                    return true;
                }
            }
        }
        false
    }

    /// A flag without a dash, and its value after `=`: `secret_id=S`.
    fn bare_flag(&mut self, level: usize, at: usize, head_end: usize) -> Option<usize> {
        if self.text[..self.end].get(head_end) != Some(&b'=') {
            return None;
        }
        let head = &self.text[at..head_end];
        for program in self.frame(level).line.programs.into_iter().flatten() {
            for rule in &program.flags {
                if rule.flag.strip_suffix(b"=") == Some(head) {
                    return self.attached(level, head_end + 1, rule.form).0;
                }
            }
        }
        None
    }

    /// Counts operands and subcommands. Masks an operand that is secret.
    fn counted_operand(&mut self, level: usize, at: usize, head: &[u8], is_whole: bool) -> Option<usize> {
        let mut line = self.frame(level).line;
        let mut found = None;
        for program in line.programs.into_iter().flatten().take(1) {
            for (index, rule) in program.flags.iter().enumerate() {
                if is_whole && !rule.after.is_empty() && rule.after == head {
                    line.subcommands |= 1 << (index & 31);
                }
            }
            for (counted, state) in program.operands.iter().zip(&mut line.counted) {
                let (words, count) = state;
                if let Some(word) = counted.after.get(usize::from(*words)) {
                    if is_whole && *word == head {
                        *words += 1;
                    }
                    continue;
                }
                *count = count.saturating_add(1);
                let letters = counted.row.letters.bytes();
                let has_letters = letters.into_iter().all(|letter| line.letters & 1 << (letter & 63) != 0);
                let excluded = counted.row.without.bytes().any(|letter| line.letters & 1 << (letter & 63) != 0);
                if has_letters && !excluded && (counted.row.first..=counted.row.last).contains(count) && found.is_none()
                {
                    found = Some(counted.row.form);
                }
            }
        }
        self.frame(level).line = line;
        let form = found?;
        let end = self.value_end(level, at);
        let has_key = form == Form::Secret && head.len() < end - at && self.text[at + head.len()] == b'=';
        if has_key { None } else { self.hide_form(level, at..end, form) }
    }
}
