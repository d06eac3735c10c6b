//! The round trip of its latency benchmark (`benchmarks/publish-subscribe`): two services, a buffer of one sample with safe overflow,
//! the next sample loaned while the answer is on its way, both sides polling. That one runs on two threads and never touches
//! the payload; here they are two processes, and the payload is written, and read in place.

use super::home::{Home, is_heard, node, service_name};
use super::{Pair, Publishing, Subscribing, patiently, side, until};
use anyhow::Context as _;
use iceoryx2::node::Node;
use iceoryx2::prelude::ipc;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use processing_cli::measure::round_trip::{Answerer, Asker, End};
use processing_cli::measure::{Crew, Entry};
use std::mem::MaybeUninit;

/// Messages of so many words.
pub fn entry<const WORDS: usize>(name: &str) -> Entry {
    Entry::new(name, |cores| {
        let home = Home::new()?;
        let (a, b) = cores.two()?;
        let (there, here) = (home.name(), home.name());
        let crew = Crew::new([
            side(
                &b,
                move || Ok(Answerer::<_, WORDS>::new(Both::open(&there, ANSWERS, QUESTIONS)?)),
                |answerer, operations| answerer.batch(operations),
            )?,
            side(
                &a,
                move || Ok(Asker::<_, WORDS>::new(Both::open(&here, QUESTIONS, ANSWERS)?)),
                |asker, operations| asker.batch(operations),
            )?,
        ]);
        Pair::new(crew, home)
    })
}

const QUESTIONS: &str = "questions";
const ANSWERS: &str = "answers";

type Service<const WORDS: usize> = PortFactory<ipc::Service, [u64; WORDS], ()>;
type Loan<const WORDS: usize> = SampleMutUninit<ipc::Service, MaybeUninit<[u64; WORDS]>, ()>;

struct Both<const WORDS: usize> {
    /// What the next message is written into.
    loan: Option<Loan<WORDS>>,
    to: Publishing<[u64; WORDS]>,
    from: Subscribing<[u64; WORDS]>,
    _node: Node<ipc::Service>,
}

impl<const WORDS: usize> Both<WORDS> {
    fn open(home: &str, to: &str, from: &str) -> anyhow::Result<Self> {
        let node = node(home)?;
        let (to, from) = (service::<WORDS>(&node, to)?, service::<WORDS>(&node, from)?);
        let subscriber = from.subscriber_builder().create().context("iceoryx2: a subscriber")?;
        let publisher = to.publisher_builder().create().context("iceoryx2: a publisher")?;
        until(|| is_heard(&to))?;
        let loan = Some(publisher.loan_uninit()?);
        Ok(Self { loan, to: publisher, from: subscriber, _node: node })
    }
}

fn service<const WORDS: usize>(node: &Node<ipc::Service>, name: &str) -> anyhow::Result<Service<WORDS>> {
    let name = service_name(name)?;
    patiently(|| {
        node.service_builder(&name)
            .publish_subscribe::<[u64; WORDS]>()
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .enable_safe_overflow(true)
            .open_or_create()
    })
}

impl<const WORDS: usize> End<WORDS> for Both<WORDS> {
    #[inline(always)]
    fn send(&mut self, message: &[u64; WORDS]) -> anyhow::Result<()> {
        let sample = self.loan.take().context("no loan")?;
        sample.write_payload(*message).send()?;
        self.loan = Some(self.to.loan_uninit()?);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<[u64; WORDS]> {
        loop {
            if let Some(sample) = self.from.receive()? {
                return Ok(*sample.payload());
            }
        }
    }
}
