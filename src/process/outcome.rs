//! What a process that ends leaves in its private socket for its creator.
//!
//! ```text
//! text    { b'T', utf-8 }     it panicked or its target returned an error; the last one counts
//! value   { b'V', bytes }     what its target returned
//! value   { b'L' } + file     the same, long, in a memory file
//! status  { b'S', wait:i32 }  from the fork server, where the kernel keeps no exit statuses
//! ```
//! Records in a socket outlive who wrote them, and need nobody's help: so a text written before an abort is
//! there, and after a SIGKILL there is simply nothing.

use std::io;
use std::os::fd::AsFd;

use super::text::cut;
use crate::sys::child::Status;
use crate::sys::fdpass::{Link, MAX_RECORD, Received};
use crate::sys::parcel;

const TEXT: u8 = b'T';
const VALUE: u8 = b'V';
const LONG_VALUE: u8 = b'L';
const STATUS: u8 = b'S';

/// Everything that was left.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The panic's or the error's text.
    pub text: Option<String>,
    /// The value that the target returned.
    pub value: Option<Vec<u8>>,
    /// The exit status, from the fork server.
    pub status: Option<Status>,
    /// It never read what it was to run.
    pub unborn: bool,
    /// Nothing will follow.
    pub complete: bool,
}

impl Outcome {
    /// Reads what there is, without waiting.
    pub fn collect(&mut self, link: &Link) -> io::Result<()> {
        let mut buffer = vec![0; MAX_RECORD];
        loop {
            match link.try_receive(&mut buffer)? {
                Received::Record(len, fds) => self.note(&buffer[..len], fds)?,
                Received::Unread => self.unborn = true,
                Received::Nothing => return Ok(()),
                Received::End => {
                    self.complete = true;
                    return Ok(());
                }
            }
        }
    }

    fn note(&mut self, record: &[u8], mut fds: Vec<std::os::fd::OwnedFd>) -> io::Result<()> {
        match record.split_first() {
            Some((&TEXT, text)) => self.text = Some(String::from_utf8_lossy(text).into_owned()),
            Some((&VALUE, value)) => self.value = Some(value.to_vec()),
            Some((&LONG_VALUE, _)) => {
                self.value = fds.pop().map(|file| parcel::unpack(&file)).transpose()?;
            }
            Some((&STATUS, wait)) => {
                self.status = wait.try_into().ok().map(|b| Status::from_wait(i32::from_le_bytes(b)));
            }
            _ => {}
        }
        Ok(())
    }
}

/// In the child: says what went wrong, cut to what fits.
pub(crate) fn send_text(link: &Link, text: &str) {
    let mut room = MAX_RECORD - 1;
    loop {
        let part = cut(text, room);
        let record: Vec<u8> = [TEXT].iter().chain(part.as_bytes()).copied().collect();
        match link.send(&record, &[]) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) && room > 64 => room /= 2,
            _ => return, // sent; or nobody is there to read it
        }
    }
}

/// In the child: hands over what the target returned.
pub(crate) fn send_value(link: &Link, value: &[u8]) -> io::Result<()> {
    if value.len() < MAX_RECORD {
        let record: Vec<u8> = [VALUE].iter().chain(value).copied().collect();
        return gone_is_fine(link.send(&record, &[]));
    }
    let file = parcel::pack(value)?;
    gone_is_fine(link.send(&[LONG_VALUE], &[file.as_fd()]))
}

/// In the fork server: relays the status of a child. `status` is the number that `wait` gives.
pub(crate) fn send_status(link: &Link, status: i32) {
    let [a, b, c, d] = status.to_le_bytes();
    let _ = link.send(&[STATUS, a, b, c, d], &[]);
}

/// Nobody left to read it is no fault of the child's.
fn gone_is_fine(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_found_after_the_end() {
        let (a, b) = Link::pair().expect("pair");
        send_text(&b, "first");
        send_text(&b, &"é".repeat(MAX_RECORD));
        send_value(&b, &vec![7; 1 << 20]).expect("value");
        send_status(&b, 9);
        drop(b);
        let mut outcome = Outcome::default();
        outcome.collect(&a).expect("collect");
        let text = outcome.text.expect("the last text");
        assert!(text.starts_with('é') && text.len() > MAX_RECORD / 2 && text.len() < MAX_RECORD);
        assert_eq!(outcome.value.map(|v| v.len()), Some(1 << 20));
        assert_eq!(outcome.status, Some(Status::Signal(9)));
        assert!(outcome.complete && !outcome.unborn);
    }
}
