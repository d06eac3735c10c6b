//! Links in documents lead to files that exist.

use super::finding::Finding;
use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.texts("", &["md"]).flat_map(|(path, text)| check_document(tree, path, text)).collect()
}

fn check_document(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let broken = targets(line).into_iter().filter(|target| !leads_somewhere(tree, path, target));
        findings.extend(broken.map(|target| {
            let way_out = "correct the path (it is relative to the document), or add the file";
            Finding::new(path, at + 1, "link", format!("`{target}` does not exist"), way_out)
        }));
    }
    findings
}

/// The targets of `[..](target)`, `[..]: target` and `src="target"`.
fn targets(line: &str) -> Vec<&str> {
    let inline = after(line, "](", ')');
    let pictures = after(line, "src=\"", '"').into_iter().chain(after(line, "srcset=\"", '"'));
    let reference = line.starts_with('[').then(|| line.split_once("]: ")).flatten().map(|(_, target)| target);
    let all = inline.into_iter().chain(pictures).chain(reference);
    all.filter_map(|target| target.split_whitespace().next()).collect()
}

fn after<'a>(line: &'a str, open: &str, close: char) -> Vec<&'a str> {
    line.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(target, _)| target).collect()
}

fn leads_somewhere(tree: &Tree, document: &str, target: &str) -> bool {
    let file = target.split('#').next().unwrap_or_default();
    let elsewhere = target.contains("://") || target.starts_with("mailto:");
    elsewhere || file.is_empty() || resolve(document, file).is_some_and(|path| tree.has(&path))
}

/// A path relative to the document's folder, from the root; none if it leaves the checkout.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|f| format!("{}: {}", f.line, f.what)).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "[a](b.md) [c](docs/d.md#part) [e](https://x.y/z) [f](#here) [g](docs)\n[h]: b.md\n```\n[x](y)\n```\n";
        assert_eq!(broken(&[("a.md", text), ("b.md", ""), ("docs/d.md", "[up](../a.md)")]), [""; 0]);
    }

    #[test]
    fn broken_links_are_named_with_their_line() {
        assert_eq!(broken(&[("a.md", "x\n[a](gone.md)")]), ["2: `gone.md` does not exist"]);
        assert_eq!(broken(&[("docs/a.md", "[a](a.md) [b](../../x)")]), ["1: `../../x` does not exist"]);
        assert_eq!(broken(&[("a.md", "<img src=\"p.svg\">")]), ["1: `p.svg` does not exist"]);
        assert_eq!(broken(&[("a.md", "[r]: gone.md")]), ["1: `gone.md` does not exist"]);
    }
}
