//! Making one; the rings instead, where the environment's choice is missing.

use std::io;
use std::sync::{Arc, Once};

use crate::arena::Body;
use crate::channel::connection::backend::PipeBackend;
use crate::channel::connection::end::End;
use crate::channel::domain::Domain;
use crate::channel::kind;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::socket_pipe::SocketPipeBody;
use crate::ring::ends::Ends;
use crate::sys::missing::is_missing;
use crate::sys::packet_socket::PacketSocket;

/// Both ends of a new one; `None`: the environment chose it, and it is not to be had. `chosen`: by the program.
pub(in crate::channel::connection) fn create(
    domain: &Arc<Domain>,
    chosen: bool,
) -> Result<Option<[Arc<End>; 2]>> {
    match PacketSocket::pair().map_err(not_made) {
        Ok((a, b)) => ends(domain, [a, b]).map(Some),
        Err(error) if error.kind() == ErrorKind::Unsupported && !chosen => {
            say_once(&error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn ends(domain: &Arc<Domain>, [a, b]: [PacketSocket; 2]) -> Result<[Arc<End>; 2]> {
    let me = domain.me()?;
    let len = size_of::<SocketPipeBody>() as u64;
    let make = || domain.store().create_object(kind::SOCKET_PIPE, 0, "pipe", len, |_zeros| {});
    let object = domain.with_room(make)?;
    // Nobody else has seen it yet; if this process dies before, its body says nothing and goes with it.
    Ends::new(&Body::<SocketPipeBody>::of(object.clone())?.head).open(me);
    let open = |index, socket| End::opened(domain.clone(), object.clone(), index, Some(Arc::new(socket)));
    let first = open(0, a)?;
    Ok([first, open(1, b)?])
}

#[cold]
fn not_made(cause: io::Error) -> Error {
    let missing = is_missing(&cause);
    let error = Error::os("pipe", "socketpair(SOCK_SEQPACKET)", cause);
    if !missing {
        return error;
    }
    error.of_kind(ErrorKind::Unsupported).hint(format!(
        "the backend {} is not to be had here (kernel, sandbox or container): use the ring",
        PipeBackend::Socket
    ))
}

/// The environment's choice is not to be had, and the program goes on.
#[cold]
fn say_once(why: &Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let (wanted, taken) = (PipeBackend::Socket, PipeBackend::Ring);
        tracing::warn!(%wanted, %taken, %why, "pipes use another backend than PROCESSING_PIPE says");
    });
}
