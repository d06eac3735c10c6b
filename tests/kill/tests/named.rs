//! Killed in `create`, `open`, `open_or_create`, `gc_named` and the last drop of a named queue: the name is there and in use, or
//! nobody's and gone at the next look; never half of it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use processing::{Queue, QueueBuilder, gc_named, list_named, testing};
use processing_kill_tests::board::Board;
use processing_kill_tests::case::{Case, FREE, case};
use processing_kill_tests::child::{Child, pause};
use processing_kill_tests::folders::are_own;
use processing_kill_tests::suite::Suite;
use processing_kill_tests::{BOUND, Outcome, words};

fn main() -> ExitCode {
    let mut suite = Suite::new();
    if !are_own() {
        eprintln!("no folder of its own is to be had here: what others may clear up is not looked at");
    }
    suite.run(create());
    suite.run(create_over_a_stale_one());
    suite.run(open(Whose::Survivor));
    suite.run(open(Whose::Stranger));
    suite.run(open(Whose::Haunted));
    suite.run(open_from_one_that_dies_too());
    suite.run(open_a_stale_one());
    suite.run(open_or_create());
    suite.run(leave(true));
    suite.run(leave(false));
    suite.run(gc());
    suite.run(argument());
    suite.test("copy", copy);
    suite.finish()
}

fn builder() -> QueueBuilder<u64> {
    Queue::builder().capacity(4)
}

/// A name of this round; what is behind it goes with the value, also when the round fails.
struct Name(String);

impl Name {
    fn new(case: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("kill-{case}-{}-{number}", std::process::id()))
    }

    fn exists(&self) -> bool {
        std::fs::symlink_metadata(self.path()).is_ok()
    }

    fn path(&self) -> String {
        format!("/dev/shm/processing-{}", self.0)
    }

    /// Who uses it, as the list says.
    fn users(&self) -> Outcome<Vec<u32>> {
        let all = list_named().map_err(words("list"))?;
        let found = all.into_iter().find(|info| info.name == self.0);
        match found {
            Some(info) if info.problem.is_some() => Err(format!("listed with a problem: {info}")),
            Some(info) => Ok(info.pids),
            None => Ok(Vec::new()),
        }
    }

    /// Nobody has it: `gc` takes it away, and it can be made anew.
    fn is_free(&self) -> Outcome<()> {
        if !self.users()?.is_empty() {
            return Err(format!("the dead use it: {:?}", self.users()?));
        }
        gc_named().map_err(words("gc"))?;
        if self.exists() {
            return Err("gc left it".into());
        }
        let queue = builder().create(&self.0).map_err(words("create"))?;
        works(&queue)?;
        drop(queue);
        if self.exists() { Err("the last handle left it".into()) } else { Ok(()) }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
    }
}

fn works(queue: &Queue<u64>) -> Outcome<()> {
    for number in 0..6 {
        queue.try_put(&number).map_err(words("put"))?;
        if queue.try_get().map_err(words("get"))? != number {
            return Err("another message".into());
        }
    }
    Ok(())
}

/// Nothing of the dead is left in the region of a name that this process uses.
fn is_clean(name: &Name) -> Outcome<()> {
    let arena = testing::named_arena(&name.0).map_err(words("arena"))?;
    let fsck = arena.fsck().map_err(words("fsck"))?;
    let region = testing::region(&arena).map_err(words("region"))?;
    let present = region.participants().count();
    if !fsck.is_clean() || fsck.objects != 1 {
        return Err(format!("fsck: {fsck}"));
    }
    let users = name.users()?.len();
    if present != users { Err(format!("{present} slots are in use by {users} processes")) } else { Ok(()) }
}

/// A process that creates the name and keeps it until it is killed.
struct Keeper {
    child: Child,
}

/// Where it says that it has.
const KEPT: usize = FREE + 8;

impl Keeper {
    fn start(name: &str) -> Outcome<Self> {
        let board = Board::new();
        let name = name.to_owned();
        let child = Child::fork(move || {
            let queue = builder().create(&name).expect("the keeper creates");
            board.set(KEPT, 1);
            loop {
                std::thread::park();
                std::hint::black_box(&queue);
            }
        });
        let start = std::time::Instant::now();
        while board.get(KEPT) == 0 {
            if start.elapsed() > BOUND {
                return Err(format!("the keeper {} {:?}", child.pid(), child.doing()));
            }
            pause(start);
        }
        Ok(Self { child })
    }

    fn kill(mut self) -> Outcome<()> {
        self.child.signal(libc::SIGKILL);
        self.child.wait().map(|_| ())
    }

    /// The name is left behind.
    fn stale(name: &str) -> Outcome<()> {
        Self::start(name)?.kill()
    }
}

fn create() -> Case<Name, (String,)> {
    case(
        "create",
        |_| {
            let name = Name::new("create");
            let theirs = name.0.clone();
            Ok((name, (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let queue = builder().create(&name).expect("create");
            trigger.release();
            std::mem::forget(queue);
        },
        |name, _| {
            let effect = name.exists();
            name.is_free()?;
            Ok(are_own().then_some(effect))
        },
    )
    .least(30)
    .wavers()
}

fn create_over_a_stale_one() -> Case<Name, (String,)> {
    case(
        "create.stale",
        |_| {
            let name = Name::new("create-stale");
            Keeper::stale(&name.0)?;
            let theirs = name.0.clone();
            Ok((name, (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let queue = builder().create(&name).expect("create");
            trigger.release();
            std::mem::forget(queue);
        },
        |name, _| name.is_free().map(|()| None),
    )
    .least(30)
    .wavers()
}

#[derive(Clone, Copy, Debug)]
enum Whose {
    /// The victim is a copy of a process that has it.
    Survivor,
    /// It knows nothing of who has it.
    Stranger,
    /// The same, and another user died with a message in its hands: who opens it clears up.
    Haunted,
}

enum Kept {
    Here(Queue<u64>),
    There(Keeper),
}

fn open(whose: Whose) -> Case<(Name, Kept), (String,)> {
    case(
        format!("open.{whose:?}").to_lowercase(),
        move |_| {
            let name = Name::new("open");
            let kept = match whose {
                Whose::Survivor => Kept::Here(builder().create(&name.0).map_err(words("create"))?),
                Whose::Stranger | Whose::Haunted => Kept::There(Keeper::start(&name.0)?),
            };
            if matches!(whose, Whose::Haunted) {
                let own = name.0.clone();
                let mut ghost = Child::fork(move || {
                    let queue = builder().open(&own).expect("the ghost opens");
                    queue.try_put(&66).expect("put");
                    let lease = queue.try_get_ref().expect("lease");
                    std::mem::forget(lease);
                    std::mem::forget(queue);
                });
                ghost.wait()?;
            }
            let theirs = name.0.clone();
            Ok(((name, kept), (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let queue = builder().open(&name).expect("open");
            trigger.release();
            queue.try_put(&77).expect("put");
            std::mem::forget(queue);
        },
        move |(name, kept), seen| {
            gc_named().map_err(words("gc"))?;
            if !name.exists() {
                return Err("a name in use was removed".into());
            }
            let here = builder().open(&name.0).map_err(words("open"))?;
            if matches!(whose, Whose::Haunted) && here.try_get().map_err(words("get 66"))? != 66 {
                return Err("not the message of the ghost".into());
            }
            // What the victim put after its call is there.
            if seen.completed && here.try_get().map_err(words("get"))? != 77 {
                return Err("another message".into());
            }
            works(&here)?;
            is_clean(&name)?;
            drop(here);
            match kept {
                Kept::Here(queue) => {
                    works(&queue)?;
                    drop(queue);
                    if name.exists() { Err("the last handle left it".into()) } else { Ok(None) }
                }
                Kept::There(keeper) => {
                    keeper.kill()?;
                    name.is_free().map(|()| None)
                }
            }
        },
    )
    .least(10)
    .wavers()
}

/// Two deaths: the victim's in the middle of the call, and that of who had the name, right after it.
fn open_from_one_that_dies_too() -> Case<(Name, Keeper), (String,)> {
    case(
        "open.two-deaths",
        |_| {
            let name = Name::new("open-two");
            let keeper = Keeper::start(&name.0)?;
            let theirs = name.0.clone();
            Ok(((name, keeper), (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let queue = builder().open(&name).expect("open");
            trigger.release();
            std::mem::forget(queue);
        },
        |(name, keeper), _| {
            keeper.kill()?;
            let error = builder().open(&name.0).map(drop).err().ok_or("what the dead left was opened")?;
            if !error.is_not_found() || name.exists() {
                return Err(format!("{error}"));
            }
            name.is_free().map(|()| None)
        },
    )
    .least(10)
    .wavers()
}

fn open_a_stale_one() -> Case<Name, (String,)> {
    case(
        "open.stale",
        |_| {
            let name = Name::new("open-stale");
            Keeper::stale(&name.0)?;
            let theirs = name.0.clone();
            Ok((name, (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let error = builder().open(&name).expect_err("nobody uses it");
            trigger.release();
            assert!(error.is_not_found(), "{error}");
        },
        |name, _| {
            let effect = !name.exists();
            name.is_free()?;
            Ok(are_own().then_some(effect))
        },
    )
    .least(3)
}

fn open_or_create() -> Case<Name, (String,)> {
    case(
        "open-or-create",
        |_| {
            let name = Name::new("either");
            let theirs = name.0.clone();
            Ok((name, (theirs,)))
        },
        |(name,), trigger, _| {
            trigger.pull();
            let created = builder().open_or_create(&name).expect("create");
            let opened = builder().open_or_create(&name).expect("open");
            trigger.release();
            opened.try_put(&1).expect("put");
            assert_eq!(created.try_get().expect("get"), 1);
            std::mem::forget((created, opened));
        },
        |name, _| name.is_free().map(|()| None),
    )
    .least(30)
    .wavers()
}

/// The victim drops its handle: the last one, or not.
fn leave(last: bool) -> Case<(Name, Option<Keeper>), (String,)> {
    case(
        if last { "drop.last" } else { "drop" },
        move |_| {
            let name = Name::new("drop");
            let keeper = if last { None } else { Some(Keeper::start(&name.0)?) };
            let theirs = name.0.clone();
            Ok(((name, keeper), (theirs,)))
        },
        |(name,), trigger, _| {
            let queue = builder().open_or_create(&name).expect("open");
            trigger.pull();
            drop(queue);
            trigger.release();
        },
        |(name, keeper), _| {
            let Some(keeper) = keeper else {
                let effect = !name.exists();
                name.is_free()?;
                return Ok(are_own().then_some(effect));
            };
            gc_named().map_err(words("gc"))?;
            let here = builder().open(&name.0).map_err(words("open"))?;
            works(&here)?;
            is_clean(&name)?;
            drop(here);
            keeper.kill()?;
            name.is_free().map(|()| None)
        },
    )
    .least(3)
    .wavers()
}

fn gc() -> Case<(Name, Name, Keeper, Queue<u64>), (u8,)> {
    case(
        "gc",
        |_| {
            let (stale, used) = (Name::new("stale"), Name::new("used"));
            Keeper::stale(&stale.0)?;
            let keeper = Keeper::start(&used.0)?;
            let own = builder().create(&format!("{}-own", used.0)).map_err(words("create"))?;
            Ok(((stale, used, keeper, own), (0,)))
        },
        |_, trigger, _| {
            trigger.pull();
            gc_named().expect("gc");
            trigger.release();
        },
        |(stale, used, keeper, own), _| {
            let effect = !stale.exists();
            if !used.exists() {
                return Err("a name in use was removed".into());
            }
            works(&builder().open(&used.0).map_err(words("open"))?)?;
            works(&builder().open(&format!("{}-own", used.0)).map_err(words("open own"))?)?;
            works(&own)?;
            stale.is_free()?;
            keeper.kill()?;
            used.is_free()?;
            Ok(are_own().then_some(effect))
        },
    )
    .least(3)
    .wavers()
}

/// The victim is given a named queue, and puts into it.
fn argument() -> Case<(Name, Queue<u64>), (Queue<u64>,)> {
    Case {
        act: Box::new(|ticket, trigger, _| {
            trigger.pull();
            let (queue,): (Queue<u64>,) = ticket.board().expect("the victim takes its arguments");
            queue.try_put(&1).expect("put");
            trigger.release();
            std::mem::forget(queue);
        }),
        ..case(
            "argument",
            |_| {
                let name = Name::new("argument");
                let queue = builder().create(&name.0).map_err(words("create"))?;
                let theirs = queue.clone();
                Ok(((name, queue), (theirs,)))
            },
            |_, _, _| {},
            |(name, queue): (Name, Queue<u64>), seen| {
                if !name.exists() {
                    return Err("a name in use was removed".into());
                }
                testing::sweep(&testing::named_arena(&name.0).map_err(words("arena"))?)
                    .map_err(words("sweep"))?;
                let found = queue.try_get().ok();
                if seen.completed && found != Some(1) {
                    return Err("what was put is not there".into());
                }
                works(&queue)?;
                Ok(Some(found == Some(1)))
            },
        )
    }
    .least(10)
    .wavers()
}

/// A forked copy of a user drops what it has inherited: of neither kind of mapping does anything happen to the name, or to
/// the locks of the process that it is a copy of.
fn copy() -> Outcome<String> {
    let name = Name::new("copy");
    let keeper = Keeper::start(&name.0)?;
    let own = Name::new("copy-own");
    let mut opened = Some(builder().open(&name.0).map_err(words("open"))?);
    let mut created = Some(builder().create(&own.0).map_err(words("create"))?);
    let mut copy = Child::fork(|| {
        let error = opened.as_ref().map(|queue| queue.try_put(&1)).expect("it is there").expect_err("a copy");
        drop(error);
        (opened, created) = (None, None);
    });
    let end = copy.wait()?;
    let me = std::process::id();
    for (queue, name) in [(&opened, &name), (&created, &own)] {
        let queue = queue.as_ref().ok_or("the copy has changed its original")?;
        if !name.exists() || !name.users()?.contains(&me) {
            return Err(format!("a copy that ended with {end:?} took the name, used by {:?}", name.users()?));
        }
        works(queue)?;
    }
    keeper.kill()?;
    Ok(format!("{end:?}"))
}
