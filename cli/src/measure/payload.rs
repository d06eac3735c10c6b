//! What is sent: message `k` of a conversation has the words `k, k+1, k+2, ..`, so that a lost, doubled,
//! torn or stale one is seen.

/// Message number `number`.
#[inline(always)]
pub fn message<const WORDS: usize>(number: u64) -> [u64; WORDS] {
    std::array::from_fn(|word| number.wrapping_add(word as u64))
}

/// Whether `message` is number `number`, looking at each of its words.
#[inline(always)]
pub fn is_message<const WORDS: usize>(message: &[u64; WORDS], number: u64) -> bool {
    // Without a branch a word, so that the compiler may look at several at a time.
    let difference = |word: usize| message[word] ^ number.wrapping_add(word as u64);
    (0..WORDS).fold(0, |sum, word| sum | difference(word)) == 0
}

/// Whether the words of `message` come to what those of number `number` come to: each word is looked at, for the price of an addition. It
/// tells every message that is whole from one that is a mixture of it and a later one.
#[inline(always)]
pub fn sums_up<const WORDS: usize>(message: &[u64; WORDS], number: u64) -> bool {
    let words = WORDS as u64;
    let sum = message.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
    sum == number.wrapping_mul(words).wrapping_add(words * (words - 1) / 2)
}

/// Writes message number `number` over all of `words`.
#[inline(always)]
pub fn write_message(words: &mut [u64], number: u64) {
    for (word, place) in words.iter_mut().enumerate() {
        *place = number.wrapping_add(word as u64);
    }
}

/// The same over bytes, a multiple of eight of them.
#[inline(always)]
pub fn write_message_bytes(bytes: &mut [u8], number: u64) {
    for (word, place) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *place = number.wrapping_add(word as u64).to_ne_bytes();
    }
}

/// Whether these are all the words of message `number`, looking at each of them.
#[inline(always)]
pub fn are_message(words: impl Iterator<Item = u64>, number: u64) -> bool {
    // Without a branch a word, so that the compiler may look at several at a time.
    let difference = |(word, value): (usize, u64)| value ^ number.wrapping_add(word as u64);
    words.enumerate().map(difference).fold(0, |sum, word| sum | word) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_counts() {
        let good: [u64; 32] = message(41);
        assert!(is_message(&good, 41));
        assert!(!is_message(&good, 42));
        let mut written = [0; 32];
        write_message(&mut written, 41);
        assert_eq!(written, good);
        assert!(are_message(good.into_iter(), 41) && !are_message(good.into_iter(), 42));
        for word in 0..32 {
            let mut bad = good;
            bad[word] ^= 1 << 40;
            assert!(!is_message(&bad, 41) && !are_message(bad.into_iter(), 41), "word {word}");
        }
    }
}
