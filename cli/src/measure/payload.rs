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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_counts() {
        let good: [u64; 32] = message(41);
        assert!(is_message(&good, 41));
        assert!(!is_message(&good, 42));
        for word in 0..32 {
            let mut bad = good;
            bad[word] ^= 1 << 40;
            assert!(!is_message(&bad, 41), "word {word}");
        }
    }
}
