//! What arrays and lists hold: an element says where it is.

/// How many elements random indices are taken of: more than the first-level cache holds.
pub const ELEMENTS: u64 = 10_000;
/// How many elements are pushed before a new list is begun.
pub const PUSHED: u64 = 1 << 16;

/// The element at this index.
#[inline(always)]
pub fn element(index: u64) -> u64 {
    index * 3 + 1
}

/// All of them.
pub fn elements() -> Vec<u64> {
    (0..ELEMENTS).map(element).collect()
}

/// So many pushes, in parts of at most [`PUSHED`]; `push` pushes the first elements of an empty list, times that alone, and says how
/// long it took and whether the list was right.
///
/// # Errors
/// Those of `push`.
pub fn in_parts(
    operations: u64,
    mut push: impl FnMut(u64) -> anyhow::Result<(std::time::Duration, bool)>,
) -> anyhow::Result<super::Report> {
    let (mut left, mut nanos, mut wrong) = (operations, 0, 0);
    while left > 0 {
        let part = left.min(PUSHED);
        let (took, right) = push(part)?;
        nanos += took.as_nanos() as u64;
        wrong += u64::from(!right);
        left -= part;
    }
    Ok(super::Report { operations, nanos, wrong, each: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn parts_add_up() {
        let mut parts = Vec::new();
        let report = in_parts(2 * PUSHED + 5, |part| {
            parts.push(part);
            Ok((Duration::from_nanos(part), part != 5))
        });
        let report = report.unwrap();
        assert_eq!(parts, [PUSHED, PUSHED, 5]);
        assert_eq!((report.operations, report.nanos, report.wrong), (2 * PUSHED + 5, 2 * PUSHED + 5, 1));
    }
}
