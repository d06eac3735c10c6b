//! Killed while it changes a `Namespace`: each attribute is what it was or what it was to be, of the type that goes with that, and the others are untouched.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::process::ExitCode;

use processing::{ErrorKind, Namespace, Queue, SharedData};
use processing_kill_tests::case::{Case, case};
use processing_kill_tests::suite::Suite;
use processing_kill_tests::world::World;
use processing_kill_tests::{Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new().at_rest();
    suite.run(change("set/new", |ns| ns.set("new", &long()), |all| all.put("new", "Vec<u8>", &long())));
    suite.run(change("set/same_type", |ns| ns.set("n", &8u64), |all| all.put("n", "u64", &8u64)));
    suite.run(change("set/other_type", |ns| ns.set("n", &text()), |all| all.put("n", "String", &text())));
    let update = |ns: &Namespace| ns.update("text", |text: &mut String| text.push('!'));
    suite.run(change("update", update, |all| all.put("text", "String", &(text() + "!"))));
    suite.run(change("remove", |ns| ns.remove("text"), |all| all.0.remove("text").map_or((), drop)));
    suite.run(change("clear", Namespace::clear, |all| all.0.clear()));
    suite.run(handles());
    suite.run(let_go());
    suite.finish()
}

/// The type and the text of each attribute by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attributes(BTreeMap<String, (String, String)>);

impl Attributes {
    fn put(&mut self, name: &str, kind: &str, value: &dyn Debug) {
        self.0.insert(name.to_owned(), (kind.to_owned(), format!("{value:?}")));
    }
}

fn text() -> String {
    "a text of some length".to_owned()
}

fn long() -> Vec<u8> {
    vec![7; 60]
}

fn some(world: &World) -> Outcome<Namespace> {
    let ns = Namespace::in_arena(&world.arena).map_err(words("namespace"))?;
    ns.set("n", &7u64).map_err(words("set"))?;
    ns.set("text", &text()).map_err(words("set"))?;
    ns.set("bytes", &long()).map_err(words("set"))?;
    Ok(ns)
}

/// What is there, by every way of looking: each attribute is of the type that it says, of no other, and its text says what it is.
fn content(ns: &Namespace) -> Outcome<Attributes> {
    let all = ns.describe().map_err(words("describe"))?;
    let names: Vec<String> = all.iter().map(|(name, ..)| name.clone()).collect();
    if names != ns.names().map_err(words("names"))? {
        return Err(format!("its names are not {names:?}"));
    }
    let mut attributes = Attributes(BTreeMap::new());
    for (name, kind, text) in all {
        let value = match kind.as_str() {
            "u64" => as_text::<u64>(ns, &name),
            "String" => as_text::<String>(ns, &name),
            "Vec<u8>" => as_text::<Vec<u8>>(ns, &name),
            other => Err(format!("nobody set a {other}")),
        }?;
        if value != text {
            return Err(format!("{name} is {value}, and shown as {text}"));
        }
        let other = ns.get::<i16>(&name).err().map(|error| error.kind());
        if other != Some(ErrorKind::TypeMismatch) {
            return Err(format!("{name} as another type: {other:?}"));
        }
        attributes.0.insert(name, (kind, text));
    }
    Ok(attributes)
}

fn as_text<T: SharedData + Debug>(ns: &Namespace, name: &str) -> Outcome<String> {
    ns.get::<T>(name).map(|value| format!("{value:?}")).map_err(words("get"))
}

/// Each attribute is taken away and set again, and one more: so every lock is taken, and every repair made.
fn use_all(ns: &Namespace, all: &Attributes) -> Outcome<()> {
    for (name, (kind, _)) in &all.0 {
        match kind.as_str() {
            "u64" => again::<u64>(ns, name),
            "String" => again::<String>(ns, name),
            _ => again::<Vec<u8>>(ns, name),
        }?;
    }
    // In each of the four shares into which attributes are divided.
    for n in 0..40u8 {
        ns.set(&format!("more {n}"), &n).map_err(words("set"))?;
        ns.remove(&format!("more {n}")).map_err(words("remove"))?;
    }
    if content(ns)? != *all || ns.len() != all.0.len() {
        return Err(format!("something has changed that nobody has changed, or it counts {}", ns.len()));
    }
    Ok(())
}

fn again<T: SharedData + Debug>(ns: &Namespace, name: &str) -> Outcome<()> {
    let value: T = ns.get(name).map_err(words("get"))?;
    ns.remove(name).map_err(words("remove"))?;
    ns.set(name, &value).map_err(words("set"))
}

/// The victim makes one call, and `on` says what it does to the attributes.
fn change(
    name: &str,
    act: impl Fn(&Namespace) -> processing::Result<()> + 'static,
    on: impl Fn(&mut Attributes) + 'static,
) -> Case<(Namespace, [Attributes; 2]), (Namespace,)> {
    case(
        name,
        move |world| {
            let ns = some(world)?;
            let before = content(&ns)?;
            let mut after = before.clone();
            on(&mut after);
            Ok(((ns.clone(), [before, after]), (ns,)))
        },
        move |(ns,), trigger, _| {
            trigger.pull();
            act(&ns).expect("the call");
            trigger.release();
        },
        |(ns, [before, after]), seen| {
            let now = content(&ns)?;
            if now != before && now != after {
                return Err(format!("{before:?} became {now:?}"));
            }
            if seen.completed && now != after {
                return Err("it completed without effect".into());
            }
            use_all(&ns, &now)?;
            Ok(Some(now == after))
        },
    )
    .meanwhile(|(ns, known)| {
        // A stopped writer is in no reader's way.
        let now = content(ns)?;
        if known.contains(&now) { Ok(()) } else { Err(format!("{now:?} beside a stopped one")) }
    })
    .least(8)
}

/// An attribute becomes a queue, which goes with it.
fn handles() -> Case<Namespace, (Namespace, Queue<u64>)> {
    case(
        "handle",
        |world| {
            let ns = some(world)?;
            let q = Queue::builder().arena(&world.arena).capacity(2).build().map_err(words("queue"))?;
            q.put(&5).map_err(words("put"))?;
            Ok((ns.clone(), (ns, q)))
        },
        |(ns, q), trigger, _| {
            trigger.pull();
            ns.set("n", &q).expect("set");
            drop(q);
            trigger.release();
        },
        |ns, seen| {
            let queue = match (ns.get::<u64>("n"), ns.get::<Queue<u64>>("n")) {
                (Ok(7), Err(error)) if error.kind() == ErrorKind::TypeMismatch => None,
                (Err(error), Ok(queue)) if error.kind() == ErrorKind::TypeMismatch => Some(queue),
                (number, queue) => return Err(format!("a number: {number:?}, a queue: {queue:?}")),
            };
            if let Some(queue) = &queue
                && queue.get().map_err(words("get"))? != 5
            {
                return Err("it is another queue".into());
            }
            if seen.completed && queue.is_none() {
                return Err("it completed without effect".into());
            }
            ns.set("n", &7u64).map_err(words("set"))?;
            use_all(&ns, &content(&ns)?)?;
            Ok(Some(queue.is_some()))
        },
    )
}

/// The victim has the last handle.
fn let_go() -> Case<(), (Namespace,)> {
    case(
        "drop",
        |world| Ok(((), (some(world)?,))),
        |(ns,), trigger, _| {
            trigger.pull();
            drop(ns);
            trigger.release();
        },
        |(), _| Ok(None),
    )
    .never_stops()
}
