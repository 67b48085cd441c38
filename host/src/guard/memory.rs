//! What is known of texts, with a bound: a guest can make up as many as it likes.

use std::collections::HashMap;

/// How many texts are remembered, and how long they may be in all, in bytes: a guest can make up as many as
/// it likes.
const MOST_TEXTS: usize = 1000;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What is known of texts; all of it is forgotten where it would become too much.
#[derive(Debug)]
pub(super) struct Memory<T> {
    texts: HashMap<String, T>,
    bytes: usize,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Memory {
            texts: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<T> Memory<T> {
    /// Keeps what is known of a text.
    pub(super) fn keep(&mut self, text: &str, known: T) {
        if self.texts.contains_key(text) {
            return;
        }
        if self.texts.len() >= MOST_TEXTS || self.bytes + text.len() > MOST_BYTES {
            self.clear();
        }
        if text.len() <= MOST_BYTES {
            self.bytes += text.len();
            self.texts.insert(text.to_owned(), known);
        }
    }

    /// What is known of a text.
    pub(super) fn of(&self, text: &str) -> Option<&T> {
        self.texts.get(text)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest can send as many texts as it likes, and long ones: what is remembered of them stays small.
    #[test]
    fn not_all_texts_are_remembered() {
        let mut memory = Memory::default();
        for number in 0..=MOST_TEXTS {
            memory.keep(&format!("SELECT {number}"), number);
        }
        assert!(memory.texts.len() <= MOST_TEXTS);
        assert_eq!(
            memory.of(&format!("SELECT {MOST_TEXTS}")),
            Some(&MOST_TEXTS)
        );
        let half = "x".repeat(MOST_BYTES / 2);
        for letter in ["a", "b", "c"] {
            memory.keep(&(letter.to_owned() + &half), 0);
            assert!(memory.texts.keys().map(String::len).sum::<usize>() <= MOST_BYTES);
        }
        memory.keep(&half.repeat(3), 0);
        assert_eq!(memory.of(&half.repeat(3)), None);
        memory.clear();
        assert_eq!((memory.texts.len(), memory.bytes), (0, 0));
    }
}
