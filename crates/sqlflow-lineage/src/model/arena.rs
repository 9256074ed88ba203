//! Arenas: arrays whose items refer to each other by index.

/// An error that says which arena holds as much as a `u32` can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArenaFull(pub(crate) &'static str);

/// The index that refers to nothing.
pub(crate) const NONE: u32 = u32::MAX;

/// Adds an item to an arena and returns its index.
#[inline]
pub(crate) fn push<T>(arena: &mut Vec<T>, item: T, what: &'static str) -> Result<u32, ArenaFull> {
    let at = index_of_next(arena, what)?;
    if arena.len() == arena.capacity() {
        arena.reserve_exact(growth(arena.len()));
    }
    arena.push(item);
    Ok(at)
}

/// Returns the number of items for which an arena of `len` items reserves memory when it is full.
///
/// It is a quarter and not the whole, as in a `Vec`: an arena that has just grown is then hardly larger than it must be,
/// which keeps the peak of reading low. Large blocks of memory are moved without copying them.
#[cold]
pub(crate) fn growth(len: usize) -> usize {
    (len / 4).max(64)
}

/// Returns the index that the next item of an arena will have. It is never [`NONE`].
pub(crate) fn index_of_next<T>(arena: &[T], what: &'static str) -> Result<u32, ArenaFull> {
    match u32::try_from(arena.len()) {
        Ok(at) if at != NONE => Ok(at),
        _ => Err(ArenaFull(what)),
    }
}

/// Returns the indices of all items of an arena.
pub(crate) fn indices<T>(arena: &[T]) -> std::ops::Range<u32> {
    0..u32::try_from(arena.len()).unwrap_or(NONE)
}

/// A run of neighbours in an arena.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// Returns the span from `start` to the end of an arena.
    pub(crate) fn since<T>(start: u32, arena: &[T], what: &'static str) -> Result<Self, ArenaFull> {
        let end = index_of_next(arena, what)?;
        let len = end.saturating_sub(start);
        Ok(Self { start, len })
    }

    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Returns this span, or `other` if this one is empty.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    pub(crate) fn indices(self) -> std::ops::Range<u32> {
        self.start..self.start.saturating_add(self.len)
    }

    /// Returns the items of an arena in this span; none if the span reaches past the end.
    pub(crate) fn of<T>(self, arena: &[T]) -> &[T] {
        let range = self.indices();
        arena.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_outside_its_arena_is_empty() {
        let span = Span { start: u32::MAX, len: 7 };
        assert!(span.of(&[1, 2, 3]).is_empty());
    }
}
