//! Reordering of merged arenas, so that the columns, arguments and coordinates of each record become neighbours.

use crate::model::{ArenaFull, NONE, RawCoordinate, RawObject, Span, index_of_next};

/// Returns the members of each group one after the other, in order.
pub(super) fn grouped(groups: &[u32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).zip(groups).map(|(at, _)| at).collect();
    order.sort_by_key(|&at| groups.get(at as usize));
    order
}

/// Returns the new index of each item of an order.
pub(super) fn inverse(order: &[u32]) -> Vec<u32> {
    let mut places = vec![NONE; order.len()];
    for (place, &from) in (0..).zip(order) {
        if let Some(to) = places.get_mut(from as usize) {
            *to = place;
        }
    }
    places
}

pub(super) fn in_order<T: Copy>(items: &[T], order: &[u32]) -> Vec<T> {
    order.iter().filter_map(|&at| items.get(at as usize).copied()).collect()
}

/// Gives each object the span of the items that it owns.
pub(super) fn spread(
    objects: &mut [RawObject],
    owners: &[u32],
    order: &[u32],
    span: impl Fn(&mut RawObject) -> &mut Span,
) {
    for (place, &from) in (0..).zip(order) {
        let owner = owners.get(from as usize).and_then(|&owner| objects.get_mut(owner as usize));
        if let Some(span) = owner.map(&span) {
            if span.is_empty() {
                span.start = place;
            }
            span.len += 1;
        }
    }
}

/// Moves coordinates into the order of their records.
pub(super) struct CoordinateMover {
    pub(super) from: Vec<RawCoordinate>,
    pub(super) to: Vec<RawCoordinate>,
}

impl CoordinateMover {
    /// Moves the coordinates of records, and after those of each record the additional ones in `more`.
    pub(super) fn move_all<'s>(
        &mut self,
        spans: impl Iterator<Item = &'s mut Span>,
        more: &mut [(u32, Span)],
    ) -> Result<(), ArenaFull> {
        more.sort_by_key(|(at, _)| *at);
        let mut more = more.iter().peekable();
        for (at, span) in (0..).zip(spans) {
            let start = index_of_next(&self.to, "coordinates")?;
            self.to.extend_from_slice(span.of(&self.from));
            while let Some((_, span)) = more.next_if(|(owner, _)| *owner <= at) {
                self.to.extend_from_slice(span.of(&self.from));
            }
            *span = Span::since(start, &self.to, "coordinates")?;
        }
        Ok(())
    }
}

/// Returns the new index of an item, or [`NONE`].
pub(super) fn moved(places: &[u32], at: u32) -> u32 {
    places.get(at as usize).copied().unwrap_or(NONE)
}
