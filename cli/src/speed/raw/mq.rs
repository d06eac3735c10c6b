//! Round trips of 8 bytes through a pair of POSIX message queues.
//!
//! # Safety
//!
//! Each call gets a descriptor that lives as long as its owner, and a buffer with its true length.
#![allow(unsafe_code)]

use crate::measure::Entry;
use crate::measure::round_trip::{End, crew};
use anyhow::{Context as _, ensure};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

pub fn entries() -> Vec<Entry> {
    vec![two_cores()]
}

pub fn two_cores() -> Entry {
    Entry::new("raw.mq", |cores| {
        let (questions, answers) = (Rc::new(open(SMALL)?), Rc::new(open(SMALL)?));
        let asker = Mq { to: Rc::clone(&questions), from: Rc::clone(&answers) };
        let answerer = Mq { to: answers, from: questions };
        let (a, b) = cores.two()?;
        crew((asker, answerer), (&a, &b))
    })
}

const MESSAGE: usize = size_of::<u64>();

/// Depth and longest message of the queues that round trips go through.
const SMALL: Option<(usize, usize)> = Some((4, MESSAGE));

/// A new queue that has lost its name: it goes with its last descriptor. Of this depth and longest message, or of those that the
/// system has as its defaults.
pub(super) fn open(size: Option<(usize, usize)>) -> anyhow::Result<OwnedFd> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = CString::new(format!("/processing-speed-{}-{number}", std::process::id()))?;
    // SAFETY: all bytes zero are an mq_attr.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    let attributes = size.map_or(std::ptr::null(), |(depth, longest)| {
        attributes.mq_maxmsg = depth as libc::c_long;
        attributes.mq_msgsize = longest as libc::c_long;
        &raw const attributes
    });
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
    // SAFETY: see the module.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600, attributes) };
    ensure_done(queue >= 0).context("mq_open (limits: /proc/sys/fs/mqueue, ulimit -q)")?;
    // SAFETY: a descriptor that nobody else owns: on Linux an mqd_t is one.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    // SAFETY: see the module.
    ensure_done(unsafe { libc::mq_unlink(name.as_ptr()) } == 0).context("mq_unlink")?;
    Ok(queue)
}

struct Mq {
    to: Rc<OwnedFd>,
    from: Rc<OwnedFd>,
}

impl End<1> for Mq {
    fn send(&mut self, &[number]: &[u64; 1]) -> anyhow::Result<()> {
        let bytes = number.to_ne_bytes();
        // SAFETY: see the module.
        let sent = unsafe { libc::mq_send(self.to.as_raw_fd(), bytes.as_ptr().cast(), MESSAGE, 0) };
        ensure_done(sent == 0).context("mq_send")
    }

    fn receive(&mut self) -> anyhow::Result<[u64; 1]> {
        let mut bytes = [0; MESSAGE];
        let (queue, buffer) = (self.from.as_raw_fd(), bytes.as_mut_ptr().cast());
        // SAFETY: see the module.
        let length = unsafe { libc::mq_receive(queue, buffer, MESSAGE, std::ptr::null_mut()) };
        ensure_done(length >= 0).context("mq_receive")?;
        ensure!(length == MESSAGE as isize, "{length} bytes instead of a message");
        Ok([u64::from_ne_bytes(bytes)])
    }
}

pub(super) fn ensure_done(done: bool) -> anyhow::Result<()> {
    if done { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}
