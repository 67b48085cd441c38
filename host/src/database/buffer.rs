//! The rows of a statement that are read at once.

use std::collections::VecDeque;

use super::columns::{Batch, Builder, Shape};
use super::failure::Failure;
use super::session::{FETCH_BYTES, MOST_FETCH, unreadable};

/// Batches that are filled one after the other, with a limit on all that they hold.
pub(super) struct Buffer<'a> {
    shape: &'a Shape,
    most_bytes: usize,
    bytes: usize,
    filling: Builder<'a>,
    filled: VecDeque<Batch>,
}

impl<'a> Buffer<'a> {
    pub(super) fn new(shape: &'a Shape, most_bytes: usize) -> Self {
        Buffer {
            shape,
            most_bytes,
            bytes: 0,
            filling: shape.builder(0),
            filled: VecDeque::new(),
        }
    }

    pub(super) fn push(
        &mut self,
        row: impl FnOnce(&mut Builder<'a>) -> Option<()>,
    ) -> Result<(), Failure> {
        let before = self.filling.bytes();
        row(&mut self.filling).ok_or_else(unreadable)?;
        self.bytes += self.filling.bytes() - before;
        if self.bytes > self.most_bytes {
            return Err(Failure::TooLarge(self.most_bytes));
        }
        if self.filling.length() == MOST_FETCH || self.filling.bytes() >= FETCH_BYTES {
            let full = std::mem::replace(&mut self.filling, self.shape.builder(0));
            self.filled.push_back(full.finish());
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> VecDeque<Batch> {
        if self.filling.length() > 0 {
            self.filled.push_back(self.filling.finish());
        }
        self.filled
    }
}
