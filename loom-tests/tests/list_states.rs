//! A list (`data/list`) state by state: a process is killed before each store of each change, its heirs before each store of their
//! repair, and whoever tears the list down before each of its frees.
//!
//! What runs is [`List`] itself, over words that from some store on have no effect. Whoever changes the list has its lock, so that nothing need come
//! between its stores but the reaper, who frees what is PRIVATE or DYING of the dead. A freed block is another's at once, who
//! fills it with what does most harm: names of the list's own blocks. What readers see meanwhile is checked by `list_loom`.
#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};

use processing::GetError;
use processing::data::list::memory::{Fresh, Memory};
use processing::data::list::{List, element};
use processing::layout::block_place::{BlockPlace, Named};
use processing::layout::list::ListWords;
use processing::prim::words::Word;
use processing::sync::atomic::Ordering;
use processing_loom_tests::deep;

/// Words of each block: as many as a spine takes.
const ROOM: usize = 46;
/// Blocks that there are.
const BLOCKS: usize = 40;
/// Who does not die.
const SURVIVOR: u8 = 9;

thread_local! {
    /// Operations that the process still makes.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Whether the next operation has an effect.
fn lives() -> bool {
    LEFT.with(|left| {
        let now = left.get();
        left.set(now.saturating_sub(1));
        now > 0
    })
}

#[derive(Default, Debug)]
struct Cellular(Cell<u64>);

impl Word for Cellular {
    fn load(&self, _: Ordering) -> u64 {
        self.0.get()
    }
    fn store(&self, value: u64, _: Ordering) {
        if lives() {
            self.0.set(value);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Own {
    Free,
    Private(u8),
    Value,
    Dying(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// root, version, swap, new, old, index
    control: [u64; 6],
    owns: Vec<(Own, u64)>,
    words: Vec<Vec<u64>>,
}

/// A state in the hands of a process.
struct Machine {
    me: u8,
    control: ListWords<Cellular>,
    owns: RefCell<Vec<(Own, u64)>>,
    words: Vec<Vec<Cellular>>,
}

/// A block that goes with its owner, if that lives.
struct Private<'a> {
    machine: &'a Machine,
    index: usize,
    stays: bool,
}

impl Drop for Private<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.machine.change(self.index, Own::Dying(self.machine.me));
            self.machine.change(self.index, Own::Free);
        }
    }
}

impl Machine {
    fn new(state: &State, me: u8) -> Self {
        let control = ListWords::<Cellular>::default();
        let [root, version, swap, new, old, index] = state.control;
        let words = [
            (&control.root, root),
            (&control.version, version),
            (&control.swap, swap),
            (&control.set_new, new),
            (&control.set_old, old),
            (&control.set_index, index),
        ];
        words.into_iter().for_each(|(word, value)| word.0.set(value));
        let cells = |block: &Vec<u64>| block.iter().map(|word| Cellular(Cell::new(*word))).collect();
        let words = state.words.iter().map(cells).collect();
        Self { me, control, owns: RefCell::new(state.owns.clone()), words }
    }

    fn state(&self) -> State {
        let control = &self.control;
        let words = [
            &control.root,
            &control.version,
            &control.swap,
            &control.set_new,
            &control.set_old,
            &control.set_index,
        ];
        let control = words.map(|word| word.0.get());
        let words = self.words.iter().map(|block| block.iter().map(|word| word.0.get()).collect()).collect();
        State { control, owns: self.owns.borrow().clone(), words }
    }

    fn change(&self, index: usize, own: Own) {
        if lives() {
            self.owns.borrow_mut()[index].0 = own;
            if own == Own::Free {
                scribble(&mut self.owns.borrow_mut(), index, |i, value| self.words[index][i].0.set(value));
            }
        }
    }

    fn find(&self, place: BlockPlace) -> Option<usize> {
        let index = usize::try_from(place.offset() / 64).ok()?.checked_sub(1)?;
        (index < BLOCKS).then_some(index)
    }

    fn own(&self, place: BlockPlace) -> Option<Own> {
        let (own, generation) = self.owns.borrow()[self.find(place)?];
        place.block().is_of(generation).then_some(own)
    }
}

/// Names of the blocks of the list, for who gets a free one.
fn scribble(owns: &mut [(Own, u64)], index: usize, mut set: impl FnMut(usize, u64)) {
    let place = |i: usize, generation| BlockPlace::new(Named::new(64 * (i as u64 + 1), generation), false).0;
    let named: Vec<u64> = (0..BLOCKS)
        .filter(|i| owns[*i].0 == Own::Value)
        .map(|i| place(i, owns[i].1))
        .chain([u64::MAX])
        .collect();
    for i in 0..ROOM {
        set(i, named[(i + index) % named.len()]);
    }
}

impl<'a> Memory for &'a Machine {
    type Word = Cellular;
    type Private = Private<'a>;

    fn control(&self) -> &ListWords<Cellular> {
        &self.control
    }
    fn words(&self, place: BlockPlace, count: u64) -> Option<&[Cellular]> {
        self.words[self.find(place)?].get(..usize::try_from(count).ok()?)
    }
    fn alloc(&self, words: u64) -> processing::Result<Private<'a>> {
        assert!(words as usize <= ROOM);
        let free = self.owns.borrow().iter().position(|(own, _)| *own == Own::Free);
        match free {
            Some(index) if lives() => {
                let own = &mut self.owns.borrow_mut()[index];
                *own = (Own::Private(self.me), own.1 + 1);
                Ok(Private { machine: self, index, stays: false })
            }
            Some(_) => Err(GetError::Empty.into()),
            None => panic!("the model has too few blocks"),
        }
    }
    fn place(&self, block: &Private<'a>) -> BlockPlace {
        BlockPlace::new(Named::new(64 * (block.index as u64 + 1), self.owns.borrow()[block.index].1), false)
    }
    fn make_value(&self, mut block: Private<'a>) {
        block.stays = true;
        self.change(block.index, Own::Value);
    }
    fn is_value(&self, place: BlockPlace) -> bool {
        self.own(place) == Some(Own::Value)
    }
    fn free(&self, place: BlockPlace) {
        if let (Some(Own::Value), Some(index)) = (self.own(place), self.find(place)) {
            self.change(index, Own::Dying(self.me));
            self.change(index, Own::Free);
        }
    }
}

/// What a process does.
#[derive(Clone, Debug)]
enum Job {
    Push(u64),
    Extend(Vec<u64>),
    Pop,
    Truncate(u64),
    Set(u64, u64),
    Replace(u64, u64, Vec<u64>),
    Reverse,
}

use Job::*;

struct Model {
    boxed: bool,
}

impl Model {
    fn list<'a, 'm>(&self, memory: &'a &'m Machine) -> List<'a, &'m Machine> {
        List::new(memory, self.boxed)
    }

    /// An element as it is to be in the list.
    fn make<'m>(&self, machine: &&'m Machine, value: u64) -> processing::Result<(u64, Option<Private<'m>>)> {
        if !self.boxed {
            return Ok((value, None));
        }
        let block = machine.alloc(2)?;
        let place = machine.place(&block);
        let words = machine.words(place, 2).expect("a block");
        element::write(words, &value.to_ne_bytes())?;
        Ok((place.0, Some(block)))
    }

    fn fresh<'m>(&self, machine: &&'m Machine, values: &[u64]) -> processing::Result<Fresh<Private<'m>>> {
        let mut new = Fresh::default();
        for value in values {
            let (word, block) = self.make(machine, *value)?;
            new.push(word, block);
        }
        Ok(new)
    }

    /// Errors are those of a process that is dead.
    fn work(&self, machine: &&Machine, job: &Job) -> processing::Result<()> {
        let list = self.list(machine);
        match job {
            // Values take the short ways first, as `SharedList` does.
            Push(value) if !self.boxed && list.push_value(*value) => Ok(()),
            Push(value) => {
                let (word, block) = self.make(machine, *value)?;
                list.push(word, block)
            }
            Extend(values) => list.append(self.fresh(machine, values)?),
            Pop => list.pop(),
            Truncate(to) => list.truncate(*to),
            Set(index, value) if !self.boxed && list.set_value(*index, *value).is_some() => Ok(()),
            Set(index, value) => {
                let (word, block) = self.make(machine, *value)?;
                list.set(*index, word, block)
            }
            Replace(from, to, values) => list.replace(*from..*to, self.fresh(machine, values)?),
            Reverse => {
                let words = (0..list.len()).rev().map(|i| list.word(i).expect("there"));
                list.arrange(0, words.collect())
            }
        }
    }

    /// What the job makes of a vector.
    fn expected(&self, before: &[u64], job: &Job) -> Vec<u64> {
        let mut all = before.to_vec();
        match job {
            Push(value) => all.push(*value),
            Extend(values) => all.extend(values),
            Pop => drop(all.pop()),
            Truncate(to) => all.truncate(*to as usize),
            Set(index, value) => all[*index as usize] = *value,
            Replace(from, to, values) => {
                all.splice(*from as usize..*to as usize, values.iter().copied());
            }
            Reverse => all.reverse(),
        }
        all
    }

    fn content(&self, machine: &&Machine) -> Result<Vec<u64>, String> {
        let list = self.list(machine);
        (0..list.len())
            .map(|i| {
                let word = list.word(i).ok_or(format!("element {i} is nowhere"))?;
                if !self.boxed {
                    return Ok(word);
                }
                if !machine.is_value(BlockPlace(word)) {
                    return Err(format!("element {i} is {:?}", machine.own(BlockPlace(word))));
                }
                Ok(machine.words(BlockPlace(word), 2).expect("a block")[1].0.get())
            })
            .collect()
    }

    /// Runs `f` as `me` with so many operations: the state after it, and how many of them were left.
    fn run(&self, state: &State, me: u8, left: u64, f: impl FnOnce(&&Machine)) -> (State, u64) {
        let machine = Machine::new(state, me);
        LEFT.set(left);
        f(&&machine);
        let rest = LEFT.replace(u64::MAX);
        (machine.state(), rest)
    }

    fn start(&self, values: &[u64]) -> State {
        let empty = State {
            control: [0; 6],
            owns: vec![(Own::Free, 0); BLOCKS],
            words: vec![vec![u64::MAX; ROOM]; BLOCKS],
        };
        let (state, _) = self.run(&empty, SURVIVOR, u64::MAX, |machine| {
            for value in values {
                self.work(machine, &Push(*value)).expect("push");
            }
        });
        // What is free was another's before.
        let mut state = state;
        for index in (0..BLOCKS).filter(|index| state.owns[*index].0 == Own::Free).collect::<Vec<_>>() {
            let State { owns, words, .. } = &mut state;
            scribble(owns, index, |i, value| words[index][i] = value);
        }
        state
    }

    /// All that it leads to is there, also while what a dead one was doing waits for its heir.
    fn leads_on(&self, state: &State, settled: bool) -> Result<(), String> {
        let machine = &Machine::new(state, SURVIVOR);
        let mut astray = None;
        self.list(&machine).astray(settled, &mut |place| astray = Some(place));
        astray.map_or(Ok(()), |place| Err(format!("it leads to {place:?}, which is not there")))
    }

    /// Its blocks, exactly those that say so, each once and leaves first; nothing of anybody's.
    fn whole(&self, state: &State) -> Result<(), String> {
        let machine = &Machine::new(state, SURVIVOR);
        let mut named = Vec::new();
        self.list(&machine).each_block(&mut |place| named.push(place));
        let set: HashSet<BlockPlace> = named.iter().copied().collect();
        if set.len() != named.len() {
            return Err("a block is named twice".into());
        }
        let values = state.owns.iter().filter(|(own, _)| *own == Own::Value).count();
        if values != named.len() {
            return Err(format!("{values} blocks are content, {} are named", named.len()));
        }
        Ok(())
    }

    /// After repair: the content of before or after, nothing besides, and the list goes on.
    fn sound(&self, state: &State, before: &[u64], after: &[u64]) -> Result<(), String> {
        let (settled, _) = self.run(state, SURVIVOR, u64::MAX, |machine| self.list(machine).settle());
        let machine = &Machine::new(&settled, SURVIVOR);
        let content = self.content(&machine)?;
        if content != before && content != after {
            return Err(format!("{content:?}, and not {before:?} or {after:?}"));
        }
        self.leads_on(state, false)?;
        self.leads_on(&settled, true)?;
        self.whole(&settled)?;
        if settled.control[2] != 0 || settled.control[3] != 0 {
            return Err("a record was left".into());
        }
        if settled.control[1] == state.control[1] {
            return Err("an heir raised no version".into());
        }
        let own = |own: &Own| matches!(own, Own::Private(SURVIVOR) | Own::Dying(SURVIVOR));
        if let Some(block) = settled.owns.iter().position(|(state, _)| own(state)) {
            return Err(format!("block {block} is the heir's own"));
        }
        let jobs = [Extend(vec![91, 92, 93]), Replace(0, 1.min(content.len() as u64), vec![94]), Pop];
        let mut same = content.clone();
        let (later, _) = self.run(&settled, SURVIVOR, u64::MAX, |machine| {
            for job in &jobs {
                same = self.expected(&same, job);
                self.work(machine, job).expect("it goes on");
            }
        });
        let machine = &Machine::new(&later, SURVIVOR);
        if self.content(&machine)? != same {
            return Err(format!("{:?}, and not {same:?} after {jobs:?}", self.content(&machine)?));
        }
        self.whole(&later)
    }

    /// The list goes with what it was doing: whoever frees it dies before each of its steps, too.
    fn goes(&self, state: &State) -> Result<(), String> {
        let tear_down = |machine: &&Machine| {
            self.list(machine).each_block(&mut |place| machine.free(place));
        };
        for left in 0.. {
            let (half, rest) = self.run(state, 5, left, tear_down);
            let half = reaped(&half, 5);
            let (gone, _) = self.run(&half, SURVIVOR, u64::MAX, tear_down);
            if let Some(left) = gone.owns.iter().position(|(own, _)| *own != Own::Free) {
                return Err(format!("block {left} is left of the list: {:?}", gone.owns[left]));
            }
            if rest > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Kills the job at each operation, and its heirs at each of theirs.
    fn check(&self, values: &[u64], job: &Job) -> Result<usize, String> {
        let start = self.start(values);
        let before = values.to_vec();
        let after = self.expected(values, job);
        let mut seen = HashSet::new();
        let mut work = VecDeque::new();
        for left in 0.. {
            let (state, rest) = self.run(&start, 1, left, |machine| drop(self.work(machine, job)));
            work.push_back((state, vec![1], format!("dead after {left}")));
            if rest > 0 {
                let done = work.back().expect("just now").0.clone();
                let content = self.content(&&Machine::new(&done, SURVIVOR))?;
                if content != after {
                    return Err(format!("{job:?} made {content:?} of {before:?}"));
                }
                self.whole(&done)?;
                break;
            }
        }
        let heirs: u8 = if deep() { 3 } else { 2 };
        while let Some((state, dead, how)) = work.pop_front() {
            if !seen.insert((state.clone(), dead.clone())) {
                continue;
            }
            let wrong = |what: String| format!("{what}: {job:?} on {before:?}, {how}");
            // All that died are cleared away, or the heirs came first.
            let clear = dead.iter().fold(state.clone(), |state, who| reaped(&state, *who));
            self.whole(&clear).map_err(|what| wrong(format!("at rest: {what}")))?;
            self.sound(&clear, &before, &after).map_err(wrong)?;
            self.goes(&clear).map_err(wrong)?;
            let (settled, _) = self.run(&state, SURVIVOR, u64::MAX, |machine| self.list(machine).settle());
            let late = dead.iter().fold(settled, |state, who| reaped(&state, *who));
            self.sound(&late, &before, &after).map_err(|what| wrong(format!("reaped late: {what}")))?;
            if dead.len() > usize::from(heirs) {
                continue;
            }
            let me = dead.len() as u8 + 1;
            for left in 0.. {
                let (next, rest) = self.run(&state, me, left, |machine| self.list(machine).settle());
                if rest > 0 {
                    break;
                }
                let how = format!("{how}, an heir after {left}");
                let mut all = dead.clone();
                all.push(me);
                work.push_back((next.clone(), all, how.clone()));
                let cleared = dead.iter().fold(next, |state, who| reaped(&state, *who));
                work.push_back((
                    cleared,
                    vec![me; dead.len() + 1],
                    format!("{how}, the dead before it cleared away"),
                ));
            }
        }
        Ok(seen.len())
    }

    #[track_caller]
    fn holds(&self, values: impl IntoIterator<Item = u64>, job: Job) {
        let values: Vec<u64> = values.into_iter().collect();
        match self.check(&values, &job) {
            Ok(states) => {
                println!("{job:?} on {} elements, boxed {}: {states} states", values.len(), self.boxed)
            }
            Err(what) => panic!("{what}"),
        }
    }
}

/// What is PRIVATE or DYING of the dead is freed, and another's.
fn reaped(state: &State, dead: u8) -> State {
    let mut state = state.clone();
    for index in 0..BLOCKS {
        if matches!(state.owns[index].0, Own::Private(who) | Own::Dying(who) if who == dead) {
            state.owns[index].0 = Own::Free;
            let State { owns, words, .. } = &mut state;
            scribble(owns, index, |i, value| words[index][i] = value);
        }
    }
    state
}

const BLOCKY: Model = Model { boxed: true };
const VALUES: Model = Model { boxed: false };

#[test]
fn push_and_extend() {
    BLOCKY.holds(0..2, Push(7));
    BLOCKY.holds(0..8, Push(7)); // another segment
    BLOCKY.holds(0..7, Extend(vec![7, 8, 9]));
    BLOCKY.holds([], Extend(vec![7, 8]));
    VALUES.holds([], Push(7));
    VALUES.holds(0..2, Push(7));
    VALUES.holds(0..7, Extend(vec![7, 8, 9]));
}

#[test]
fn pop_and_truncate() {
    BLOCKY.holds(0..1, Pop);
    BLOCKY.holds(0..3, Pop);
    BLOCKY.holds(0..9, Pop);
    BLOCKY.holds(0..4, Truncate(1));
    BLOCKY.holds(0..10, Truncate(7));
    BLOCKY.holds(0..3, Truncate(0));
    VALUES.holds(0..9, Pop);
    VALUES.holds(0..25, Truncate(2));
}

#[test]
fn set() {
    BLOCKY.holds(0..3, Set(1, 7));
    BLOCKY.holds(0..9, Set(8, 7));
    VALUES.holds(0..3, Set(1, 7));
}

#[test]
fn insert_remove_and_the_rest() {
    BLOCKY.holds(0..2, Replace(0, 0, vec![7]));
    BLOCKY.holds(0..3, Replace(1, 2, vec![]));
    BLOCKY.holds(0..9, Replace(8, 9, vec![7, 8]));
    BLOCKY.holds(0..8, Replace(1, 3, vec![7, 8, 9]));
    BLOCKY.holds(0..3, Replace(0, 3, vec![]));
    BLOCKY.holds(0..3, Reverse);
    VALUES.holds(0..9, Replace(8, 8, vec![7, 8]));
    VALUES.holds(0..9, Replace(0, 2, vec![]));
    VALUES.holds(0..3, Reverse);
}
