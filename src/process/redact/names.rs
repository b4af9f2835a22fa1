//! A set of words that is searched very often. It is a small hash table: the hash looks at four bytes of the word.

/// Words with a value for each.
pub struct Names<T> {
    entries: Vec<(&'static str, T)>,
    /// One more than the index of an entry. 0 if the slot is free.
    slots: Vec<u16>,
}

impl<T> Names<T> {
    /// The set of these words. Of equal words, the first one counts.
    pub fn new(words: impl Iterator<Item = (&'static str, T)>) -> Self {
        // Most sets have no more: growing a vector step by step takes longer than all the rest.
        let mut entries = Vec::with_capacity(64);
        entries.extend(words);
        let size = (entries.len() * 4).next_power_of_two().max(16);
        let mut names = Names { entries: Vec::with_capacity(entries.len()), slots: vec![0; size] };
        for (word, value) in entries {
            let slot = names.slot(word.as_bytes());
            if names.slots[slot] == 0 {
                names.entries.push((word, value));
                names.slots[slot] = names.entries.len() as u16;
            }
        }
        names
    }

    /// The value of a word.
    pub fn get(&self, word: &[u8]) -> Option<&T> {
        let entry = self.slots[self.slot(word)].checked_sub(1)?;
        self.entries.get(usize::from(entry)).map(|(_, value)| value)
    }

    /// Whether a word is in the set.
    pub fn has(&self, word: &[u8]) -> bool {
        self.get(word).is_some()
    }

    /// The slot of a word, or the free slot where it would be.
    fn slot(&self, word: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let byte = |at: usize| usize::from(word.get(at).copied().unwrap_or(0));
        let end = word.len().saturating_sub(1);
        let mut slot = (byte(0) * 31 + byte(end / 2) * 131 + byte(end) * 521 + word.len() * 2053) & mask;
        while let Some(entry) = self.slots[slot].checked_sub(1) {
            if self.entries[usize::from(entry)].0.as_bytes() == word {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }
}

impl Names<()> {
    /// The set of the words in a text.
    pub fn of(text: &'static str) -> Self {
        Names::new(text.split_ascii_whitespace().map(|word| (word, ())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_set() {
        let names = Names::of("a b abc -p --user");
        for word in ["a", "b", "abc", "-p", "--user"] {
            assert!(names.has(word.as_bytes()), "{word}");
        }
        for word in ["", "c", "ab", "abcd", "-P", "--use"] {
            assert!(!names.has(word.as_bytes()), "{word}");
        }
        let values = Names::new([("a", 1), ("b", 2), ("a", 3)].into_iter());
        assert_eq!((values.get(b"a"), values.get(b"b"), values.get(b"c")), (Some(&1), Some(&2), None));
    }
}
