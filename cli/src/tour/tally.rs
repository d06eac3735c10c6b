//! What came of all files.

use super::file::Verdict;

/// One verdict a file, by its id.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    verdicts: Vec<Option<Verdict>>,
    recorded: usize,
}

/// The sums of a tally.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub files: u64,
    pub words: u64,
    pub bytes: u64,
    pub binary: u64,
    pub unreadable: u64,
}

impl Tally {
    pub fn new(files: usize) -> Self {
        Self { verdicts: vec![None; files], recorded: 0 }
    }

    /// Records the verdict of a file; false, and nothing changes, if it has one already.
    pub fn record(&mut self, id: usize, verdict: Verdict) -> bool {
        match self.verdicts.get_mut(id) {
            Some(place @ None) => {
                *place = Some(verdict);
                self.recorded += 1;
                true
            }
            _ => false,
        }
    }

    /// How many files have a verdict.
    pub fn recorded(&self) -> usize {
        self.recorded
    }

    pub fn verdict(&self, id: usize) -> Option<&Verdict> {
        self.verdicts.get(id)?.as_ref()
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for verdict in self.verdicts.iter().flatten() {
            match verdict {
                Verdict::Text { words, bytes } => {
                    totals.files += 1;
                    totals.words += words;
                    totals.bytes += bytes;
                }
                Verdict::Binary => totals.binary += 1,
                Verdict::Unreadable(_) => totals.unreadable += 1,
            }
        }
        totals
    }

    /// The ids of the files that two counts do not agree on.
    pub fn differences(&self, other: &Self) -> Vec<usize> {
        let agree = |id: usize| match (self.verdict(id), other.verdict(id)) {
            (Some(a), Some(b)) => a.agrees(b),
            _ => false,
        };
        (0..self.verdicts.len().max(other.verdicts.len())).filter(|&id| !agree(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: u64) -> Verdict {
        Verdict::Text { words, bytes: 10 * words }
    }

    #[test]
    fn a_second_result_is_told_by_its_id() {
        let mut tally = Tally::new(2);
        assert!(tally.record(1, text(5)));
        assert!(!tally.record(1, text(5)));
        assert!(!tally.record(2, text(5)), "no such file");
        assert_eq!(tally.recorded(), 1);
        assert_eq!(tally.totals().words, 5);
    }

    #[test]
    fn sums() {
        let mut tally = Tally::new(4);
        tally.record(0, text(5));
        tally.record(1, text(2));
        tally.record(2, Verdict::Binary);
        tally.record(3, Verdict::Unreadable("gone".into()));
        let expected = Totals { files: 2, words: 7, bytes: 70, binary: 1, unreadable: 1 };
        assert_eq!(tally.totals(), expected);
    }

    #[test]
    fn differences_are_told_file_by_file_even_when_the_sums_agree() {
        let (mut a, mut b) = (Tally::new(3), Tally::new(3));
        for (tally, words) in [(&mut a, [1, 2]), (&mut b, [2, 1])] {
            tally.record(0, text(words[0]));
            tally.record(1, text(words[1]));
        }
        assert_eq!(a.totals(), b.totals());
        assert_eq!(a.differences(&b), [0, 1, 2], "the last one has no verdict at all");
    }
}
