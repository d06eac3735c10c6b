//! One way, in place: a slice is loaned, written where it lies and sent; it is received, and read where it lies.
//!
//! The memory is reserved beforehand for slices of this length, as many fit as in what it is compared with, and nothing is lost
//! (see `stream`).

use super::home::{Home, is_heard, node, service_name};
use super::{Pair, Publishing, Subscribing, patiently, side, until};
use anyhow::Context as _;
use iceoryx2::node::Node;
use iceoryx2::prelude::{BackpressureStrategy, ipc};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use processing_cli::measure::in_place::{Read, Reader, Write, Writer};
use processing_cli::measure::payload::are_message;
use processing_cli::measure::{Crew, Entry};
use processing_cli::speed::raw::line_copy::depth;
use std::hint::spin_loop;

/// Messages of so many words.
pub fn entry(name: &str, words: usize) -> Entry {
    Entry::new(name, move |cores| {
        let home = Home::new()?;
        let (a, b) = cores.two()?;
        let (there, here) = (home.name(), home.name());
        let crew = Crew::new([
            side(
                &b,
                move || Ok(Reader::new(Out::open(&there, words)?)),
                |reader, operations| reader.batch(operations),
            )?,
            side(
                &a,
                move || Ok(Writer::new(Into::open(&here, words)?)),
                |writer, operations| writer.batch(operations),
            )?,
        ]);
        Pair::new(crew, home)
    })
}

type Service = PortFactory<ipc::Service, [u64], ()>;

fn service(home: &str, words: usize) -> anyhow::Result<(Node<ipc::Service>, Service)> {
    let node = node(home)?;
    let name = service_name("loan")?;
    let service = patiently(|| {
        node.service_builder(&name)
            .publish_subscribe::<[u64]>()
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(depth(words))
            .enable_safe_overflow(false)
            .open_or_create()
    })?;
    Ok((node, service))
}

struct Into {
    publisher: Publishing<[u64]>,
    words: usize,
    _node: Node<ipc::Service>,
}

impl Into {
    fn open(home: &str, words: usize) -> anyhow::Result<Self> {
        let (node, service) = service(home, words)?;
        let publisher = service
            .publisher_builder()
            .initial_max_slice_len(words)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .context("iceoryx2: a publisher")?;
        until(|| is_heard(&service))?;
        Ok(Self { publisher, words, _node: node })
    }
}

impl Write for Into {
    fn write(&mut self, number: u64) -> anyhow::Result<()> {
        let sample = self.publisher.loan_slice_uninit(self.words)?;
        let sample = sample.write_from_fn(|word| number.wrapping_add(word as u64));
        sample.send()?;
        Ok(())
    }
}

struct Out {
    subscriber: Subscribing<[u64]>,
    words: usize,
    _node: Node<ipc::Service>,
}

impl Out {
    fn open(home: &str, words: usize) -> anyhow::Result<Self> {
        let (node, service) = service(home, words)?;
        let subscriber = service.subscriber_builder().create().context("iceoryx2: a subscriber")?;
        Ok(Self { subscriber, words, _node: node })
    }
}

impl Read for Out {
    fn read(&mut self, number: u64) -> anyhow::Result<bool> {
        loop {
            let Some(sample) = self.subscriber.receive()? else {
                spin_loop();
                continue;
            };
            let words = sample.payload();
            return Ok(words.len() == self.words && are_message(words.iter().copied(), number));
        }
    }
}
