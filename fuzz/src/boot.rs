//! What a process is told when it starts: boot records, and the list of arenas and handles before its arguments.

use std::io::Write;
use std::os::fd::OwnedFd;

use processing::probe;

use crate::input::Input;

pub fn boot(bytes: &[u8]) {
    let mut input = Input(bytes);
    let files = input.u8();
    let record = input.0;
    if let Some((name, arguments)) = probe::boot(record, descriptors(files, record)) {
        assert!(name.len() <= 3 * record.len());
        let _ = probe::cargo(&arguments, descriptors(files >> 4, record));
    }
    let _ = probe::cargo(record, descriptors(files >> 4, record));
}

/// Up to three files that are no regions.
fn descriptors(count: u8, content: &[u8]) -> Vec<OwnedFd> {
    (0..count % 4).filter_map(|_| file(content)).collect()
}

fn file(content: &[u8]) -> Option<OwnedFd> {
    let path = std::env::temp_dir().join(format!("processing-fuzz-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).ok()?;
    let _ = std::fs::remove_file(&path);
    file.write_all(content).ok()?;
    Some(file.into())
}
