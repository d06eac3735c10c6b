//! Messages that say whether they are whole.

use processing::{Arena, Message, Queue};

use crate::{Outcome, words};

/// How a number becomes a message of a certain sort, and back.
pub trait Kind: Copy + 'static {
    type Message: Message;
    fn name(self) -> String;
    fn make(self, arena: &Arena, id: u64) -> Outcome<Self::Message>;
    /// The number; an error if the message is torn.
    fn read(self, message: Self::Message) -> Outcome<u64>;
}

/// Eight bytes, fixed: in the slot.
#[derive(Clone, Copy)]
pub struct Word;
/// A short string: in the slot, but of a type of any length.
#[derive(Clone, Copy)]
pub struct Text;
/// A number and so many bytes.
#[derive(Clone, Copy)]
pub struct Bytes(pub usize);
/// A number and bytes: so few that they go into a slot where the number is even, else a block of them.
#[derive(Clone, Copy)]
pub struct Mixed;
/// A number and a queue that holds it once more.
#[derive(Clone, Copy)]
pub struct Handle;

fn mix(id: u64) -> u64 {
    (id ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

impl Kind for Word {
    type Message = u64;
    fn name(self) -> String {
        "8b".into()
    }
    fn make(self, _: &Arena, id: u64) -> Outcome<u64> {
        Ok(id << 32 | mix(id) >> 32)
    }
    fn read(self, message: u64) -> Outcome<u64> {
        let id = message >> 32;
        if message as u32 == (mix(id) >> 32) as u32 { Ok(id) } else { Err(format!("torn: {message:#x}")) }
    }
}

impl Kind for Text {
    type Message = String;
    fn name(self) -> String {
        "text".into()
    }
    fn make(self, _: &Arena, id: u64) -> Outcome<String> {
        Ok(format!("{id:08x}{:016x}", mix(id)))
    }
    fn read(self, message: String) -> Outcome<u64> {
        let id = message.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let whole = id.filter(|id| message == format!("{id:08x}{:016x}", mix(*id)));
        whole.ok_or_else(|| format!("torn: {message:?}"))
    }
}

/// Bytes that depend on number and length.
pub fn pattern(id: u64, len: usize) -> Vec<u8> {
    let mut word = mix(id ^ len as u64);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&word.to_le_bytes());
        word = word.rotate_left(7).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    bytes.truncate(len);
    bytes
}

/// Whose bytes they are.
pub fn read_pattern(bytes: &[u8], ids: impl IntoIterator<Item = u64>) -> Outcome<u64> {
    let mut ids = ids.into_iter();
    ids.find(|id| pattern(*id, bytes.len()) == bytes)
        .ok_or_else(|| format!("{} bytes that nobody sent", bytes.len()))
}

impl Kind for Bytes {
    type Message = (u64, Vec<u8>);
    fn name(self) -> String {
        match self.0 {
            0..1024 => format!("any-{}b", self.0),
            _ => format!("any-{}k", self.0 / 1024),
        }
    }
    fn make(self, _: &Arena, id: u64) -> Outcome<Self::Message> {
        Ok((id, pattern(id, self.0)))
    }
    fn read(self, (id, bytes): Self::Message) -> Outcome<u64> {
        if bytes == pattern(id, self.0) { Ok(id) } else { Err(format!("message {id} is torn")) }
    }
}

impl Kind for Mixed {
    type Message = (u64, Vec<u8>);
    fn name(self) -> String {
        "mixed".into()
    }
    fn make(self, _: &Arena, id: u64) -> Outcome<Self::Message> {
        Ok((id, pattern(id, Self::len(id))))
    }
    fn read(self, (id, bytes): Self::Message) -> Outcome<u64> {
        if bytes == pattern(id, Self::len(id)) { Ok(id) } else { Err(format!("message {id} is torn")) }
    }
}

impl Mixed {
    fn len(id: u64) -> usize {
        if id.is_multiple_of(2) { 16 } else { 200 }
    }
}

impl Kind for Handle {
    type Message = (u64, Queue<u64>);
    fn name(self) -> String {
        "handle".into()
    }
    fn make(self, arena: &Arena, id: u64) -> Outcome<Self::Message> {
        let queue = Queue::builder().capacity(2).arena(arena).build().map_err(words("inner queue"))?;
        queue.try_put(&id).map_err(words("inner put"))?;
        Ok((id, queue))
    }
    fn read(self, (id, queue): Self::Message) -> Outcome<u64> {
        match queue.try_get() {
            Ok(inner) if inner == id => Ok(id),
            other => Err(format!("the queue in message {id} holds {other:?}")),
        }
    }
}
