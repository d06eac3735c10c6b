//! A bar of bytes and files on stderr; nothing where stderr is no terminal.

use super::find::FoundFile;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;

/// A bar that goes when it is dropped. It has no thread of its own: it moves when a file is done.
pub struct Progress {
    bar: ProgressBar,
    files: usize,
    done: Cell<usize>,
}

impl Progress {
    pub fn new(what: &'static str, files: &[FoundFile]) -> Self {
        let bytes = files.iter().map(|file| file.bytes).sum();
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let template = "{prefix} {bar:32} {bytes}/{total_bytes}, {msg}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what);
        let progress = Self { bar, files: files.len(), done: Cell::new(0) };
        progress.say();
        progress
    }

    /// A file is done, which had so many bytes when it was found.
    pub fn file_done(&self, bytes: u64) {
        self.done.set(self.done.get() + 1);
        self.say();
        self.bar.inc(bytes);
    }

    /// A line above the bar.
    pub fn note(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }

    fn say(&self) {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{}/{} files", self.done.get(), self.files));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
