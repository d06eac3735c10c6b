//! `processing tour`: counts, whatever happens.

mod common;

use common::{Outcome, processing};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder of its own for each test, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("processing-tour-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tour<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> (Value, Outcome) {
    let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_os_string());
    let outcome = processing([OsString::from("tour"), "--json".into()].into_iter().chain(arguments));
    assert_eq!(outcome.stdout.lines().count(), 1, "{}{}", outcome.stdout, outcome.stderr);
    let line: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let keys: Vec<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
    assert!(
        ["files", "words", "seconds", "killed", "redelivered", "equal"].iter().all(|key| keys.contains(key))
    );
    assert_eq!(keys.len(), 6, "{keys:?}");
    (line, outcome)
}

/// Exactly right, with one worker dead and its work done by another.
fn assert_counted(line: &Value, outcome: &Outcome, files: u64, words: u64) {
    assert_eq!((&line["files"], &line["words"]), (&files.into(), &words.into()), "{}", outcome.stderr);
    assert_eq!((&line["equal"], &line["killed"]), (&true.into(), &1.into()), "{}", outcome.stderr);
    assert!(line["redelivered"].as_u64() >= Some(1), "{line}");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn many_files_and_a_kill() {
    let folder = Folder::new("many");
    let text = "seven words in each of the files\n".repeat(500);
    (0..700).for_each(|number| drop(folder.file(format!("{}/{number}", number % 9), &text)));
    let (line, outcome) = tour([&folder.0]);
    assert_counted(&line, &outcome, 700, 700 * 7 * 500);
}

#[test]
fn few_and_tiny_files_and_a_kill() {
    for (files, workers) in [(1, "1"), (1, "4"), (2, "2"), (30, "3")] {
        let folder = Folder::new(&format!("few-{files}-{workers}"));
        (0..files).for_each(|number| drop(folder.file(number.to_string(), "two words")));
        let (line, outcome) = tour([OsStr::new("--workers"), OsStr::new(workers), folder.0.as_os_str()]);
        assert_counted(&line, &outcome, files, 2 * files);
    }
}

#[test]
fn nobody_is_killed_if_that_is_asked_for() {
    let folder = Folder::new("peace");
    folder.file("a", "one two three");
    let (line, outcome) = tour([OsStr::new("--no-kill"), folder.0.as_os_str()]);
    assert_eq!((&line["words"], &line["killed"], &line["redelivered"]), (&3.into(), &0.into(), &0.into()));
    assert_eq!(outcome.code, Some(0));
}

#[test]
fn bad_input_is_reported_and_not_fatal() {
    let folder = Folder::new("bad");
    folder.file("good", "four words are here");
    folder.file("binary", b"\x7fELF\0\0");
    folder.file(OsStr::from_bytes(b"not \xff utf-8"), "two more");
    folder.file("empty", "");
    fs::create_dir(folder.0.join("nothing in it")).unwrap();
    symlink(&folder.0, folder.0.join("loop")).unwrap();
    let missing = folder.0.join("missing");
    let (line, outcome) = tour([&folder.0, &missing, &PathBuf::from("/dev/null")]);
    assert_counted(&line, &outcome, 3, 6);
    for told in ["missing: ", "/dev/null: no regular file", "symbolic links not followed: 1"] {
        assert!(outcome.stderr.contains(told), "{told}: {}", outcome.stderr);
    }
}

#[test]
fn a_folder_without_text_is_told() {
    let folder = Folder::new("no text");
    let (line, outcome) = tour([&folder.0]);
    assert_eq!((&line["files"], &line["equal"], outcome.code), (&0.into(), &true.into(), Some(0)));
    assert!(outcome.stderr.contains("no text in"), "{}", outcome.stderr);
}

#[test]
fn without_a_command_it_is_the_tour() {
    let folder = Folder::new("default");
    let file = folder.file("a", "just these words");
    let outcome = processing([file.as_os_str()]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("words        3\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("equal        yes"), "{}", outcome.stdout);
}
