//! ipc-channel: Servo's channels between processes, over sockets.
//!
//! Its channel of bytes is used, which takes no serialisation, and so costs it the least. A sender that finds the socket full waits.

use anyhow::Context as _;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, bytes_channel};
use processing_cli::measure::stream::{Consumer, Producer, Put, Take};
use processing_cli::measure::{Crew, Entry, Partner};
use processing_cli::speed::raw::pipe_stream::{from_bytes, to_bytes};

/// Messages of 256 bytes from one process to another.
pub fn bytes(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let (sender, receiver) = bytes_channel().context("a channel")?;
        let (a, b) = cores.two()?;
        let mut producer = Producer::<_, WORDS>::new(Sender(sender));
        let mut consumer = Consumer::<_, WORDS>::new(Receiver(receiver));
        Ok(Crew::new([
            Partner::fork(&a, move |operations| producer.batch(operations))?,
            Partner::fork(&b, move |operations| consumer.batch(operations))?,
        ]))
    })
}

const WORDS: usize = 32;

struct Sender(IpcBytesSender);
struct Receiver(IpcBytesReceiver);

impl Put<WORDS> for Sender {
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        Ok(self.0.send(&to_bytes(message))?)
    }
}

impl Take<WORDS> for Receiver {
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        let bytes = self.0.recv().map_err(|error| anyhow::anyhow!("{error:?}")).context("receiving")?;
        let bytes = bytes.as_slice().try_into().with_context(|| format!("{} bytes", bytes.len()))?;
        Ok(from_bytes(bytes))
    }
}
