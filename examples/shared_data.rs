//! A market in shared memory: prices that many read and few write, and a process that is killed while it writes them.

use processing::rkyv::{Archive, Deserialize, Serialize};
use processing::{
    Event, LocalManager, Namespace, Process, SharedArray, SharedDict, SharedList, SharedStruct, SharedValue,
};

#[derive(Archive, Serialize, Deserialize, Debug, PartialEq)]
#[rkyv(crate = processing::rkyv)]
struct Quote {
    bid: f64,
    ask: f64,
    venue: String,
}

fn quote(n: u64) -> Quote {
    Quote { bid: n as f64, ask: n as f64 + 0.5, venue: format!("venue {}", n % 3) }
}

/// What the processes share.
type Market =
    (SharedStruct<Quote>, SharedDict<String, u64>, SharedList<u64>, SharedArray<u64>, SharedValue<u64>);

/// Writes until it is killed.
fn writer((best, seen, trades, histogram, last): Market, started: Event) -> processing::Result<()> {
    for n in 0.. {
        best.set(&quote(n))?;
        seen.update_or_insert(quote(n).venue.as_str(), 0, |count| count + 1)?;
        trades.push(&n)?;
        histogram.set(n as usize % histogram.len(), n)?;
        last.set(n)?;
        if n == 1000 {
            started.set()?;
        }
    }
    Ok(())
}

/// Counts the prices whose parts do not belong together: there are none.
fn reader((best, ..): Market, torn: SharedValue<u64>) -> processing::Result<()> {
    for _ in 0..100_000 {
        let quote = best.read()?; // in place, no copy; the writer goes on meanwhile
        if quote.ask - quote.bid != 0.5 {
            torn.update(|torn| *torn += 1)?;
        }
    }
    Ok(())
}

/// What a process finds that knows the market by its name only.
fn sum(ns: Namespace, answer: SharedValue<f64>) -> processing::Result<()> {
    let market: Market = ns.get("market")?;
    let quote = market.0.read()?;
    answer.set(quote.bid + quote.ask)
}

fn main() -> processing::Result<()> {
    let m = LocalManager::new()?;
    let market: Market = (m.structure(&quote(0))?, m.dict()?, m.list()?, m.array(16)?, m.value(0)?);
    let started = m.event()?;
    let w = Process::new(writer, (market.clone(), started.clone())).name("writer").start()?;
    started.wait()?;
    let torn = m.value(0)?;
    Process::new(reader, (market.clone(), torn.clone())).start()?.join()?;
    w.kill()?;
    w.join()?;
    println!("{w} after {} trades; {} torn prices", market.2.len(), torn.get());
    assert_eq!(torn.get(), 0);

    // It was killed between any two instructions of these calls: each change is there or not, and everything can be used.
    let (best, seen, trades, _, last) = &market;
    let (done, listed, counted) = (last.get() + 1, trades.len() as u64, seen.values()?.iter().sum::<u64>());
    assert_eq!(trades.to_vec()?, (0..listed).collect::<Vec<_>>());
    assert!(done <= listed && listed <= counted && counted <= done + 1);
    best.set(&quote(7))?;
    assert_eq!(best.get()?, quote(7));

    // Handles nest: what a namespace holds lives as long as it does.
    let ns: Namespace = m.namespace()?;
    ns.set("market", &market)?;
    ns.set("x", &10u64)?;
    drop(market);
    let answer = m.value(0.0)?;
    Process::new(sum, (ns.clone(), answer.clone())).start()?.join()?;
    assert_eq!(answer.to_string(), "SharedValue(f64, 14.5)");
    println!("{}", m.array_from(&[0, -1, -2])?); // SharedArray(i32, [0, -1, -2])
    m.shutdown();
    Ok(())
}
