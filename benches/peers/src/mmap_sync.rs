//! mmap-sync: two copies in mapped files, for one writer and many readers who count themselves in and out.
//!
//! As its documentation has it, with its own defaults: its writer sleeps a second if it finds a reader on the copy it is to write,
//! and its data are not checked when they are read. The writer beside the reader keeps to the schedule of
//! [`beside`](processing_cli::measure::beside) as far as that lets it. Where writing is measured nobody reads.
//!
//! A reader that is held up between two steps of its `read` may see a copy in the middle of a write: values are looked at in full, as
//! ours are, but a torn one is not counted against it.
//!
//! # Safety
//!
//! The files are this program's own, in a folder that nobody else knows, hold words in which any bytes are a value, and are never
//! cut. No guard outlives the call that it was made in, which is far shorter than the second that its writer waits for it.
#![allow(unsafe_code)]

use crate::folder::Folder;
use anyhow::Context as _;
use mmap_sync::synchronizer::{Synchronizer, SynchronizerError};
use processing_cli::measure::contest::{short_turns, turns};
use processing_cli::measure::payload::{sums_up, write_message_bytes};
use processing_cli::measure::{Beside, Crew, Entry, Pad, Partner};
use std::hint::black_box;
use std::time::Duration;

/// How long a writer waits for a reader, before it takes it for dead: as in its documentation.
const GRACE: Duration = Duration::from_secs(1);
/// The words of 64 bytes, and of 4 KiB.
const VALUE: usize = 8;
const STRUCT: usize = 512;
/// The field that is read.
const FIELD: usize = 77;

/// `read` of 64 bytes, copied out.
pub fn read_value(name: &str) -> Entry {
    beside(name, VALUE, |files| {
        // SAFETY: see the module.
        let value = *unsafe { files.reader.read::<[u64; VALUE]>(false) }?;
        black_box(sums_up(&value, value[0]));
        Ok(())
    })
}

/// `read` of 4 KiB in place, and one field of it.
pub fn read_struct_beside(name: &str) -> Entry {
    beside(name, STRUCT, read_field)
}

/// The same while nobody writes.
pub fn read_struct(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let mut files = Files::new(STRUCT)?;
        let partner = Partner::fork(&cores.one()?, move |operations| {
            short_turns(operations, || {
                read_field(&mut files)?;
                Ok(false)
            })
        })?;
        Ok(Crew::from(partner))
    })
}

fn read_field(files: &mut Files) -> Result<(), SynchronizerError> {
    // SAFETY: see the module.
    let guard = unsafe { files.reader.read::<[u64; STRUCT]>(false) }?;
    black_box(guard[FIELD]);
    Ok(())
}

/// `write_raw` of 64 bytes, while nobody reads.
pub fn write_value(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let mut files = Files::new(VALUE)?;
        let mut number = 0;
        let partner = Partner::fork(&cores.one()?, move |operations| {
            turns(operations, || {
                number += 1;
                files.write(number)?;
                Ok(false)
            })
        })?;
        Ok(Crew::from(partner))
    })
}

type Read = fn(&mut Files) -> Result<(), SynchronizerError>;

fn beside(name: &str, words: usize, read: Read) -> Entry {
    Entry::new(name, move |cores| {
        let (a, b) = cores.two()?;
        let pad = Pad::new()?;
        let mut files = Files::new(words)?;
        let reader = Partner::fork(&a, |operations| {
            pad.watch(|| {
                short_turns(operations, || {
                    read(&mut files)?;
                    Ok(false)
                })
            })
        })?;
        let writer = Partner::fork(&b, |_| pad.write(|number| files.write(number)))?;
        Ok(Beside::new(pad, reader, writer))
    })
}

/// Both ends, of which each side uses one. The processes to be forked share the mappings.
struct Files {
    reader: Synchronizer,
    writer: Synchronizer,
    /// What is written.
    bytes: Vec<u8>,
}

impl Files {
    /// With both copies written and mapped by both ends; their names have gone already.
    fn new(words: usize) -> anyhow::Result<Self> {
        let folder = Folder::new("mmap-sync")?;
        let path = folder.path().join("value");
        let (reader, writer) = (Synchronizer::new(path.as_os_str()), Synchronizer::new(path.as_os_str()));
        let mut files = Self { reader, writer, bytes: vec![0; words * 8] };
        for number in 1..=2 {
            files.write(number)?;
            // SAFETY: see the module. It is the last words that are read here, of either length.
            let read = unsafe { files.reader.read::<[u64; VALUE]>(false) };
            drop(read.context("mmap-sync: reading")?);
        }
        Ok(files)
    }

    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        write_message_bytes(&mut self.bytes, number);
        // The type says which bytes may be written, and words may be any; how many there are is said by the bytes.
        self.writer.write_raw::<[u64; VALUE]>(&self.bytes, GRACE).context("mmap-sync: writing")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for words in [VALUE, STRUCT] {
            let mut files = Files::new(words).unwrap();
            for number in 5..9 {
                files.write(number).unwrap();
                // SAFETY: see the module.
                let last = unsafe { files.reader.read::<[u64; VALUE]>(false) }.unwrap()[VALUE - 1];
                // The root lies at the end of the bytes.
                assert_eq!(last, number + words as u64 - 1);
            }
        }
    }
}
