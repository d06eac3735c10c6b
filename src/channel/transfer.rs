//! Handles inside values: while a value is serialised, its handles report themselves here; while it is
//! deserialised, they are found here.
//!
//! An archive holds only the index of a handle; the references themselves travel in the message's block,
//! where the arena counts them and a reaper finds them.

use std::cell::RefCell;
use std::sync::Arc;

use super::connection::PipeBody;
use super::kind;
use crate::arena::ObjectRef;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::packet_socket::PacketSocket;

/// Which part of an object a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The object itself.
    Whole,
    /// One end of a pipe, which has one owner at a time.
    End(u8),
}

impl Part {
    pub(crate) fn to_tag(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::End(end) => 1 + u32::from(end),
        }
    }

    pub(crate) fn from_tag(tag: u32) -> Self {
        match tag {
            1 => Self::End(0),
            2 => Self::End(1),
            _ => Self::Whole,
        }
    }
}

/// A handle on its way out of, or into, this process.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) object: ObjectRef,
    pub(crate) part: Part,
    /// What the end of a pipe over sockets has besides; it travels beside the object.
    pub(crate) socket: Option<Arc<PacketSocket>>,
}

impl Child {
    /// The object itself.
    pub(crate) fn whole(object: ObjectRef) -> Self {
        Self { object, part: Part::Whole, socket: None }
    }

    /// Whether a [`socket`](Self::socket) belongs to it.
    pub(crate) fn needs_socket(&self) -> bool {
        self.part != Part::Whole && self.object.kind() == kind::SOCKET_PIPE
    }

    /// It arrived, and nothing was made of it. The end of a pipe is this process's all the same: nobody will use it.
    fn not_taken(self) {
        if let Part::End(end) = self.part
            && let (Ok(me), Ok(pipe)) = (self.object.arena().me(), PipeBody::of(&self.object))
        {
            pipe.close(end, me);
        }
    }
}

thread_local! {
    static OUT: RefCell<Option<Vec<Child>>> = const { RefCell::new(None) };
    static IN: RefCell<Vec<Option<Child>>> = const { RefCell::new(Vec::new()) };
    /// See [`noted`].
    static SHORT: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// While it lives, values that this thread serialises may contain handles.
pub(crate) struct Scope {
    outer: Option<Vec<Child>>,
}

impl Scope {
    pub(crate) fn open() -> Self {
        // Without the list (in the destructor of a thread-local value) a handle is refused, and all else is fine.
        Self { outer: OUT.try_with(|out| out.replace(Some(Vec::new()))).ok().flatten() }
    }

    /// The handles that were serialised since.
    pub(crate) fn take(&self) -> Vec<Child> {
        let taken = OUT.try_with(|out| out.borrow_mut().as_mut().map(std::mem::take));
        taken.ok().flatten().unwrap_or_default()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let _ = OUT.try_with(|out| out.replace(outer));
    }
}

/// Called by a handle that is being serialised; its index in the message.
pub(crate) fn export(child: Child) -> Result<u32> {
    let index = OUT.try_with(|out| {
        let mut out = out.borrow_mut();
        let children = out.as_mut()?;
        children.push(child);
        Some(children.len() as u32 - 1)
    });
    match index {
        Ok(Some(index)) => Ok(index),
        Ok(None) => Err(Error::new(
            ErrorKind::InvalidInput,
            "handle",
            "handles travel only in queue messages and process arguments",
        )
        .hint("send it with Queue::put or give it to Process::new")),
        Err(_) => Err(ending()),
    }
}

#[cold]
fn ending() -> Error {
    Error::new(
        ErrorKind::InvalidState,
        "handle",
        "the thread is ending, and handles do not travel from it any more",
    )
    .hint("exchange handles before the destructors of thread-local values run")
}

/// What came of making a handle that is being deserialised. Where that failed for lack of something in this process, the value's own
/// deserialisation can say so in words only, as if the message were wrong: so the error is kept for [`provide`].
pub(crate) fn noted<H>(made: Result<H>) -> Result<H> {
    made.inspect_err(|error| {
        if error.is_passing() {
            let copy = Error::new(error.kind(), "handle", error.to_string());
            let _ = SHORT.try_with(|short| short.replace(Some(copy)));
        }
    })
}

/// Runs `f`, which deserialises one value, with the message's handles at hand. If it fails for a handle that this process could not
/// make, the error is that one's.
pub(crate) fn provide<T>(children: Vec<Child>, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = SHORT.try_with(RefCell::take).ok().flatten();
    let answer = provide_only(children, f);
    let short = SHORT.try_with(|short| short.replace(outer)).ok().flatten();
    answer.map_err(|error| short.unwrap_or(error))
}

fn provide_only<R>(children: Vec<Child>, f: impl FnOnce() -> R) -> R {
    struct Restore(Vec<Option<Child>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let outer = std::mem::take(&mut self.0);
            // Without the list they were never in it, and `provide` has kept them.
            let left = IN.try_with(|list| list.replace(outer)).unwrap_or_default();
            left.into_iter().flatten().for_each(Child::not_taken);
        }
    }
    let mut children: Vec<_> = children.into_iter().map(Some).collect();
    let outer = IN.try_with(|list| list.replace(std::mem::take(&mut children))).unwrap_or_default();
    let _outer = Restore(outer);
    let answer = f();
    // Empty, unless the thread is ending.
    children.into_iter().flatten().for_each(Child::not_taken);
    answer
}

/// Called by a handle that is being deserialised.
pub(crate) fn import(index: u32) -> Result<Child> {
    let child = IN.try_with(|list| list.borrow_mut().get_mut(index as usize).and_then(Option::take));
    child.map_err(|_| ending())?.ok_or_else(|| {
        Error::new(
            ErrorKind::Corrupt,
            "handle",
            format!("the message has no handle number {index}, or it was taken already"),
        )
    })
}
