//! Text of bounded length.

/// As much of the start of `text` as fits into `max` bytes, in whole characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    #[test]
    fn characters_stay_whole() {
        assert_eq!(super::cut("aéb", 2), "a");
        assert_eq!(super::cut("aéb", 3), "aé");
        assert_eq!(super::cut("aéb", 99), "aéb");
    }
}
