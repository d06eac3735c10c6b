//! A Rust file taken apart: code without comments and texts, and which lines are test code.
//!
//! Not a parser: a scanner that knows comments, string and character literals and braces, which is all that the
//! rules need, and which never fails on code that does not compile.

/// One Rust file.
pub struct Source {
    pub path: String,
    /// The lines as they are.
    pub raw: Vec<String>,
    /// The lines with comments and the insides of literals blanked.
    pub code: Vec<String>,
    /// The lines with comments blanked and literals kept.
    pub uncommented: Vec<String>,
    test: Vec<bool>,
}

impl Source {
    pub fn new(path: &str, text: &str, all_test: bool) -> Self {
        let masked = Scanner::new(text).scan();
        let code: Vec<String> = masked.code.lines().map(str::to_owned).collect();
        let mut test = mark_tests(&code);
        if all_test || code.iter().any(|line| line.starts_with("#![cfg(test)]")) {
            test.fill(true);
        }
        Self {
            path: path.to_owned(),
            raw: text.lines().map(str::to_owned).collect(),
            uncommented: masked.uncommented.lines().map(str::to_owned).collect(),
            code,
            test,
        }
    }

    /// Lines (from 1) and their code.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(at, line)| (at + 1, line.as_str()))
    }

    /// Whether a line (from 1) belongs to test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.test.get(line - 1).copied().unwrap_or(false)
    }

    /// Lines of code outside test code.
    pub fn code_lines(&self) -> usize {
        self.lines().filter(|(at, line)| !line.trim().is_empty() && !self.is_test(*at)).count()
    }

    /// Paths without `.rs` of the modules declared under `#[cfg(test)]`.
    pub fn test_modules(&self) -> Vec<String> {
        let names = self.lines().filter(|(at, _)| self.is_test(*at)).filter_map(|(_, line)| declared(line));
        names.map(|name| format!("{}/{name}", self.folder())).collect()
    }

    /// The folder of this module's children: `src/a` for `src/a.rs` and for `src/a/mod.rs`.
    fn folder(&self) -> String {
        let path = self.path.trim_end_matches(".rs");
        let own = ["/mod", "/lib", "/main"].iter().find_map(|name| path.strip_suffix(name));
        own.unwrap_or(path).to_owned()
    }
}

/// `name` of `mod name;`.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim().trim_start_matches("pub ").strip_prefix("mod ")?;
    rest.strip_suffix(';').map(str::trim)
}

/// Positions of `word` in `line` where it is not part of a longer name.
pub fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = line[..*at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        !before && !after
    })
}

/// Marks the lines of items under `#[cfg(test)]`, `#[cfg(loom)]` or `#[test]`: what no user builds.
fn mark_tests(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut at = 0;
    while at < code.len() {
        if is_test_attribute(&code[at]) {
            let end = item_end(code, at);
            test[at..=end].fill(true);
            at = end;
        }
        at += 1;
    }
    test
}

fn is_test_attribute(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("#[test]") {
        return true;
    }
    let Some(condition) = line.strip_prefix("#[cfg(") else { return false };
    let positive = condition.replace("not(test)", "").replace("not(loom)", "");
    let named = |word| words(&positive, word).next().is_some();
    // `any(..)` also holds in a build that ships.
    (named("test") || named("loom")) && !positive.contains("any(")
}

/// The last line of the item whose attribute stands on line `start`: its closing brace or its semicolon.
fn item_end(code: &[String], start: usize) -> usize {
    let mut depth = 0i32;
    for (at, line) in code.iter().enumerate().skip(start) {
        let line = if at == start { line.split_once(']').map_or("", |(_, rest)| rest) } else { line };
        for c in line.chars() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth <= 0 && (c == '}' || c == ';') {
                return at;
            }
        }
    }
    code.len() - 1
}

struct Masked {
    code: String,
    uncommented: String,
}

struct Scanner<'a> {
    rest: &'a str,
    out: Masked,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        let room = || String::with_capacity(text.len());
        Self { rest: text, out: Masked { code: room(), uncommented: room() } }
    }

    fn scan(mut self) -> Masked {
        while !self.rest.is_empty() {
            if self.rest.starts_with("//") {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.comment(end);
            } else if self.rest.starts_with("/*") {
                self.comment(block_comment_end(self.rest));
            } else if let Some(end) = literal_end(self.rest) {
                self.literal(end);
            } else {
                self.code();
            }
        }
        self.out
    }

    /// Passes one character of code, or a whole name (so that the `r` of `for"` starts no raw string).
    fn code(&mut self) {
        let name = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let part = self.take(name.max(first));
        self.out.code.push_str(part);
        self.out.uncommented.push_str(part);
    }

    fn comment(&mut self, end: usize) {
        let blank = blank(self.take(end));
        self.out.code.push_str(&blank);
        self.out.uncommented.push_str(&blank);
    }

    fn literal(&mut self, end: usize) {
        let part = self.take(end);
        self.out.code.push_str(&blank(part));
        self.out.uncommented.push_str(part);
    }

    fn take(&mut self, end: usize) -> &'a str {
        let (part, rest) = self.rest.split_at(end);
        self.rest = rest;
        part
    }
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

fn block_comment_end(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The end of the string or character literal that starts here.
fn literal_end(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].iter().find(|p| {
        let rest = text.strip_prefix(**p);
        rest.is_some_and(|rest| rest.starts_with(['"', '\'']) || (p.contains('r') && is_raw(rest)))
    });
    let skip = prefix.map_or(0, |p| p.len());
    let rest = &text[skip..];
    let raw = prefix.is_some_and(|p| p.contains('r'));
    if raw && is_raw(rest) {
        return Some(skip + raw_end(rest));
    }
    match rest.chars().next()? {
        '"' => Some(skip + quoted_end(rest, '"')),
        '\'' if !raw => char_end(rest).map(|end| skip + end),
        _ => None,
    }
}

fn is_raw(rest: &str) -> bool {
    rest.trim_start_matches('#').starts_with('"')
}

fn raw_end(rest: &str) -> usize {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let close = format!("\"{}", "#".repeat(hashes));
    let body = &rest[hashes + 1..];
    body.find(&close).map_or(rest.len(), |at| hashes + 1 + at + close.len())
}

fn quoted_end(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// A character literal and not a lifetime: `'x'` or `'\..'`.
fn char_end(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(quoted_end(rest, '\''));
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("x.rs", text, false).code.join("\n")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(code("a // b"), "a     ");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code(r#"f("a\"b", 'c', '\'', b"x")"#).replace(' ', ""), "f(,,,)");
        assert_eq!(code("r#\"a\"b\"# + x").trim(), "+ x");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
        assert_eq!(code("\"two\nlines\" x").lines().count(), 2);
    }

    #[test]
    fn literals_are_kept_where_wanted() {
        let source = Source::new("x.rs", "const M: &[u8] = b\"MAGIC\"; // note", false);
        assert_eq!(source.uncommented[0].trim_end(), "const M: &[u8] = b\"MAGIC\";");
    }

    #[test]
    fn test_items_are_marked_to_their_end() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nuse x;\nfn d() {}";
        let source = Source::new("x.rs", text, false);
        let marked: Vec<_> = (1..=9).filter(|line| source.is_test(*line)).collect();
        assert_eq!(marked, [2, 3, 4, 5, 7, 8]);
        assert_eq!(source.code_lines(), 3);
    }

    #[test]
    fn other_conditions_are_not_tests() {
        for attribute in [
            "#[cfg(not(test))]",
            "#[cfg(not(loom))]",
            "#[cfg(any(loom, unix))]",
            "#[cfg(feature = \"test\")]",
        ] {
            assert!(
                !Source::new("x.rs", &format!("{attribute}\nmod x {{\n}}"), false).is_test(2),
                "{attribute}"
            );
        }
        for attribute in ["#[cfg(all(test, not(loom)))]", "#[cfg(loom)]"] {
            assert!(
                Source::new("x.rs", &format!("{attribute}\nmod x {{\n}}"), false).is_test(2),
                "{attribute}"
            );
        }
    }

    #[test]
    fn words_stand_alone() {
        assert_eq!(words("unsafe_code unsafe", "unsafe").collect::<Vec<_>>(), [12]);
    }
}
