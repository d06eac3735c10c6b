//! What travels to a process that starts: its arguments, and the arenas that their handles live in.
//!
//! ```text
//! bytes:  arenas:u32 { seat:u64, block:u64, flags:u64 } ..  handles:u32 { arena:u32, part:u32 } ..  arguments
//! fds:    for each arena its file and its beacon, and both ends of its depot if a flag says so;
//!         then for each end of a pipe over sockets, in the order of the handles, its socket
//! ```
//! The handles themselves travel in one block of each arena, which belongs to the child's seat as soon as it is
//! handed over: whoever of the two dies, somebody drops the references.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::seat::{Place, Seat};
use crate::channel::codec;
use crate::channel::domain::Domain;
use crate::channel::message::Message;
use crate::channel::parcel;
use crate::channel::transfer::{self, Child, Part, Scope};
use crate::region::{self, Region};
use crate::sys::boot_payload::Descriptor;
use crate::sys::packet_socket::PacketSocket;
use crate::{Error, ErrorKind, Result};

pub use crate::sys::boot_payload::BootPayload;

/// The arguments of a process: a tuple of up to eight values, or the struct of a [`Task`](crate::Task).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a process",
    note = "arguments are a tuple, `(x,)` for one, of values that derive rkyv's `Archive`, `Serialize`, `Deserialize`, and of handles"
)]
pub trait Cargo: Sized + 'static {
    /// In the parent: the arguments as bytes and descriptors, for the process that will take `seat`.
    #[doc(hidden)]
    fn pack(self, seat: &Seat) -> Result<BootPayload>;

    /// In the child.
    #[doc(hidden)]
    fn unpack(payload: BootPayload) -> Result<Self>;
}

impl<T: Message> Cargo for T {
    fn pack(self, seat: &Seat) -> Result<BootPayload> {
        let scope = Scope::open();
        codec::encode(&self, |bytes| write(bytes, &scope.take(), seat))?
    }

    fn unpack(payload: BootPayload) -> Result<Self> {
        let (arguments, children) = read(&payload.bytes, payload.fds)?;
        transfer::provide(children, || codec::decode_anywhere(arguments))
    }
}

/// Flags of an arena: it is the process tree's; it has a depot.
const TREE: u64 = 1;
const DEPOT: u64 = 2;

/// One of the descriptors of an arena, kept open by it.
struct File {
    region: Arc<Region>,
    which: Which,
}

#[derive(Clone, Copy)]
enum Which {
    Memory,
    Beacon,
    Tail,
    Head,
}

impl File {
    /// What a participant needs of this region, in order.
    fn all(region: &Arc<Region>) -> impl Iterator<Item = Descriptor> {
        let depot: &[Which] = if region.depot().is_some() { &[Which::Tail, Which::Head] } else { &[] };
        [Which::Memory, Which::Beacon]
            .iter()
            .chain(depot)
            .map(|which| Descriptor::Lent(Arc::new(Self { region: region.clone(), which: *which })))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match (self.which, self.region.depot()) {
            (Which::Beacon, _) => self.region.beacon(),
            (Which::Tail, Some(depot)) => depot.ends()[0],
            (Which::Head, Some(depot)) => depot.ends()[1],
            (Which::Memory | Which::Tail | Which::Head, _) => self.region.memfd(),
        }
    }
}

fn write(arguments: &[u8], children: &[Child], seat: &Seat) -> Result<BootPayload> {
    let mut payload = BootPayload::default();
    let domains = domains(children)?;
    put_u32(&mut payload.bytes, domains.len());
    for (domain, tree) in &domains {
        let own: Vec<Child> = children.iter().filter(|child| lives_in(child, domain)).cloned().collect();
        let place = seat.reserve(domain.clone(), *tree)?;
        let block = hand_over(&place, &own)?;
        let flag = |on: bool, bit| if on { bit } else { 0 };
        let flags = flag(place.tree, TREE) | flag(domain.region().depot().is_some(), DEPOT);
        for word in [place.seat.to_bits(), block, flags] {
            payload.bytes.extend_from_slice(&word.to_le_bytes());
        }
        payload.fds.extend(File::all(domain.region()));
    }
    put_u32(&mut payload.bytes, children.len());
    for child in children {
        let arena = domains.iter().position(|(domain, _)| lives_in(child, domain)).unwrap_or_default();
        put_u32(&mut payload.bytes, arena);
        put_u32(&mut payload.bytes, child.part.to_tag() as usize);
    }
    let sockets = children.iter().filter_map(|child| child.socket.clone());
    payload.fds.extend(sockets.map(|socket| Descriptor::Lent(socket)));
    payload.bytes.extend_from_slice(arguments);
    Ok(payload)
}

/// The arenas that a child is given: the process tree's, if there is one by now, and those of its handles.
fn domains(children: &[Child]) -> Result<Vec<(Arc<Domain>, bool)>> {
    let mut domains = Vec::new();
    if let Some(tree) = Domain::tree_if_made() {
        domains.push((tree, true));
    }
    for child in children {
        if !domains.iter().any(|(domain, _)| lives_in(child, domain)) {
            domains.push((Domain::of(&child.object)?, false));
        }
    }
    Ok(domains)
}

fn lives_in(child: &Child, domain: &Domain) -> bool {
    child.object.arena().region().id() == domain.region().id()
}

/// Gives the handles to the seat; the block that carries them, 0 if there are none.
fn hand_over(place: &Place, children: &[Child]) -> Result<u64> {
    if children.is_empty() {
        return Ok(0);
    }
    parcel::pack(&place.domain, &[], children)?.give_to(place.seat)
}

pub(super) fn read(bytes: &[u8], fds: Vec<Descriptor>) -> Result<(&[u8], Vec<Child>)> {
    let mut reader = Reader(bytes);
    let mut arenas = Vec::new();
    for _ in 0..reader.u32()? {
        arenas.push((reader.u64()?, reader.u64()?, reader.u64()?));
    }
    let mut parts = Vec::new();
    for _ in 0..reader.u32()? {
        parts.push((reader.u32()? as usize, Part::from_tag(reader.u32()?)));
    }
    let mut fds = fds.into_iter();
    let mut next = || {
        let fd = fds.next().ok_or_else(malformed)?;
        fd.into_owned().map_err(|cause| Error::os("process", "dup", cause))
    };
    let mut handles = Vec::new();
    for (i, (seat, block, flags)) in arenas.into_iter().enumerate() {
        let region = Region::attach(next()?, next()?, region::Seat::from_bits(seat))?;
        if flags & DEPOT != 0 {
            region.take_depot([next()?, next()?]);
        }
        let domain = if flags & TREE != 0 { Domain::inherit_tree(region)? } else { Domain::adopt(region)? };
        let parts: Vec<Part> = parts.iter().filter(|(arena, _)| *arena == i).map(|(_, part)| *part).collect();
        handles.push(take_over(&domain, block, &parts)?.into_iter());
    }
    let mut children = Vec::new();
    for (arena, _) in parts {
        let mut child = handles.get_mut(arena).and_then(Iterator::next).ok_or_else(malformed)?;
        if child.needs_socket() {
            child.socket = Some(Arc::new(PacketSocket::of(next()?).ok_or_else(malformed)?));
        }
        children.push(child);
    }
    Ok((reader.0, children))
}

/// The handles in the block that was handed to this process.
fn take_over(domain: &Domain, block: u64, parts: &[Part]) -> Result<Vec<Child>> {
    if block == 0 {
        return Ok(Vec::new());
    }
    parcel::children(domain, &domain.store().accept(block)?, parts)
}

fn put_u32(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&(value as u32).to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cold]
fn malformed() -> Error {
    Error::new(ErrorKind::Corrupt, "process", "its arguments are not what a parent of this build sends")
}
