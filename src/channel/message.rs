//! What may be a message.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

#[doc(hidden)]
pub use super::in_place::InPlace;

/// The writer that messages are serialised into.
#[doc(hidden)]
pub type Buffer = AlignedVec<16>;

/// A value that can travel between processes: any type with rkyv's three derives, and the handles of this
/// library.
///
/// The trait is implemented for every type that fits; it exists to keep signatures short and compiler
/// messages readable.
///
/// Messages are aligned to 16 bytes. A type whose archive asks for more is refused when the program is built; one that
/// *contains* such archives behind a pointer (a list of them) can be put, and arrives as `TypeMismatch` or `Corrupt`.
///
/// ```
/// use processing::rkyv::{Archive, Deserialize, Serialize};
///
/// #[derive(Archive, Serialize, Deserialize)]
/// #[rkyv(crate = processing::rkyv)]
/// struct Order {
///     id: u64,
///     venue: String,
/// }
///
/// fn travels<T: processing::Message>() {}
/// travels::<Order>();
/// travels::<(u32, Option<u8>, Vec<String>)>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another process",
    label = "not a message",
    note = "derive `Archive`, `Serialize` and `Deserialize` of `processing::rkyv` for it; references, raw pointers \
            and closures cannot travel"
)]
pub trait Message:
    Archive<
        Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                      + Deserialize<Self, HighDeserializer<rancor::Error>>,
    > + for<'a> Serialize<HighSerializer<Buffer, ArenaHandle<'a>, rancor::Error>>
    + for<'a> Serialize<HighSerializer<InPlace<'a>, ArenaHandle<'a>, rancor::Error>>
    + Sized
    + 'static
{
}

impl<T> Message for T where
    T: Archive<
            Archived: for<'a> CheckBytes<HighValidator<'a, rancor::Error>>
                          + Deserialize<T, HighDeserializer<rancor::Error>>,
        > + for<'a> Serialize<HighSerializer<Buffer, ArenaHandle<'a>, rancor::Error>>
        + for<'a> Serialize<HighSerializer<InPlace<'a>, ArenaHandle<'a>, rancor::Error>>
        + Sized
        + 'static
{
}
