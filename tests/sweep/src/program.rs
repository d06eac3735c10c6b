//! Where the program's own code lies.

use std::fs;
use std::ops::Range;

use processing_kill_tests::{Outcome, words};

/// The code of this program, which its forked copies share: the library and all that is linked into it, but not the C library.
#[derive(Clone, Debug)]
pub struct Program {
    start: u64,
    code: Range<u64>,
    /// Code that the kernel lends to every process: reading the clock.
    kernels: Range<u64>,
}

impl Program {
    pub fn find() -> Outcome<Self> {
        let own = std::env::current_exe().map_err(words("current_exe"))?.display().to_string();
        let maps = fs::read_to_string("/proc/self/maps").map_err(words("/proc/self/maps"))?;
        let kernels = maps.lines().find_map(|line| mapping(line, "[vdso]")).map_or(0..0, |(range, _)| range);
        let own: Vec<(Range<u64>, bool)> = maps.lines().filter_map(|line| mapping(line, &own)).collect();
        let code = own.iter().find(|(_, executable)| *executable).map(|(range, _)| range.clone());
        let code = code.ok_or("the program's own code is not in /proc/self/maps")?;
        Ok(Self { start: own[0].0.start, code, kernels })
    }

    /// From the program's start, as `addr2line` wants it.
    pub fn offset(&self, place: u64) -> Option<u64> {
        self.code.contains(&place).then(|| place - self.start)
    }

    /// Whether it is in the page of code that the kernel lends.
    pub fn is_kernels(&self, place: u64) -> bool {
        self.kernels.contains(&place)
    }
}

/// The range of a line of `maps` that is about `file`, and whether it is code.
fn mapping(line: &str, file: &str) -> Option<(Range<u64>, bool)> {
    let mut words = line.split_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    line.ends_with(file).then_some(())?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?..number(end)?, rights.contains('x')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_code_is_the_programs() {
        let program = Program::find().unwrap();
        assert!(program.offset(mapping as *const () as u64).is_some());
        assert_eq!(program.offset(0), None);
    }

    #[test]
    fn lines_of_others_are_passed_over() {
        let line = "7f00-7f10 r-xp 00001000 08:01 12   /a/b";
        assert_eq!(mapping(line, "/a/b"), Some((0x7f00..0x7f10, true)));
        assert_eq!(mapping(line, "/a/c"), None);
    }
}
