//! A stream of messages through one POSIX message queue with the system's defaults for its depth and its longest message.
//!
//! # Safety
//!
//! Each call gets a descriptor that lives as long as its owner, and a buffer with its true length.
#![allow(unsafe_code)]

use super::mq::{ensure_done, open};
use super::pipe_stream::{from_bytes, to_bytes};
use crate::measure::stream::{Consumer, Producer, Put, Take};
use crate::measure::{Crew, Entry, Partner};
use anyhow::Context as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::rc::Rc;

pub fn entries() -> Vec<Entry> {
    vec![of_256()]
}

pub fn of_256() -> Entry {
    Entry::new("raw.mq.256b", |cores| {
        let queue = Rc::new(open(None)?);
        // A receiver must have room for the longest message that the queue allows.
        let room = longest(&queue)?;
        let (a, b) = cores.two()?;
        let mut producer = Producer::<_, WORDS>::new(Mq { queue: Rc::clone(&queue), buffer: Vec::new() });
        let mut consumer = Consumer::<_, WORDS>::new(Mq { queue, buffer: vec![0; room] });
        Ok(Crew::new([
            Partner::fork(&a, move |operations| producer.batch(operations))?,
            Partner::fork(&b, move |operations| consumer.batch(operations))?,
        ]))
    })
}

const WORDS: usize = 32;

fn longest(queue: &OwnedFd) -> anyhow::Result<usize> {
    // SAFETY: all bytes zero are an mq_attr.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    // SAFETY: see the module; the attributes live for the call.
    ensure_done(unsafe { libc::mq_getattr(queue.as_raw_fd(), &raw mut attributes) } == 0)
        .context("mq_getattr")?;
    Ok(attributes.mq_msgsize as usize)
}

/// Either end.
struct Mq {
    queue: Rc<OwnedFd>,
    buffer: Vec<u8>,
}

impl Put<WORDS> for Mq {
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        let bytes = to_bytes(message);
        // SAFETY: see the module.
        let sent = unsafe { libc::mq_send(self.queue.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        ensure_done(sent == 0).context("mq_send")
    }
}

impl Take<WORDS> for Mq {
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        let (queue, buffer) = (self.queue.as_raw_fd(), &mut self.buffer);
        // SAFETY: see the module.
        let length = unsafe {
            libc::mq_receive(queue, buffer.as_mut_ptr().cast(), buffer.len(), std::ptr::null_mut())
        };
        ensure_done(length >= 0).context("mq_receive")?;
        let bytes = self.buffer.get(..length as usize).context("more bytes than there is room")?;
        let bytes = bytes.try_into().with_context(|| format!("{length} bytes instead of a message"))?;
        Ok(from_bytes(bytes))
    }
}
