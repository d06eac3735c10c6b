//! What a process that starts is told over its private socket.
//!
//! ```text
//! serve   { b'F', keeps exit info:u8 }                              + lifeline     to a fork server
//! ahead   { b'A' }                                                  + descriptors  before a boot record
//! boot    { b'B', flags:u8, build:u64, offset:u64, path, name, bytes } + descriptors  to a child
//! ```
//! Lists are preceded by their length as u32. Long bytes travel in a memory file, the last descriptor of all;
//! the lifeline, where the child has not got it already, is the first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::text::cut;
use crate::sys::boot_payload::{BootPayload, Descriptor};
use crate::sys::fdpass::{Link, MAX_FDS, MAX_RECORD, Received};
use crate::sys::image::Place;
use crate::sys::parcel;

const SERVE: u8 = b'F';
const AHEAD: u8 = b'A';
const BOOT: u8 = b'B';

const DAEMON: u8 = 1;
const LONG: u8 = 2;
const LIFELINE: u8 = 4;

/// Room that everything but the bytes may take in a record; names are cut to fit.
const HEAD: usize = 4096;
const MAX_NAME: usize = 1024;
const MAX_PATH: usize = 256;

/// Who a child will be, and what it will run.
#[derive(Debug)]
pub(crate) struct Boot {
    pub place: Place,
    pub path: Vec<u32>,
    pub name: String,
    pub daemon: bool,
    pub payload: BootPayload,
}

/// The first thing that a re-executed process is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Be a fork server.
    Serve { lifeline: OwnedFd, keeps_exit_info: bool },
    /// Be a child.
    Child { boot: Boot, lifeline: Option<OwnedFd> },
}

/// A boot, written: what is sent, as often as it takes.
#[derive(Debug)]
pub(crate) struct Packed {
    record: Vec<u8>,
    fds: Vec<Descriptor>,
}

impl Boot {
    /// Writes it down. With `lifeline`, for a child that has none yet.
    pub fn pack(self, lifeline: Option<BorrowedFd<'_>>) -> io::Result<Packed> {
        let BootPayload { bytes, fds: mut handles } = self.payload;
        let long = bytes.len() > MAX_RECORD - HEAD;
        let mut fds = Vec::with_capacity(handles.len() + 2);
        if let Some(lifeline) = lifeline {
            fds.push(Descriptor::Own(lifeline.try_clone_to_owned()?));
        }
        fds.append(&mut handles);
        if long {
            fds.push(parcel::pack(&bytes)?.into());
        }
        let mut out = Vec::with_capacity(if long { 128 } else { 128 + bytes.len() });
        out.push(BOOT);
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        out.push(flag(self.daemon, DAEMON) | flag(long, LONG) | flag(lifeline.is_some(), LIFELINE));
        out.extend_from_slice(&self.place.build.to_le_bytes());
        out.extend_from_slice(&self.place.offset.to_le_bytes());
        let path = &self.path[..self.path.len().min(MAX_PATH)];
        put_len(&mut out, path.len());
        path.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        put(&mut out, cut(&self.name, MAX_NAME).as_bytes());
        put(&mut out, if long { &[] } else { &bytes });
        Ok(Packed { record: out, fds })
    }
}

impl Packed {
    /// Sends it, without waiting. `BrokenPipe` or `ConnectionReset`: the other one is gone, and nothing was used up.
    pub fn send(&self, link: &Link) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = self.fds.iter().map(AsFd::as_fd).collect();
        let last = fds.len().saturating_sub(1) / MAX_FDS * MAX_FDS;
        for part in fds[..last].chunks(MAX_FDS) {
            link.send(&[AHEAD], part)?;
        }
        link.send(&self.record, &fds[last..])
    }
}

/// Tells a re-executed process to be a fork server.
pub(crate) fn send_serve(link: &Link, lifeline: BorrowedFd<'_>, keeps_exit_info: bool) -> io::Result<()> {
    link.send(&[SERVE, keeps_exit_info.into()], &[lifeline])
}

/// Waits for the first order. `Ok(None)`: the creator is gone.
pub(crate) fn receive(link: &Link) -> io::Result<Option<Order>> {
    let mut all = Vec::new();
    // Most orders are short, and memory that was not touched costs a page fault a page.
    let mut short = [0; 512];
    let mut long = Vec::new();
    loop {
        let mut buffer = &mut short[..];
        if link.next_len()? > buffer.len() {
            long.resize(MAX_RECORD, 0);
            buffer = &mut long;
        }
        let Received::Record(len, mut fds) = link.receive(buffer)? else { return Ok(None) };
        all.append(&mut fds);
        match buffer[..len].split_first() {
            Some((&AHEAD, _)) => {}
            Some((&SERVE, rest)) if all.len() == 1 => {
                return Ok(all
                    .pop()
                    .map(|lifeline| Order::Serve { lifeline, keeps_exit_info: rest.first() == Some(&1) }));
            }
            Some((&BOOT, rest)) => return read(rest, all)?.map(Some).ok_or_else(malformed),
            _ => return Err(malformed()),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a boot record that this build does not understand")
}

pub(super) fn read(record: &[u8], mut fds: Vec<OwnedFd>) -> io::Result<Option<Order>> {
    let Some(head) = Reader(record).head() else { return Ok(None) };
    let bytes = if head.flags & LONG == 0 {
        head.bytes.to_vec()
    } else {
        let Some(file) = fds.pop() else { return Ok(None) };
        parcel::unpack(&file)?
    };
    let lifeline = match head.flags & LIFELINE {
        0 => None,
        _ if fds.is_empty() => return Ok(None),
        _ => Some(fds.remove(0)),
    };
    let name = String::from_utf8_lossy(head.name).into_owned();
    let payload = BootPayload { bytes, fds: fds.into_iter().map(Descriptor::Own).collect() };
    let boot = Boot { place: head.place, path: head.path, name, daemon: head.flags & DAEMON != 0, payload };
    Ok(Some(Order::Child { boot, lifeline }))
}

/// The parts of a boot record.
struct Head<'a> {
    flags: u8,
    place: Place,
    path: Vec<u32>,
    name: &'a [u8],
    bytes: &'a [u8],
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&(len as u32).to_le_bytes());
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn head(&mut self) -> Option<Head<'a>> {
        let flags = self.take(1)?[0];
        let place = Place { build: self.u64()?, offset: self.u64()? };
        let numbers = self.u32()? as usize;
        if numbers > MAX_PATH {
            return None;
        }
        let path = (0..numbers).map(|_| self.u32()).collect::<Option<Vec<_>>>()?;
        let head = Head { flags, place, path, name: self.list()?, bytes: self.list()? };
        self.0.is_empty().then_some(head)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn list(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(bytes: Vec<u8>, fds: Vec<OwnedFd>) -> Boot {
        let fds = fds.into_iter().map(Descriptor::Own).collect();
        Boot {
            place: Place { build: 7, offset: 9 },
            path: vec![1, 2],
            name: "greeter".to_owned(),
            daemon: true,
            payload: BootPayload { bytes, fds },
        }
    }

    #[test]
    fn short_and_long_arguments_and_many_descriptors_arrive() {
        for (len, count) in [(0, 0), (MAX_RECORD - HEAD, 1), (MAX_RECORD, MAX_FDS), (1 << 20, 3 * MAX_FDS)] {
            let (a, b) = Link::pair().expect("pair");
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let fds = (0..count).map(|_| a.as_fd().try_clone_to_owned().expect("dup")).collect();
            boot(bytes.clone(), fds).pack(Some(a.as_fd())).expect("pack").send(&a).expect("send");
            let Some(Order::Child { boot, lifeline }) = receive(&b).expect("receive") else {
                panic!("not a boot");
            };
            assert!(lifeline.is_some());
            assert_eq!((boot.name.as_str(), boot.path, boot.daemon), ("greeter", vec![1, 2], true));
            assert_eq!(boot.place, Place { build: 7, offset: 9 });
            assert!(boot.payload.bytes == bytes);
            assert_eq!(boot.payload.fds.len(), count);
        }
    }

    #[test]
    fn a_cut_or_foreign_record_is_an_error() {
        let (a, b) = Link::pair().expect("pair");
        let packed = boot(vec![1, 2, 3], Vec::new()).pack(None).expect("pack");
        for len in 1..packed.record.len() {
            a.send(&packed.record[..len], &[]).expect("send");
            assert!(receive(&b).is_err(), "{len} bytes");
        }
        a.send(b"hello", &[]).expect("send");
        assert!(receive(&b).is_err());
        drop(a);
        assert!(receive(&b).expect("the end").is_none());
    }
}
