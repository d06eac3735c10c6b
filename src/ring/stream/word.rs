//! The header word of a line and the position word: packing and parsing, without memory.

use super::fault::Fault;
use crate::layout::stream::LINE_BYTES;

/// Line numbers count modulo 2^20.
pub const NUMBER_MASK: u32 = (1 << 20) - 1;
const FIELD: u32 = 0x3f;

/// Codes 1..=56 are the length of each message in the line; a message takes its length rounded up to 8.
pub const ZERO: u32 = 57;
/// First line of a long message: its length in the first payload word, then 48 bytes.
pub const FIRST: u32 = 58;
/// 56 more bytes of a long message, and it goes on.
pub const MORE: u32 = 59;
/// The last 1 to 56 bytes of a long message.
pub const LAST: u32 = 60;
/// The writer gave up the long message before this line: forget it.
pub const ABORT: u32 = 61;

/// Bytes of a long message that its first line holds.
pub const FIRST_BYTES: usize = LINE_BYTES - 8;

/// `{ number:20 | valid:6 | code:6 }`.
#[inline(always)]
pub const fn pack(number: u32, valid: u32, code: u32) -> u32 {
    number << 12 | valid << 6 | code
}

/// `{ number:20 | taken:12 }`.
#[inline(always)]
pub const fn pack_position(number: u32, taken: u32) -> u32 {
    number << 12 | taken
}

/// The number of a header or position word.
#[inline(always)]
pub const fn number(word: u32) -> u32 {
    word >> 12
}

/// The valid bytes of a header word, unchecked.
#[inline(always)]
pub const fn valid(word: u32) -> u32 {
    word >> 6 & FIELD
}

/// The code of a header word, unchecked.
#[inline(always)]
pub const fn code(word: u32) -> u32 {
    word & FIELD
}

/// The taken part of a position word, unchecked.
#[inline(always)]
pub const fn taken(word: u32) -> u32 {
    word & 0xfff
}

/// The line after `number`.
#[inline(always)]
pub const fn next(number: u32) -> u32 {
    number.wrapping_add(1) & NUMBER_MASK
}

/// What a line takes for each message of a checked `code`: bytes, or for empty messages a count of one.
#[inline(always)]
pub const fn stride(code: u32) -> u32 {
    match code {
        ZERO => 1,
        1..=56 => (code + 7) & !7,
        _ => LINE_BYTES as u32,
    }
}

/// `valid` bytes (or empty messages) are 1 or more whole messages of `code`, and fit a line. For codes up to ZERO.
///
/// Without a division, which would be felt in a round trip of 300 ns.
#[inline(always)]
pub const fn whole(valid: u32, code: u32) -> bool {
    /// Byte `s`: bit `k` says that `k` words are whole messages of `s` words.
    const MULTIPLES: u64 = multiples();
    if code == ZERO {
        return valid != 0 && valid <= LINE_BYTES as u32;
    }
    valid & 7 == 0 && MULTIPLES >> (stride(code) & 56) >> (valid >> 3) & 1 != 0
}

const fn multiples() -> u64 {
    let (mut table, mut words) = (0, 1);
    while words <= LINE_BYTES as u64 / 8 {
        let mut k = words;
        while k <= LINE_BYTES as u64 / 8 {
            table |= 1 << (words * 8 + k);
            k += words;
        }
        words += 1;
    }
    table
}

/// The length code of a message that fits one line.
#[inline(always)]
pub const fn short_code(len: usize) -> u32 {
    if len == 0 { ZERO } else { len as u32 }
}

/// A header word that belongs to the expected line and is possible in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// 1..=56; a multiple of the code's stride for short messages.
    pub valid: u32,
    /// A code that exists.
    pub code: u32,
}

/// Judges the header word of the line where line `expected` belongs, in a ring of `lines` lines (a power of two):
/// nothing there yet, something, or impossible. Any `word` whatever is judged.
#[inline]
pub fn parse(word: u32, expected: u32, lines: u32) -> Result<Option<Seen>, Fault> {
    if number(word) != expected {
        return not_yet(word, expected, lines);
    }
    let (valid, code) = (valid(word), code(word));
    match code {
        1..=ZERO if whole(valid, code) => {}
        LAST if valid <= LINE_BYTES as u32 && valid != 0 => {}
        FIRST | MORE | ABORT if valid == LINE_BYTES as u32 => {}
        0 if word == 0 => return Ok(None), // line 0 of a new ring
        1..=ABORT => return Err(Fault::Valid(valid)),
        _ => return Err(Fault::Code(code)),
    }
    Ok(Some(Seen { valid, code }))
}

/// The line still holds what it held a lap ago, or nothing at all.
#[inline]
fn not_yet(word: u32, expected: u32, lines: u32) -> Result<Option<Seen>, Fault> {
    if word == 0 || number(word) == expected.wrapping_sub(lines) & NUMBER_MASK {
        Ok(None)
    } else {
        Err(Fault::LineNumber { found: number(word), expected })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_judged_and_what_passes_is_possible() {
        // All 4096 low parts, at the numbers around the expected one.
        for expected in [0, 1, 7, NUMBER_MASK] {
            for found in [expected, next(expected), expected.wrapping_sub(8) & NUMBER_MASK, 0] {
                for low in 0..4096 {
                    let word = found << 12 | low;
                    match parse(word, expected, 8) {
                        Ok(Some(seen)) => {
                            assert_eq!(found, expected);
                            assert!((1..=56).contains(&seen.valid) && (1..=ABORT).contains(&seen.code));
                            assert_eq!(pack(found, seen.valid, seen.code), word);
                        }
                        Ok(None) => assert!(word == 0 || found != expected),
                        Err(_) => assert!(word != 0),
                    }
                }
            }
        }
    }

    #[test]
    fn whole_is_what_division_says() {
        for code in 1..=ZERO {
            for valid in 0..64 {
                let expected = valid != 0 && valid <= 56 && valid % stride(code) == 0;
                assert_eq!(whole(valid, code), expected, "{valid} bytes of code {code}");
            }
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(parse(pack(9, 8, 8), 3, 4), Err(Fault::LineNumber { found: 9, expected: 3 }));
        assert_eq!(parse(pack(3, 57, ZERO), 3, 4), Err(Fault::Valid(57)));
        assert_eq!(parse(pack(3, 12, 8), 3, 4), Err(Fault::Valid(12)));
        assert_eq!(parse(pack(3, 8, 62), 3, 4), Err(Fault::Code(62)));
        assert_eq!(parse(pack(3, 8, 0), 3, 4), Err(Fault::Code(0)));
        assert_eq!(parse(pack(3, 48, FIRST), 3, 4), Err(Fault::Valid(48)));
    }
}
