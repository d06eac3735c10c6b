//! What a word is: a maximal run of bytes that are not blank, as `wc -w` counts in the C locale. Blank are
//! space, tab, newline, vertical tab, form feed and carriage return.

/// Counts words in bytes that come in pieces.
#[derive(Debug, Default, Clone, Copy)]
pub struct Words {
    count: u64,
    /// Whether the last piece ended within a word.
    inside: bool,
}

impl Words {
    /// The next piece.
    pub fn add(&mut self, piece: &[u8]) {
        let Some((&first, &last)) = piece.first().zip(piece.last()) else { return };
        self.count += u64::from(!self.inside && !is_blank(first));
        self.count += beginnings(piece);
        self.inside = !is_blank(last);
    }

    /// The words so far, the one that a piece may have cut included.
    pub fn count(self) -> u64 {
        self.count
    }
}

/// How many words begin after the first byte: where one that is not blank follows one that is. There is no
/// state from byte to byte, and the sums are small, so that the compiler looks at many bytes at once.
fn beginnings(piece: &[u8]) -> u64 {
    let before = piece.chunks(SHORT);
    let after = piece[1..].chunks(SHORT);
    let pairs = before.zip(after);
    pairs.map(|(before, after)| u64::from(beginnings_of_short(before, after))).sum()
}

/// So many fit in the counter of a byte.
const SHORT: usize = u8::MAX as usize;

#[inline(always)]
fn beginnings_of_short(before: &[u8], after: &[u8]) -> u8 {
    let begins = before.iter().zip(after).map(|(&before, &after)| is_blank(before) & !is_blank(after));
    begins.fold(0, |sum, begins| sum + u8::from(begins))
}

/// Blank in the C locale.
#[inline(always)]
pub fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') < 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    fn whole(text: &[u8]) -> u64 {
        let mut words = Words::default();
        words.add(text);
        words.count()
    }

    /// The definition, word for word.
    fn by_definition(text: &[u8]) -> u64 {
        text.split(|&byte| b" \t\n\x0b\x0c\r".contains(&byte)).filter(|run| !run.is_empty()).count() as u64
    }

    /// Bytes in which words and blanks of all kinds meet, long enough for several strides.
    fn mixture(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as usize
        };
        (0..length).map(|_| b" \t\n\x0b\x0c\r\x08\x0e\x1f!abcZ~\x85\xa0\xff"[next() % 18]).collect()
    }

    #[test]
    fn small_texts() {
        for (text, words) in [
            ("", 0),
            (" ", 0),
            ("a", 1),
            (" a", 1),
            ("a ", 1),
            ("a b", 2),
            ("\tab\n\ncd\r\n", 2),
            ("a\u{a0}b", 1),
        ] {
            assert_eq!(whole(text.as_bytes()), words, "{text:?}");
        }
    }

    #[test]
    fn blanks_are_the_six_of_the_c_locale() {
        let blanks: Vec<u8> = (0..=255).filter(|&byte| is_blank(byte)).collect();
        assert_eq!(blanks, [9, 10, 11, 12, 13, 32]);
    }

    #[test]
    fn agrees_with_the_definition() {
        for length in [1, 2, 254, 255, 256, 257, 511, 5000] {
            let text = mixture(length as u64, length);
            assert_eq!(whole(&text), by_definition(&text), "{length} bytes");
        }
    }

    #[test]
    fn pieces_do_not_change_the_count() {
        let text = mixture(7, 3000);
        for piece in [1, 2, 3, 64, 255, 256, 1000] {
            let mut words = Words::default();
            text.chunks(piece).for_each(|piece| words.add(piece));
            words.add(b"");
            assert_eq!(words.count(), whole(&text), "in pieces of {piece}");
        }
    }

    #[test]
    fn agrees_with_wc_where_there_is_one() {
        // Printable bytes only: some versions of wc count no word that has none.
        let text: Vec<u8> = mixture(99, 100_000)
            .into_iter()
            .filter(|&byte| is_blank(byte) || byte.is_ascii_graphic())
            .collect();
        let wc = Command::new("wc")
            .arg("-w")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut wc) = wc else { return };
        wc.stdin.take().unwrap().write_all(&text).unwrap();
        let answer = String::from_utf8(wc.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(answer.trim().parse(), Ok(whole(&text)));
    }
}
