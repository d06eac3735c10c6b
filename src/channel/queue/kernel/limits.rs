//! What the kernel allows, and who said so.

use std::fs;
use std::io;

use rustix::process::{Resource, getrlimit};

use super::mechanism::Mechanism;
use crate::channel::queue::backend::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::missing::is_missing;
use crate::sys::mqueue::MessageQueue;
use crate::sys::packet_pipe::{PACKET, PacketPipe};
use crate::sys::seqpacket::SeqPacket;

/// What a queue without a capacity gets at most.
const DEFAULT: usize = super::super::DEFAULT_CAPACITY;
/// What a queue over a socket without a capacity gets.
const DEFAULT_SOCKET: usize = 64;
/// How long records may be where nobody says how long messages are.
const USUAL_RECORD: u64 = 4096;
/// Lengths up to which messages may travel as records of a socket, the longest first; others are parcels.
const RECORDS: [usize; 8] = [64 << 10, 32 << 10, 16 << 10, 8 << 10, 4 << 10, 2 << 10, 1 << 10, SHORT];
/// Where the buffer is not enough for this, the queue is not made.
const SHORT: usize = 512;
/// What a record needs at least to be below the buffer's size.
const SPARE: usize = 64;

const PIPE_MAX: &str = "/proc/sys/fs/pipe-max-size";
const PIPE_PAGES: &str = "/proc/sys/fs/pipe-user-pages-soft";
const SOCKET_MAX: &str = "/proc/sys/net/core/wmem_max";
const MQ_FOLDER: &str = "/proc/sys/fs/mqueue";

/// A packet pipe for `capacity` messages (0: as many as are usual).
pub(super) fn pipe(capacity: usize) -> Result<Mechanism> {
    let pipe = PacketPipe::create().map_err(|cause| missing(Backend::Pipe, "pipe2(O_DIRECT)", cause))?;
    if capacity != 0 {
        pipe.set_capacity(capacity).map_err(|cause| pipe_too_small(capacity, cause))?;
        return Ok(Mechanism::Pipe(pipe));
    }
    let most = number(PIPE_MAX).map_or(DEFAULT, |bytes| bytes as usize / rustix::param::page_size());
    let mut wanted = most.clamp(1, DEFAULT);
    // The pipes of a user may be many: then it is what the kernel gave by itself.
    while wanted > pipe.capacity().unwrap_or(usize::MAX) && pipe.set_capacity(wanted).is_err() {
        wanted /= 2;
    }
    Ok(Mechanism::Pipe(pipe))
}

#[cold]
fn pipe_too_small(capacity: usize, cause: io::Error) -> Error {
    let page = rustix::param::page_size();
    let needed = capacity.saturating_mul(page);
    let error = Error::os("queue", &format!("making a pipe of {capacity} packets ({needed} bytes)"), cause);
    if !matches!(error.errno(), Some(libc::EPERM | libc::EINVAL)) {
        return error;
    }
    let error = error.of_kind(ErrorKind::Limit);
    match (number(PIPE_MAX), number(PIPE_PAGES)) {
        (Some(max), _) if needed as u64 > max => error.hint(format!(
            "a pipe has at most {max} bytes, {} packets: fs.pipe-max-size in {PIPE_MAX}; raise it, or use the ring",
            max / page as u64
        )),
        (_, Some(pages)) => error.hint(format!(
            "the pipes of a user together have at most {pages} pages: fs.pipe-user-pages-soft in {PIPE_PAGES}; raise it, or use the ring"
        )),
        _ => error.hint("raise fs.pipe-max-size, or use the ring"),
    }
}

/// A pair of sockets for `capacity` messages (0: what is usual), and how many that is.
///
/// Each of them fits, however long: those that would take more than their part of the buffer are parcels. So the buffer is made for records as long as
/// messages are, and no larger: of short ones not many more shall fit.
pub(super) fn socket(capacity: usize, max_message: Option<u64>) -> Result<(Mechanism, usize)> {
    let failed = |cause| Error::os("queue", "setting up a pair of sockets", cause);
    let socket =
        SeqPacket::create().map_err(|cause| missing(Backend::Pipe, "socketpair(SOCK_SEQPACKET)", cause))?;
    let wanted = if capacity == 0 { DEFAULT_SOCKET } else { capacity };
    let len = max_message.unwrap_or(USUAL_RECORD);
    let record = RECORDS.into_iter().rev().find(|record| *record as u64 >= len).unwrap_or(RECORDS[0]);
    let needed = wanted.saturating_mul(cost(SHORT).map_err(failed)?);
    let best = wanted.saturating_mul(cost(record).map_err(failed)?).max(record + SPARE);
    let buffer = socket.set_buffer(best).map_err(failed)?;
    match wanted {
        _ if needed <= buffer => Ok((Mechanism::Socket(socket), wanted)),
        _ if capacity == 0 => Ok((Mechanism::Socket(socket), (wanted * buffer / needed).max(1))),
        _ => Err(socket_too_small(capacity, needed, buffer)),
    }
}

#[cold]
fn socket_too_small(capacity: usize, needed: usize, buffer: usize) -> Error {
    let max = number(SOCKET_MAX).unwrap_or(0);
    Error::new(
        ErrorKind::Limit,
        "queue",
        format!(
            "{capacity} messages that may be longer than 4096 bytes need a socket's buffer of {needed} bytes, and it has {buffer}"
        ),
    )
    .hint(format!(
        "a socket has at most twice net.core.wmem_max, which is {max} in {SOCKET_MAX}; raise it, say max_message(4096), or use the ring"
    ))
}

/// What the kernel counts for a record: asked with a socket of its own, as it differs between kernels.
fn cost(len: usize) -> io::Result<usize> {
    let probe = SeqPacket::create()?;
    probe.set_buffer(2 * RECORDS[0])?;
    probe.send(&vec![0; len])?;
    Ok(probe.used()?.max(1))
}

/// The longest message that is no parcel: of a socket so long that `capacity` of them fit.
pub(super) fn longest(mechanism: &Mechanism, capacity: usize) -> io::Result<usize> {
    let socket = match mechanism {
        Mechanism::Pipe(_) => return Ok(PACKET),
        Mechanism::Mq(queue) => return Ok(queue.attributes()?.size),
        Mechanism::Socket(socket) => socket,
    };
    let buffer = socket.buffer()?;
    for len in RECORDS {
        if len + SPARE <= buffer && cost(len)?.saturating_mul(capacity) <= buffer {
            return Ok(len);
        }
    }
    Ok(SHORT)
}

/// A message queue for `capacity` messages of up to `size` bytes (0 and `None`: the system's defaults).
pub(super) fn mq(capacity: usize, size: Option<u64>) -> Result<Mechanism> {
    let setting = |name: &str| number(&format!("{MQ_FOLDER}/{name}"));
    let capacity = match capacity {
        0 => setting("msg_default").unwrap_or(10).max(1) as usize,
        some => some,
    };
    let size = size.or_else(|| setting("msgsize_default")).unwrap_or(8192).max(1);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    match MessageQueue::create(capacity, size) {
        Ok(queue) => Ok(Mechanism::Mq(queue)),
        Err(cause) => Err(mq_refused(capacity, size, cause)),
    }
}

#[cold]
fn mq_refused(capacity: usize, size: usize, cause: io::Error) -> Error {
    let call = format!("mq_open of {capacity} messages of {size} bytes");
    let limit = |name: &str| number(&format!("{MQ_FOLDER}/{name}"));
    let says = |name: &str, value: u64| format!("fs.mqueue.{name} is {value} in {MQ_FOLDER}/{name}");
    let errno = cause.raw_os_error();
    let error = |cause| Error::os("queue", &call, cause).of_kind(ErrorKind::Limit);
    match errno {
        Some(libc::EINVAL | libc::EOVERFLOW) => {
            let beyond = |name: &str, wanted: usize| {
                limit(name).filter(|max| wanted as u64 > *max).map(|max| says(name, max))
            };
            let reasons = [beyond("msg_max", capacity), beyond("msgsize_max", size)];
            let reasons: Vec<_> = reasons.into_iter().flatten().collect();
            let why = if reasons.is_empty() {
                "fs.mqueue.msg_max and msgsize_max say how much is allowed".to_owned()
            } else {
                reasons.join(", ")
            };
            error(cause).hint(format!("{why}; raise it, ask for less, or use the ring"))
        }
        Some(libc::EMFILE) if has_descriptor() => {
            let most = getrlimit(Resource::Msgqueue).current;
            let most = most.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{bytes} bytes"));
            error(cause).hint(format!(
                "the message queues of a user together have at most {most}: RLIMIT_MSGQUEUE; raise it (ulimit -q), ask for less, or use the ring"
            ))
        }
        Some(libc::ENOSPC) => {
            let max = limit("queues_max").unwrap_or(0);
            error(cause).hint(format!("{}; raise it, or use the ring", says("queues_max", max)))
        }
        _ => missing(Backend::PosixMq, &call, cause),
    }
}

/// Whether this process could open one more file: otherwise that is what was meant.
fn has_descriptor() -> bool {
    fs::File::open("/dev/null").is_ok()
}

/// The kernel refused to make it: for lack of it, or of something else.
#[cold]
fn missing(backend: Backend, call: &str, cause: io::Error) -> Error {
    let is_missing = is_missing(&cause);
    let error = Error::os("queue", call, cause);
    if is_missing {
        return error.of_kind(ErrorKind::Unsupported).hint(format!(
            "the backend {backend} is not to be had here (kernel, sandbox or container): use the ring"
        ));
    }
    error
}

/// How many messages fit; of a socket as its maker found out.
pub(super) fn capacity(mechanism: &Mechanism, noted: usize) -> io::Result<usize> {
    match mechanism {
        Mechanism::Pipe(pipe) => pipe.capacity(),
        Mechanism::Socket(_) => Ok(noted),
        Mechanism::Mq(queue) => Ok(queue.attributes()?.capacity),
    }
}

/// A number that the system keeps in a file.
fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
