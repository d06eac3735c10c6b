//! One way, nothing lost: the buffer holds as many messages as all rings here, it does not overflow, and a publisher that finds it full
//! tries again until there is room (its default, `RetryUntilDelivered`).

use super::home::{Home, is_heard, node, service_name};
use super::{Pair, Publishing, Subscribing, patiently, side, until};
use anyhow::Context as _;
use iceoryx2::node::Node;
use iceoryx2::prelude::{BackpressureStrategy, ipc};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use processing_cli::measure::stream::{Consumer, Producer, Put, Take};
use processing_cli::measure::{Crew, Entry};
use processing_cli::speed::raw::spsc_copy::slots;
use std::hint::spin_loop;

/// A loaned sample is written with the message and sent; a received one is copied out.
pub fn entry<const WORDS: usize>(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let home = Home::new()?;
        let (a, b) = cores.two()?;
        let (there, here) = (home.name(), home.name());
        let crew = Crew::new([
            side(
                &b,
                move || Ok(Consumer::<_, WORDS>::new(Out::<WORDS>::open(&there)?)),
                |consumer, operations| consumer.batch(operations),
            )?,
            side(
                &a,
                move || Ok(Producer::<_, WORDS>::new(Into::<WORDS>::open(&here)?)),
                |producer, operations| producer.batch(operations),
            )?,
        ]);
        Pair::new(crew, home)
    })
}

type Service<const WORDS: usize> = PortFactory<ipc::Service, [u64; WORDS], ()>;

fn service<const WORDS: usize>(home: &str) -> anyhow::Result<(Node<ipc::Service>, Service<WORDS>)> {
    let node = node(home)?;
    let name = service_name("stream")?;
    let service = patiently(|| {
        node.service_builder(&name)
            .publish_subscribe::<[u64; WORDS]>()
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(slots(WORDS))
            .enable_safe_overflow(false)
            .open_or_create()
    })?;
    Ok((node, service))
}

struct Into<const WORDS: usize> {
    publisher: Publishing<[u64; WORDS]>,
    _node: Node<ipc::Service>,
}

impl<const WORDS: usize> Into<WORDS> {
    fn open(home: &str) -> anyhow::Result<Self> {
        let (node, service) = service::<WORDS>(home)?;
        let publisher = service
            .publisher_builder()
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .context("iceoryx2: a publisher")?;
        until(|| is_heard(&service))?;
        Ok(Self { publisher, _node: node })
    }
}

impl<const WORDS: usize> Put<WORDS> for Into<WORDS> {
    #[inline(always)]
    fn put(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        let sample = self.publisher.loan_uninit()?;
        sample.write_payload(*message).send()?;
        Ok(())
    }
}

struct Out<const WORDS: usize> {
    subscriber: Subscribing<[u64; WORDS]>,
    _node: Node<ipc::Service>,
}

impl<const WORDS: usize> Out<WORDS> {
    fn open(home: &str) -> anyhow::Result<Self> {
        let (node, service) = service::<WORDS>(home)?;
        let subscriber = service.subscriber_builder().create().context("iceoryx2: a subscriber")?;
        Ok(Self { subscriber, _node: node })
    }
}

impl<const WORDS: usize> Take<WORDS> for Out<WORDS> {
    #[inline(always)]
    fn take(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            match self.subscriber.receive()? {
                Some(sample) => return Ok(*sample.payload()),
                None => spin_loop(),
            }
        }
    }
}
