//! One scenario: what a victim does, and what must come of it.

use processing::Message;
use processing_kill_tests::Outcome;
use processing_kill_tests::board::Board;
use processing_kill_tests::seen::Seen;
use processing_kill_tests::world::World;

use crate::os::{Mark, mark};

/// Where a victim writes what it got; the first words are the harness's own.
const TOLD: usize = 8;

/// In the victim: where the call begins and ends.
#[derive(Clone, Copy)]
pub struct Stage {
    pub board: Board,
}

impl Stage {
    /// From here to [`end`](Self::end) every instruction counts.
    #[inline(always)]
    pub fn begin(&self) {
        mark(Mark::Begin);
    }

    #[inline(always)]
    pub fn end(&self) {
        mark(Mark::End);
    }

    /// Says what it got; after the end.
    pub fn tell(&self, value: u64) {
        self.board.set(TOLD, value);
    }
}

/// What a victim has told; zero if nothing.
pub fn told(seen: &Seen) -> u64 {
    seen.board.get(TOLD)
}

type Setup<S, A> = dyn Fn(&World) -> Outcome<(S, A)>;
type Act<A> = dyn Fn(A, &Stage, &World);
type Beside<S> = dyn Fn(&mut S) -> Outcome<()>;
type Check<S> = dyn Fn(S, Seen) -> Outcome<Option<bool>>;

/// One scenario. `S` stays with the survivor, `A` goes to the victim.
pub struct Case<S, A: Message> {
    pub name: String,
    /// In the survivor: objects and messages.
    pub setup: Box<Setup<S, A>>,
    /// In the victim. It ends with all that it has: what must not be dropped is forgotten there.
    pub act: Box<Act<A>>,
    /// In the survivor, while the victim stands still: others come to no harm.
    pub beside: Option<Box<Beside<S>>>,
    /// In the survivor, afterwards. `Some(e)`: whether the call took effect, which must go from no to yes once.
    pub check: Box<Check<S>>,
    /// It does not change the region at all when it runs undisturbed.
    pub only_looks: bool,
}

pub fn case<S: 'static, A: Message>(
    name: impl Into<String>,
    setup: impl Fn(&World) -> Outcome<(S, A)> + 'static,
    act: impl Fn(A, &Stage, &World) + 'static,
    check: impl Fn(S, Seen) -> Outcome<Option<bool>> + 'static,
) -> Case<S, A> {
    Case {
        name: name.into(),
        setup: Box::new(setup),
        act: Box::new(act),
        beside: None,
        check: Box::new(check),
        only_looks: false,
    }
}

impl<S, A: Message> Case<S, A> {
    pub fn beside(mut self, f: impl Fn(&mut S) -> Outcome<()> + 'static) -> Self {
        self.beside = Some(Box::new(f));
        self
    }

    pub fn only_looks(mut self) -> Self {
        self.only_looks = true;
        self
    }
}
