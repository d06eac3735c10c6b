//! `spawn`: a function call in another process.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::builder::ProcessBuilder;
use super::cargo::Cargo;
use super::handle::{Process, within};
use super::start_method::StartMethod;
use super::target::Target;
use super::{body, child::Child};
use crate::channel::codec;
use crate::channel::message::Message;
use crate::exit::Exit;
use crate::prim::limits::Limits;
use crate::sys::trampoline::Address;
use crate::{Error, ErrorKind, Result};

/// Calls `target` in a new process, as `std::thread::spawn` does in a new thread.
///
/// ```
/// # fn main() -> processing::Result<()> {
/// let sum = processing::spawn(|a: u64, b: u64| a + b, (1, 2))?;
/// assert_eq!(sum.join()?, 3);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`ProcessBuilder::start`].
pub fn spawn<F, A>(target: F, arguments: A) -> Result<JoinHandle<F::Output>>
where
    F: Target<A>,
    F::Output: Message,
    A: Cargo + Send,
{
    Builder::new().spawn(target, arguments)
}

/// [`spawn`] with a name, a start method, or as a daemon; as `std::thread::Builder`.
///
/// ```
/// # use processing::{Builder, StartMethod};
/// # fn main() -> processing::Result<()> {
/// let handle = Builder::new().name("adder").start_method(StartMethod::Spawn).spawn(|a: u64, b: u64| a + b, (1, 2))?;
/// assert_eq!(handle.join()?, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is started before spawn is called"]
pub struct Builder {
    name: Option<String>,
    daemon: Option<bool>,
    method: Option<StartMethod>,
}

impl Builder {
    /// A process like any other.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`ProcessBuilder::name`].
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As [`ProcessBuilder::daemon`].
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// As [`ProcessBuilder::start_method`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Calls `target` in a new process.
    ///
    /// # Errors
    /// As [`ProcessBuilder::start`].
    pub fn spawn<F, A>(self, target: F, arguments: A) -> Result<JoinHandle<F::Output>>
    where
        F: Target<A>,
        F::Output: Message,
        A: Cargo + Send,
    {
        let address = Address::of::<F, body::Compute<A>>(target);
        let mut builder = ProcessBuilder::new(address, move |seat| arguments.pack(seat));
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if let Some(daemon) = self.daemon {
            builder = builder.daemon(daemon);
        }
        if let Some(method) = self.method {
            builder = builder.start_method(method);
        }
        Ok(JoinHandle { process: builder.start()?, value: PhantomData })
    }
}

/// A process whose value is awaited; made by [`spawn`].
pub struct JoinHandle<R> {
    process: Process,
    value: PhantomData<fn() -> R>,
}

impl<R: Message> JoinHandle<R> {
    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits for its end; the value that its target returned. Any number of times.
    ///
    /// # Errors
    /// `ChildFailed` if it ended in any other way than by returning a value; `Corrupt` if the value is not
    /// one of its type.
    pub fn join(&self) -> Result<R> {
        let child = self.process.child("join")?;
        child.wait(&Limits::NONE)?;
        value(child)
    }

    /// As [`join`](Self::join), for at most `timeout`.
    ///
    /// # Errors
    /// Also `Timeout`.
    pub fn join_timeout(&self, timeout: Duration) -> Result<R> {
        let child = self.process.child("join")?;
        if child.wait(&within(timeout))? {
            return value(child);
        }
        Err(Error::new(ErrorKind::Timeout, child.object(), format!("it has not ended within {timeout:?}")))
    }

    /// As [`join`](Self::join), without waiting: `None` if it has not ended.
    ///
    /// # Errors
    /// As `join`.
    pub fn try_join(&self) -> Result<Option<R>> {
        let child = self.process.child("join")?;
        if child.wait(&Limits::TRY)? { value(child).map(Some) } else { Ok(None) }
    }
}

fn value<R: Message>(child: &Child) -> Result<R> {
    let Some(end) = child.end() else {
        return Err(Error::new(ErrorKind::WrongProcess, child.object(), "it belongs to another process"));
    };
    let exit = child.verdict(&end)?;
    match (&end.value, &end.unread) {
        (Some(bytes), _) if exit == Exit::Code(0) => codec::decode_anywhere(bytes),
        (_, Some(cause)) => {
            Err(child.failed(exit, format!("it has ended, and its value could not be received: {cause}")))
        }
        _ => Err(child.failed(exit, format!("it ended without returning a value ({exit})"))),
    }
}

impl<R> fmt::Debug for JoinHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.process, f)
    }
}
