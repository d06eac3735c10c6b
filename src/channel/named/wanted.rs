//! What a program expects behind a name.

use crate::channel::codec;
use crate::channel::message::Message;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::CHUNK;
use crate::layout::block::SMALL_MAX;
use crate::layout::ring::Geometry;
use crate::region::named::Record;

/// The type of the messages, and what of the rest was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    type_name: &'static str,
    fingerprint: u64,
    size: u64,
    align: u64,
    /// Of a new one.
    capacity: u64,
    max_message: u64,
    /// Also of one that is there already.
    pub asked_capacity: bool,
    pub asked_max_message: bool,
    /// Bytes that the region of a new one may grow to.
    pub limit: u64,
}

/// Chunks for blocks of all sizes, and for what travels to child processes.
const SLACK: u64 = 64;
/// Messages beyond those in the queue: held by leases, or being put.
const IN_FLIGHT: u64 = 128;
/// Room for messages of which nobody says how long they are.
const UNKNOWN: u64 = 64 << 20;
/// The same for each of them, if there are many.
const UNKNOWN_EACH: u64 = 16 << 10;

impl Wanted {
    /// A queue of `T`.
    pub fn queue<T: Message>(geometry: &Geometry, max_message: u64, limit: Option<u64>) -> Self {
        Self {
            type_name: std::any::type_name::<T>(),
            fingerprint: codec::fingerprint::<T>(),
            size: size_of::<T::Archived>() as u64,
            align: align_of::<T::Archived>() as u64,
            capacity: u64::from(geometry.capacity),
            max_message,
            asked_capacity: false,
            asked_max_message: false,
            limit: limit.unwrap_or_else(|| enough_for(geometry, max_message)),
        }
    }

    /// What the region says of itself.
    pub fn record(&self, name: &str, root: u64) -> Record {
        Record {
            root,
            fingerprint: self.fingerprint,
            size: self.size,
            align: self.align,
            capacity: self.capacity,
            max_message: self.max_message,
            name: name.to_owned(),
            type_name: self.type_name.to_owned(),
        }
    }

    /// Compares it with what is there.
    ///
    /// # Errors
    /// `TypeMismatch`, `InvalidInput`: both sides are in the text.
    pub fn fits(&self, object: &str, there: &Record) -> Result<()> {
        if (there.fingerprint, there.size, there.align) != (self.fingerprint, self.size, self.align) {
            let what = format!(
                "it carries {} ({} bytes aligned to {}, fingerprint {:#x}), this program expects {} ({} bytes aligned \
                 to {}, fingerprint {:#x})",
                there.type_name,
                there.size,
                there.align,
                there.fingerprint,
                self.type_name,
                self.size,
                self.align,
                self.fingerprint
            );
            return Err(Error::new(ErrorKind::TypeMismatch, object.to_owned(), what).hint(
                "open it with the type it was created with; both programs must name it by the same path",
            ));
        }
        let differs = |asked: bool, what: &str, there: u64, here: u64| {
            if !asked || there == here {
                return Ok(());
            }
            let what = format!("it has a {what} of {there}, this program asks for {here}");
            Err(Error::new(ErrorKind::InvalidInput, object.to_owned(), what)
                .hint("ask for the same, or for none"))
        };
        differs(self.asked_capacity, "capacity", there.capacity, self.capacity)?;
        differs(self.asked_max_message, "longest message", there.max_message, self.max_message)
    }
}

/// Memory that a full queue can take. It costs address space, until it is used.
fn enough_for(geometry: &Geometry, max_message: u64) -> u64 {
    let chunks = |bytes: u64| bytes.div_ceil(CHUNK).saturating_mul(CHUNK);
    let body = chunks(geometry.body_len());
    let messages = u64::from(geometry.capacity) + IN_FLIGHT;
    let blocks = if geometry.fixed || max_message <= u64::from(geometry.room) {
        0
    } else if max_message == u64::MAX {
        UNKNOWN.max(messages.saturating_mul(UNKNOWN_EACH))
    } else if max_message <= SMALL_MAX {
        // The next class is at most half as large again; chunks do not divide evenly.
        messages.saturating_mul(2 * max_message.max(64))
    } else {
        messages.saturating_mul(chunks(max_message))
    };
    body.saturating_add(chunks(blocks)).saturating_add(SLACK * CHUNK).min(MOST)
}

/// The most that is reserved unless more is asked for.
const MOST: u64 = 64 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_queues_take_little_address_space() {
        assert!(enough_for(&Geometry::fixed(16, 8, 16), u64::MAX) <= 5 << 20);
        assert!(enough_for(&Geometry::any(16, 48, 16), 4096) <= 6 << 20);
        assert!(enough_for(&Geometry::any(16, 48, 16), u64::MAX) >= UNKNOWN);
        assert_eq!(enough_for(&Geometry::any(1 << 28, 48, 16), 1 << 40), MOST);
    }

    #[test]
    fn what_is_enough_holds_a_full_queue() {
        for (capacity, max) in [(1u32, 1u64 << 20), (100, 5000), (1000, 100_000)] {
            let limit = enough_for(&Geometry::any(capacity, 48, 1), max);
            assert!(limit > u64::from(capacity) * max, "{capacity} of {max}: {limit}");
        }
    }
}
