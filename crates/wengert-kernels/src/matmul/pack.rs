//! Copies of operand blocks in the order the micro-kernel reads them.
//!
//! Both operands are packed by one routine: a block of `width` by `k` is cut into panels of `panel` elements across,
//! and a panel holds, for each inner index, its `panel` elements side by side. What is missing from a last panel stays
//! as it was: the tile computes with it and does not store the results.

#![expect(unsafe_code, reason = "copies through pointers; the slices were checked by the caller")]

use super::vector::{Vector, Work};

/// A block of an operand: element `(w, p)` at `start + w * across + p * inner`.
#[derive(Clone, Copy)]
pub(crate) struct Block<F> {
    pub start: *const F,
    pub across: usize,
    pub inner: usize,
    pub width: usize,
    pub k: usize,
}

/// Elements [`pack`] writes.
pub(super) const fn packed_len(width: usize, k: usize, panel: usize) -> usize {
    width.div_ceil(panel) * panel * k
}

/// Packs a block into panels of `panel` elements at `target`.
///
/// # Safety
/// As for [`Vector`]. The block must be readable and `target` writable for [`packed_len`] elements.
#[inline(always)]
pub(crate) unsafe fn pack<V: Vector>(block: Block<V::Element>, panel: usize, target: *mut V::Element) {
    // SAFETY: passed on.
    unsafe {
        // Panels of a right operand, whose distances the compiler then knows, and those of a left one.
        if panel == 2 * V::LANES {
            V::apart(Pack::<_, true> { block, panel, target });
        } else {
            V::apart(Pack::<_, false> { block, panel, target });
        }
    }
}

/// What [`pack`] does.
struct Pack<F, const RIGHT: bool> {
    block: Block<F>,
    panel: usize,
    target: *mut F,
}

impl<V: Vector, const RIGHT: bool> Work<V> for Pack<V::Element, RIGHT> {
    #[inline(always)]
    unsafe fn run(self) {
        let Pack { block, panel, target } = self;
        let panel = if RIGHT { 2 * V::LANES } else { panel };
        let Block { start, across, inner, width, k } = block;
        // SAFETY: by the contract above; `w` stays below the width, `p` below `k`.
        unsafe {
            let mut w = 0;
            if across == 1 {
                while width - w >= 4 * panel {
                    copy_rows::<V>(start.add(w), inner, 4, panel, k, panel, target.add(w * k));
                    w += 4 * panel;
                }
            }
            while w < width {
                let count = panel.min(width - w);
                let source = start.add(w * across);
                let target = target.add(w * k);
                if across == 1 {
                    copy_rows::<V>(source, inner, 1, count, k, panel, target);
                } else if inner == 1 {
                    transpose_rows::<V>(source, across, count, k, panel, target);
                } else {
                    for p in 0..k {
                        for i in 0..count {
                            *target.add(p * panel + i) = *source.add(i * across + p * inner);
                        }
                    }
                }
                w += panel;
            }
        }
    }
}

/// `k` rows, of each the first `count` elements to the first of some panels, and so on. Of several panels at a time,
/// since rows far apart come from the second-level cache for each; all at once would write to one set of the first.
#[inline(always)]
unsafe fn copy_rows<V: Vector>(
    source: *const V::Element,
    inner: usize,
    panels: usize,
    count: usize,
    k: usize,
    panel: usize,
    target: *mut V::Element,
) {
    // SAFETY: `pack` passes a panel of its block; reads stay within `count`, writes within the panel.
    unsafe {
        for p in 0..k {
            for w in 0..panels {
                copy::<V>(source.add(p * inner + w * count), count, target.add((w * k + p) * panel));
            }
        }
    }
}

/// `count` neighbours. Inline, unlike a copy of slices, whose call takes longer than a few vectors do.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
pub(crate) unsafe fn copy<V: Vector>(source: *const V::Element, count: usize, target: *mut V::Element) {
    // SAFETY: passed on.
    unsafe {
        let whole = count - count % V::LANES;
        let mut i = 0;
        while i < whole {
            V::load(source.add(i)).store(target.add(i));
            i += V::LANES;
        }
        if i < count {
            V::load_first(source.add(i), count - i).store_first(target.add(i), count - i);
        }
    }
}

/// `count` rows that are contiguous along the inner dimension, turned.
#[inline(always)]
unsafe fn transpose_rows<V: Vector>(
    source: *const V::Element,
    across: usize,
    count: usize,
    k: usize,
    panel: usize,
    target: *mut V::Element,
) {
    // SAFETY: `pack` passes a panel of its block; reads and writes stay within `count` and `k`.
    unsafe {
        let whole = k - k % V::LANES;
        let mut i = 0;
        while i < count {
            let rows = V::LANES.min(count - i);
            let mut p = 0;
            while p < whole {
                V::transpose(source.add(i * across + p), across, rows, target.add(p * panel + i), panel);
                p += V::LANES;
            }
            while p < k {
                for r in i..i + rows {
                    *target.add(p * panel + r) = *source.add(r * across + p);
                }
                p += 1;
            }
            i += rows;
        }
    }
}
