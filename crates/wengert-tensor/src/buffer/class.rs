//! Size classes: which sizes of memory are kept apart for reuse.
//!
//! Powers of two from 64 bytes to 4 KiB, multiples of 4 KiB up to 1 MiB, then quarter powers of two (1.25, 1.5, 1.75,
//! 2, 2.5, ... MiB). What a request wastes is below 50 % of a small buffer, one page of a middling one, 20 % of a large
//! one; the same request always meets the same class, which is what makes recycling work.

/// The smallest class, one cache line.
const LINE: usize = 64;
const PAGE: usize = 4 << 10;
const MIB: usize = 1 << 20;

/// Classes 0..=6: 64 bytes to 4 KiB.
const SMALL: usize = (PAGE / LINE).ilog2() as usize + 1;
/// Then 8 KiB to 1 MiB in pages.
const PAGES: usize = MIB / PAGE - 1;
/// Then four classes for each doubling up to 64 GiB.
const DOUBLINGS: usize = 16;

/// How many classes there are.
pub(super) const CLASSES: usize = SMALL + PAGES + 4 * DOUBLINGS;
/// The class of memory too large to be worth keeping.
pub(super) const UNPOOLED: usize = CLASSES;

/// The class for `bytes` bytes and the size of that class; `None` when no allocation can be that large.
#[inline]
pub(super) fn class_of(bytes: usize) -> Option<(usize, usize)> {
    if bytes <= LINE {
        Some((0, LINE))
    } else if bytes <= PAGE {
        let size = bytes.next_power_of_two();
        Some(((size / LINE).ilog2() as usize, size))
    } else if bytes <= MIB {
        let pages = bytes.div_ceil(PAGE);
        Some((SMALL + pages - 2, pages * PAGE))
    } else {
        large_class_of(bytes)
    }
}

fn large_class_of(bytes: usize) -> Option<(usize, usize)> {
    // bytes is in (2^p, 2^(p + 1)]; four quarters of 2^p lie there.
    let p = (bytes - 1).ilog2();
    let quarter = 1usize << (p - 2);
    let quarters = bytes.div_ceil(quarter);
    let size = quarters.checked_mul(quarter).filter(|&size| size <= isize::MAX as usize)?;
    let class = SMALL + PAGES + 4 * (p - MIB.ilog2()) as usize + quarters - 5;
    if class < CLASSES { Some((class, size)) } else { Some((UNPOOLED, bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_holds_its_request_and_wastes_little() {
        let mut last = 0;
        for bytes in (0..70_000).chain((70_000..8 << 20).step_by(997)).chain((8 << 20..1 << 30).step_by(1_234_567)) {
            let (class, size) = class_of(bytes).unwrap();
            assert!(size >= bytes && class >= last && class < CLASSES, "{bytes}: class {class}, size {size}");
            assert!(bytes <= PAGE || size - bytes < PAGE.max(bytes / 4), "{bytes}: {size}");
            assert_eq!(class_of(size), Some((class, size)), "a class is its own request");
            last = class;
        }
    }

    #[test]
    fn classes_are_numbered_without_gaps() {
        let mut bytes = 1;
        for expected in 0..CLASSES {
            let Some((class, size)) = class_of(bytes) else { break };
            assert_eq!(class, expected);
            bytes = size + 1;
        }
        assert_eq!(class_of(bytes).unwrap().0, UNPOOLED);
    }

    #[test]
    fn sizes_no_allocation_can_have_are_refused() {
        assert_eq!(class_of(usize::MAX), None);
        assert!(class_of(isize::MAX as usize).is_none_or(|(class, _)| class == UNPOOLED));
    }
}
