//! From a target's type to an address that another process of the same executable can call.
//!
//! A target is a `fn` item or a closure that captures nothing: a value of size zero, all of whose meaning
//! is its type. For each such type the compiler makes one `land` function; its place in the executable is
//! what the parent sends, and the child calls it there.
//!
//! # Safety
//!
//! - *Making a target out of nothing*: `land::<F, B>` reads an `F` of size zero. Its address leaves this
//!   module only through [`Address::of`], which takes a value of `F`, so that `F` has values, and `F: Copy`
//!   allows a second one.
//! - *Calling an address*: [`Address::locate`] is given only what a parent of the same program sent over the
//!   private socket between the two, and checks that the build is the same and that the place is code.
#![allow(unsafe_code)]

use super::boot_payload::BootPayload;
use super::image;
use super::verdict::Verdict;

/// What to do with a target of type `F` and its packed arguments.
pub trait Body<F> {
    fn run(target: F, payload: BootPayload) -> Verdict;
}

type Landing = fn(BootPayload) -> Verdict;

/// The place of a target's landing function, callable in this process.
#[derive(Clone, Copy)]
pub struct Address(Landing);

impl Address {
    /// The landing of `target`.
    ///
    /// A target that has a size is refused when the program is built.
    pub fn of<F: Copy + 'static, B: Body<F> + 'static>(_target: F) -> Self {
        const {
            assert!(
                size_of::<F>() == 0,
                "the target of a process must be a `fn` item or a closure that captures nothing: \
                 the new process shares no memory with this one, so pass what it needs as arguments, \
                 `Process::new(|x: u64| .., (x,))`"
            );
        }
        Self(land::<F, B>)
    }

    /// Where the landing lies, for another process of the same build: which image, and how far into it.
    pub fn place(self) -> Option<image::Place> {
        image::place_of(self.0 as usize)
    }

    /// The landing at `place` of the parent, in this process. `None`: this is another build.
    pub fn locate(place: image::Place) -> Option<Self> {
        let address = image::address_of(place)?;
        // SAFETY: see the module; `address_of` gives only addresses in executable segments of the same build.
        Some(Self(unsafe { core::mem::transmute::<usize, Landing>(address) }))
    }

    /// Runs the target. Unwinds if it panics.
    pub fn call(self, payload: BootPayload) -> Verdict {
        (self.0)(payload)
    }
}

/// The code that runs in the child: one for each type of target.
fn land<F: Copy + 'static, B: Body<F>>(payload: BootPayload) -> Verdict {
    // SAFETY: `Address::of` asserts the size and has seen a value of this type; see the module.
    let target = unsafe { core::ptr::NonNull::<F>::dangling().read() };
    B::run(target, payload)
}
