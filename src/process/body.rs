//! What a child does with its target, by what the parent wants to know of it.

use std::marker::PhantomData;

use super::cargo::Cargo;
use super::report::Report;
use super::target::Target;
use super::task::Task;
use crate::channel::codec;
use crate::channel::message::Message;
use crate::sys::boot_payload::BootPayload;
use crate::sys::trampoline::Body;
use crate::sys::verdict::Verdict;

/// A target with arguments `A`; what it returns is only good or bad.
pub(crate) struct Run<A>(PhantomData<A>);

impl<F, A> Body<F> for Run<A>
where
    F: Target<A>,
    F::Output: Report,
    A: Cargo,
{
    fn run(target: F, payload: BootPayload) -> Verdict {
        match A::unpack(payload) {
            Ok(arguments) => target.call(arguments).report(),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }
}

/// A target with arguments `A` whose value the parent wants.
pub(crate) struct Compute<A>(PhantomData<A>);

impl<F, A> Body<F> for Compute<A>
where
    F: Target<A>,
    F::Output: Message,
    A: Cargo,
{
    fn run(target: F, payload: BootPayload) -> Verdict {
        let value = match A::unpack(payload) {
            Ok(arguments) => target.call(arguments),
            Err(error) => return Verdict::Failed(error.to_string()),
        };
        match codec::encode(&value, <[u8]>::to_vec) {
            Ok(bytes) => Verdict::Value(bytes),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }
}

/// A task.
pub(crate) struct Perform<T>(PhantomData<T>);

impl<F: Copy, T: Task> Body<F> for Perform<T> {
    fn run(_target: F, payload: BootPayload) -> Verdict {
        match T::unpack(payload) {
            Ok(task) => task.run().report(),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }
}
