//! One scenario.

use processing::Message;
use processing::sync::kill;
use processing::testing::Ticket;

use crate::Outcome;
use crate::board::Board;
use crate::child::Child;
pub use crate::seen::Seen;
use crate::world::World;

/// Words of the board that the harness itself uses; cases use those from [`FREE`].
pub const DONE: usize = 0;
pub const POINTS: usize = 1;
pub const ARMED: usize = 2;
/// The first word for the case.
pub const FREE: usize = 8;

/// What happens to the victim, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    DiesAt(u64),
    StopsAt(u64),
    Lives,
}

/// In the victim: arms it, from the moment that matters.
pub struct Trigger {
    pub fate: Fate,
    pub board: Board,
}

impl Trigger {
    /// From here on the shared operations count.
    pub fn pull(&self) {
        self.board.set(ARMED, 1);
        match self.fate {
            Fate::DiesAt(k) => kill::arm(k),
            Fate::StopsAt(k) => kill::arm_stop(k),
            Fate::Lives => kill::arm(u64::MAX),
        }
    }

    /// The call has completed.
    pub fn release(&self) {
        let points = kill::disarm();
        if self.board.get(DONE) == 0 {
            self.board.set(POINTS, points);
            self.board.set(DONE, 1);
        }
    }
}

type Setup<S, A> = dyn Fn(&World) -> Outcome<(S, A)>;
type Act<A> = dyn Fn(&mut Ticket<A>, &Trigger, &World);
type During<S> = dyn Fn(&mut S, &Child) -> Outcome<()>;
type Meanwhile<S> = dyn Fn(&mut S) -> Outcome<()>;
type Check<S> = dyn Fn(S, Seen) -> Outcome<Option<bool>>;

/// One scenario: what a victim does, and what must come of it. `S` stays with the survivor, `A` goes to the victim.
pub struct Case<S, A: Message> {
    pub name: String,
    /// In the survivor: objects and messages.
    pub setup: Box<Setup<S, A>>,
    /// In the victim.
    pub act: Box<Act<A>>,
    /// In the survivor, while the victim runs.
    pub during: Option<Box<During<S>>>,
    /// In the survivor, while the victim is stopped: must return, and may fail only for lack of time.
    pub meanwhile: Option<Box<Meanwhile<S>>>,
    /// In the survivor, afterwards. `Some(e)`: whether the call took effect, which must go from no to yes once as k grows.
    pub check: Box<Check<S>>,
    /// At least so many shared operations are expected: fewer would mean that nothing is counted.
    pub least: u64,
    /// How many shared operations there are differs a little from run to run.
    pub wavers: bool,
    /// Nobody else works meanwhile: the arena is checked before anybody goes on.
    pub rests: bool,
    /// It can be stopped: it leaves no armed copy of itself behind, which would stop as well and be woken by nobody.
    pub stops: bool,
}

/// A case with a victim that takes its arguments first and is armed then.
pub fn case<S: 'static, A: Message>(
    name: impl Into<String>,
    setup: impl Fn(&World) -> Outcome<(S, A)> + 'static,
    act: impl Fn(A, &Trigger, &World) + 'static,
    check: impl Fn(S, Seen) -> Outcome<Option<bool>> + 'static,
) -> Case<S, A> {
    Case {
        name: name.into(),
        setup: Box::new(setup),
        act: Box::new(move |ticket, trigger, world| {
            let arguments = ticket.board().expect("the victim takes its arguments");
            act(arguments, trigger, world);
        }),
        during: None,
        meanwhile: None,
        check: Box::new(check),
        least: 1,
        wavers: false,
        rests: false,
        stops: true,
    }
}

impl<S, A: Message> Case<S, A> {
    pub fn during(mut self, f: impl Fn(&mut S, &Child) -> Outcome<()> + 'static) -> Self {
        self.during = Some(Box::new(f));
        self
    }

    pub fn meanwhile(mut self, f: impl Fn(&mut S) -> Outcome<()> + 'static) -> Self {
        self.meanwhile = Some(Box::new(f));
        self
    }

    pub fn least(mut self, points: u64) -> Self {
        self.least = points;
        self
    }

    pub fn never_stops(mut self) -> Self {
        self.stops = false;
        self
    }

    pub fn wavers(mut self) -> Self {
        self.wavers = true;
        self
    }
}
