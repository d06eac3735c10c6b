//! All states of a name: programs that create, open, hand on, leave and clear up, with kills between any two steps.
//!
//! What happens behind the gate is the library's own source (`processing::region::named::protocol`); what leads there is
//! as in `region::named::open`. As in `region_states`, a process is a call and the results of its operations so far: to
//! take a step, the call runs again with them, does one more, and is broken off.
//!
//! `PROCESSING_MUTANT=named.no_gate cargo test -p processing-loom-tests --test named_states` must fail, and so must the
//! other mutants that `mutants_are_caught` lists.
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use processing::region::named::protocol::{Cleared, Company, Door, Entered, clear, enter, leave};
use processing_loom_tests::{Model, explore};

/// Files that are made at most.
const FILES: usize = 4;
type File = u8;

/// What the kernel keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kernel {
    name: Option<File>,
    made: u8,
    /// Which processes hold a participant's lock, as bits.
    users: [u8; FILES],
    gates: [Option<u8>; FILES],
    /// Which processes, behind a gate that they have, found a user of the file, as bits.
    company: u8,
    broken: Option<&'static str>,
}

/// What a process does with its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    /// Creates, and leaves.
    Creator,
    /// Opens or creates, and leaves.
    Either,
    /// Opens, and leaves.
    Opener,
    /// Is given the descriptors by process 0, and leaves.
    Child,
    /// Clears up as long as there is a name.
    Janitor,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Call {
    Create,
    Open,
    Inherit(File),
    Leave(File),
    Clear,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    role: Role,
    /// The file that it uses.
    has: Option<File>,
    /// It found no name: the next thing is to create one.
    absent: bool,
    over: bool,
    killable: bool,
    call: Option<(Call, Vec<u64>)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    kernel: Kernel,
    processes: Vec<Process>,
    kills: u8,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Done {
    Has(File),
    Absent,
    Exists,
    Gone,
    Again,
}

/// Thrown when a call has done its one new operation.
struct Enough;

struct Replay {
    process: u8,
    kernel: RefCell<Kernel>,
    results: RefCell<Vec<u64>>,
    at: Cell<usize>,
    fresh: Cell<bool>,
}

impl Replay {
    fn operation(&self, new: impl FnOnce(&mut Kernel) -> u64) -> u64 {
        let at = self.at.replace(self.at.get() + 1);
        if let Some(recorded) = self.results.borrow().get(at) {
            return *recorded;
        }
        if self.fresh.replace(true) {
            resume_unwind(Box::new(Enough));
        }
        let result = new(&mut self.kernel.borrow_mut());
        self.results.borrow_mut().push(result);
        result
    }

    /// Opens the file that the name names.
    fn open(&self) -> Option<File> {
        let found = self.operation(|kernel| kernel.name.map_or(0, |file| u64::from(file) + 1));
        found.checked_sub(1).map(|file| file as File)
    }

    fn at(&self, file: File) -> At<'_> {
        At { replay: self, file }
    }

    /// Takes a participant's lock.
    fn join(&self, file: File, company: Company) {
        let me = 1 << self.process;
        self.operation(|kernel| {
            if company == Company::Needed && kernel.company & me == 0 {
                kernel.broken = Some("somebody opened what the dead left");
            }
            kernel.users[usize::from(file)] |= me;
            0
        });
    }

    fn close(&self, file: File) {
        let process = self.process;
        self.operation(|kernel| {
            kernel.forget(process, Some(file));
            0
        });
    }

    fn run(&self, call: Call) -> Done {
        match call {
            Call::Create => self.create(),
            Call::Open => match self.open() {
                None => Done::Absent,
                Some(file) if !self.at(file).is_used_now() => {
                    let _ = clear(&self.at(file));
                    Done::Again
                }
                Some(file) => self.enter(file, Company::Needed),
            },
            Call::Inherit(file) => self.enter(file, Company::NotNeeded),
            Call::Leave(file) => {
                if leave(&self.at(file)) == Ok(Cleared::Busy) {
                    return Done::Again;
                }
                self.close(file);
                Done::Gone
            }
            Call::Clear => {
                if let Some(file) = self.open() {
                    let _ = clear(&self.at(file));
                }
                Done::Again
            }
        }
    }

    fn enter(&self, file: File, company: Company) -> Done {
        match enter(&self.at(file), company, || self.join(file, company)) {
            Ok(Entered::In(())) => Done::Has(file),
            Ok(Entered::NotCurrent) if company == Company::NotNeeded => Done::Gone,
            Ok(_) => Done::Again,
            Err(never) => match never {},
        }
    }

    fn create(&self) -> Done {
        if let Some(file) = self.open() {
            return match clear(&self.at(file)) {
                Ok(Cleared::Used) => Done::Exists,
                Ok(_) => Done::Again,
                Err(never) => match never {},
            };
        }
        let me = 1 << self.process;
        // Nobody else sees the file before it has the name: that it is made and locked is one step.
        let file = self.operation(|kernel| {
            let file = kernel.made;
            if usize::from(file) == FILES {
                return FILES as u64;
            }
            kernel.made += 1;
            kernel.users[usize::from(file)] = me;
            file.into()
        }) as File;
        if usize::from(file) == FILES {
            return Done::Gone;
        }
        let linked = self.operation(|kernel| {
            let free = kernel.name.is_none();
            if free {
                kernel.name = Some(file);
            }
            free.into()
        });
        if linked != 0 {
            return Done::Has(file);
        }
        self.close(file);
        Done::Again
    }
}

/// A file that was opened by the name.
struct At<'a> {
    replay: &'a Replay,
    file: File,
}

/// Nothing fails here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Never {}

impl At<'_> {
    fn is_used_now(&self) -> bool {
        let (file, me) = (usize::from(self.file), 1 << self.replay.process);
        let used = self.replay.operation(|kernel| {
            let used = kernel.users[file] & !me != 0;
            if used && kernel.gates[file] == Some(self.replay.process) {
                kernel.company |= me;
            }
            used.into()
        });
        used != 0
    }
}

impl Door for At<'_> {
    type Error = Never;

    fn lock(&self) -> Result<bool, Never> {
        let (file, process) = (usize::from(self.file), self.replay.process);
        let taken = self.replay.operation(|kernel| {
            let gate = &mut kernel.gates[file];
            let free = gate.is_none() || *gate == Some(process);
            if free {
                *gate = Some(process);
            }
            free.into()
        });
        Ok(taken != 0)
    }

    fn unlock(&self) {
        let (file, process) = (usize::from(self.file), self.replay.process);
        self.replay.operation(|kernel| {
            if kernel.gates[file] == Some(process) {
                kernel.gates[file] = None;
            }
            kernel.company &= !(1 << process);
            0
        });
    }

    fn is_current(&self) -> Result<bool, Never> {
        let file = self.file;
        Ok(self.replay.operation(|kernel| (kernel.name == Some(file)).into()) != 0)
    }

    fn is_used(&self) -> Result<bool, Never> {
        Ok(self.is_used_now())
    }

    fn unlink(&self) -> Result<(), Never> {
        self.replay.operation(|kernel| {
            kernel.name = None;
            0
        });
        Ok(())
    }
}

impl Kernel {
    /// A process closes a file, or all of them.
    fn forget(&mut self, process: u8, file: Option<File>) {
        self.company &= !(1 << process);
        for at in (0..FILES).filter(|at| file.is_none_or(|file| usize::from(file) == *at)) {
            self.users[at] &= !(1 << process);
            if self.gates[at] == Some(process) {
                self.gates[at] = None;
            }
        }
    }
}

impl World {
    fn step(&self, i: usize, call: Call, results: Vec<u64>) -> World {
        let replay = Replay {
            process: i as u8,
            kernel: RefCell::new(self.kernel.clone()),
            results: RefCell::new(results),
            at: Cell::new(0),
            fresh: Cell::new(false),
        };
        let done = catch_unwind(AssertUnwindSafe(|| replay.run(call)));
        let mut world = self.clone();
        world.kernel = replay.kernel.into_inner();
        match done {
            Ok(done) => world.finish(i, call, done),
            Err(payload) if payload.is::<Enough>() => {
                world.processes[i].call = Some((call, replay.results.into_inner()));
            }
            Err(payload) => resume_unwind(payload),
        }
        world
    }

    fn finish(&mut self, i: usize, call: Call, done: Done) {
        let process = &mut self.processes[i];
        process.call = None;
        match done {
            Done::Has(file) => process.has = Some(file),
            Done::Absent if process.role == Role::Either => process.absent = true,
            Done::Exists if process.role == Role::Either => process.absent = false,
            Done::Absent | Done::Exists | Done::Gone => (process.has, process.over) = (None, true),
            // Somebody else has the name now: it is looked at again, as in `open_or_create`.
            Done::Again if call == Call::Create => process.absent = false,
            Done::Again => {}
        }
    }

    /// What process `i` may begin.
    fn call_of(&self, i: usize) -> Option<Call> {
        let process = &self.processes[i];
        // Its time is up when all files are used: none is made then.
        let may_make = usize::from(self.kernel.made) < FILES;
        match (process.role, process.has) {
            (_, Some(file)) => Some(Call::Leave(file)),
            (Role::Creator, None) => may_make.then_some(Call::Create),
            (Role::Either, None) if process.absent => may_make.then_some(Call::Create),
            (Role::Either | Role::Opener, None) => Some(Call::Open),
            (Role::Child, None) => self.processes[0].has.map(Call::Inherit),
            (Role::Janitor, None) => self.kernel.name.map(|_| Call::Clear),
        }
    }

    fn kill(&self, i: usize) -> World {
        let mut next = self.clone();
        next.kills -= 1;
        next.processes[i].over = true;
        next.processes[i].call = None;
        next.processes[i].has = None;
        next.kernel.forget(i as u8, None);
        next
    }
}

struct Names;

impl Model for Names {
    type State = World;

    fn next(&self, world: &World, steps: &mut Vec<(String, World)>) {
        for (i, process) in world.processes.iter().enumerate().filter(|(_, process)| !process.over) {
            if world.kills > 0 && process.killable {
                steps.push((format!("{i} KILLED in {:?}", process.call), world.kill(i)));
            }
            let begun = process.call.clone();
            let Some((call, results)) = begun.or_else(|| Some((world.call_of(i)?, Vec::new()))) else {
                continue;
            };
            let label = format!("{i} {call:?}.{}", results.len());
            let next = world.step(i, call, results);
            steps.push((format!("{label}: {:?}", next.kernel), next));
        }
    }

    fn bad(&self, world: &World) -> Option<String> {
        if let Some(broken) = world.kernel.broken {
            return Some(broken.into());
        }
        for (i, process) in world.processes.iter().enumerate() {
            let Some(file) = process.has else { continue };
            if matches!(process.call, Some((Call::Leave(_), _))) {
                continue;
            }
            if world.kernel.name != Some(file) {
                return Some(format!("process {i} uses file {file}, the name is {:?}", world.kernel.name));
            }
        }
        None
    }

    fn stuck(&self, world: &World) -> Option<String> {
        // Who was not started for lack of files, or of a creator, is nobody's fault; a name without users is.
        world.kernel.name.map(|file| format!("the name of file {file} stays behind"))
    }

    fn must_end(&self) -> bool {
        true
    }
}

fn world(kills: u8, roles: &[Role]) -> World {
    let process = |role: &Role| Process {
        role: *role,
        has: None,
        absent: false,
        over: false,
        killable: *role != Role::Janitor,
        call: None,
    };
    let kernel =
        Kernel { name: None, made: 0, users: [0; FILES], gates: [None; FILES], company: 0, broken: None };
    World { kernel, processes: roles.iter().map(process).collect(), kills }
}

const LIMIT: usize = 4_000_000;

fn holds(name: &str, kills: u8, roles: &[Role]) {
    explore(&Names, world(kills, roles), LIMIT).expect_holds(name);
}

#[test]
fn the_last_one_takes_the_name_along() {
    holds("two that open or create", 0, &[Role::Either, Role::Either]);
    holds("a creator, two openers", 0, &[Role::Creator, Role::Opener, Role::Opener]);
}

#[test]
fn nothing_in_use_is_removed_and_nothing_stale_stays() {
    use Role::{Creator, Either, Janitor, Opener};
    holds("two that open or create, a janitor, two kills", 2, &[Either, Either, Janitor]);
    holds("three that open or create, a janitor, a kill", 1, &[Either, Either, Either, Janitor]);
    holds("two creators one after the other, an opener, a kill", 1, &[Creator, Creator, Opener, Janitor]);
    holds("a creator, two openers, a janitor, a kill", 1, &[Creator, Opener, Opener, Janitor]);
}

#[test]
fn a_child_that_is_given_the_file_keeps_the_name_or_learns_that_it_is_gone() {
    use Role::{Child, Creator, Either, Janitor, Opener};
    holds("a creator and its child, another, a kill", 1, &[Creator, Child, Either, Janitor]);
    holds("a creator and its child, an opener, two kills", 2, &[Creator, Child, Opener, Janitor]);
}

/// Every mutant makes some test above fail: they run again, each in a process of its own with the fault on.
#[test]
fn mutants_are_caught() {
    let kills = "nothing_in_use_is_removed_and_nothing_stale_stays";
    for (mutant, test) in [
        ("named.no_gate", kills),
        ("named.clears_any_file", kills),
        ("named.clears_used", kills),
        ("named.joins_outside", kills),
        ("named.enters_any_file", kills),
        ("named.enters_stale", kills),
        ("named.leaves_the_gate_open", "the_last_one_takes_the_name_along"),
    ] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env("PROCESSING_MUTANT", mutant)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("states seen"), "{mutant} was not noticed by {test}: {text}");
    }
}
