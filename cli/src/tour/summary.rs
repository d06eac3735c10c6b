//! What the tour says at the end.

use super::crew::CrewCount;
use super::file::Verdict;
use super::find::Found;
use super::single::SingleCount;
use super::tally::Totals;
use serde::Serialize;
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::path::Path;

/// At most so many problems of a kind are named.
const NAMED: usize = 10;

/// All that was found out.
pub struct Summary<'a> {
    found: &'a Found,
    crew: &'a CrewCount,
    single: &'a SingleCount,
    totals: Totals,
    /// Ids of the files that the two counts do not agree on.
    differences: Vec<usize>,
}

/// The line of `--json`.
#[derive(Serialize)]
struct Line {
    files: u64,
    words: u64,
    seconds: f64,
    killed: usize,
    redelivered: u64,
    equal: bool,
}

impl<'a> Summary<'a> {
    pub fn new(found: &'a Found, crew: &'a CrewCount, single: &'a SingleCount) -> Self {
        let differences = crew.tally.differences(&single.tally);
        Self { found, crew, single, totals: crew.tally.totals(), differences }
    }

    /// Whether both counts are the same, file by file.
    pub fn equal(&self) -> bool {
        self.differences.is_empty()
    }

    /// To stderr: what was not counted, and what the counts do not agree on.
    pub fn report_problems(&self) {
        let problems = self.found.problems.iter();
        list("not counted", problems.map(|problem| format!("{}: {}", Shown(&problem.path), problem.what)));
        list("unreadable", self.unreadable());
        list("no text in", self.without_text());
        list("counted differently", self.differences.iter().map(|&id| self.difference(id)));
        if self.found.links > 0 {
            eprintln!("symbolic links not followed: {}", self.found.links);
        }
    }

    /// To stdout: the result.
    ///
    /// # Errors
    /// Stdout cannot be written to.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json { serde_json::to_string(&self.line())? } else { self.to_string() };
        Ok(io::stdout().write_all(format!("{text}\n").as_bytes())?)
    }

    fn line(&self) -> Line {
        Line {
            files: self.totals.files,
            words: self.totals.words,
            seconds: self.crew.took.as_secs_f64(),
            killed: self.crew.killed.len(),
            redelivered: self.crew.redelivered,
            equal: self.equal(),
        }
    }

    fn unreadable(&self) -> impl Iterator<Item = String> {
        self.found.files.iter().enumerate().filter_map(|(id, file)| match self.crew.tally.verdict(id) {
            Some(Verdict::Unreadable(why)) => Some(format!("{}: {why}", Shown(&file.path))),
            _ => None,
        })
    }

    /// The given paths that led to no text. One that has a problem itself has been named for that.
    fn without_text(&self) -> impl Iterator<Item = String> {
        let mut has_text = vec![false; self.found.roots.len()];
        for (id, file) in self.found.files.iter().enumerate() {
            has_text[file.root] |= matches!(self.crew.tally.verdict(id), Some(Verdict::Text { .. }));
        }
        let named = |path: &Path| self.found.problems.iter().any(|problem| problem.path == path);
        let roots = self.found.roots.iter().zip(has_text);
        roots
            .filter(move |(root, has_text)| !has_text && !named(root))
            .map(|(root, _)| Shown(root).to_string())
    }

    fn difference(&self, id: usize) -> String {
        let (crew, single) = (self.crew.tally.verdict(id), self.single.tally.verdict(id));
        let file = Shown(&self.found.files[id].path);
        format!("{file}: {crew:?} by the workers, {single:?} by one process (was it being written?)")
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { files, words, bytes, binary, unreadable } = self.totals;
        let (crew, single) = (self.crew, self.single);
        let seconds = crew.took.as_secs_f64();
        let rate = |amount: u64| amount as f64 / seconds;
        writeln!(f, "files        {files} of text; {binary} binary, skipped; {unreadable} unreadable")?;
        writeln!(f, "words        {words}")?;
        writeln!(f, "bytes        {bytes}")?;
        write!(f, "time         {seconds:.3} s with {} workers: ", crew.workers)?;
        writeln!(f, "{:.0} files/s, {:.1} MB/s", rate(files), rate(bytes) / 1e6)?;
        writeln!(f, "one process  {:.3} s, with the files in the page cache", single.took.as_secs_f64())?;
        writeln!(f, "killed       {}", Killed(&crew.killed))?;
        writeln!(f, "redelivered  {}; results that came twice: {}", crew.redelivered, crew.duplicates)?;
        let verdict = if self.equal() { "yes, file by file" } else { "NO" };
        write!(f, "equal        {verdict}")
    }
}

/// Who was killed.
struct Killed<'a>(&'a [String]);

impl Display for Killed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "nobody" } else { "" })?;
        f.write_str(&self.0.join(", "))
    }
}

/// A path for people: as it is, or escaped where it would confuse the terminal.
pub struct Shown<'a>(pub &'a Path);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(plain) if !plain.chars().any(char::is_control) => f.write_str(plain),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

/// A heading and its first items; nothing if there are none.
fn list(what: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return;
    }
    eprintln!("{what} ({}):", items.len());
    items.iter().take(NAMED).for_each(|item| eprintln!("  {item}"));
    if items.len() > NAMED {
        eprintln!("  and {} more", items.len() - NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn paths_do_not_confuse_the_terminal() {
        assert_eq!(Shown(Path::new("a/b c")).to_string(), "a/b c");
        assert_eq!(Shown(Path::new("a\x1b[2J")).to_string(), "\"a\\u{1b}[2J\"");
        assert_eq!(Shown(Path::new(OsStr::from_bytes(b"\xff"))).to_string(), "\"\\xFF\"");
    }
}
