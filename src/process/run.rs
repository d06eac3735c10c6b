//! In the child: from its orders to its end.

use std::any::Any;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::me::{self, Me};
use super::{outcome, panic_text, tree};
use crate::sys::boot_payload::BootPayload;
use crate::sys::exit;
use crate::sys::fdpass::Link;
use crate::sys::lifeline::{self, Held};
use crate::sys::trampoline::Address;
use crate::sys::verdict::Verdict;

/// How this process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As any program: what was registered for its exit runs.
    Whole,
    /// As a forked copy: what was registered for exit belongs to the parent and must not run here.
    Copy,
}

/// The private socket to the creator, while this process is a child; and what makes it end with its creator.
struct Ties {
    link: Arc<Link>,
    _lifeline: Held,
}

static TIES: Mutex<Option<Ties>> = Mutex::new(None);

/// Ties this process to its creator. Ends it at once if the creator is gone, or cannot be watched.
pub(crate) fn hold_lifeline(read_end: BorrowedFd<'_>, link: &Link) -> Held {
    match lifeline::hold(read_end) {
        Ok(Some(held)) => held,
        Ok(None) => exit::now(0),
        Err(error) => {
            // A child that nobody can be told about would be an orphan later.
            outcome::send_text(link, &format!("the lifeline to the creator could not be opened: {error}"));
            exit::now(1)
        }
    }
}

/// Runs the target and ends the process.
pub(crate) fn run(
    me: Me,
    address: Option<Address>,
    payload: BootPayload,
    link: Link,
    lifeline: Held,
    ending: Ending,
) -> ! {
    // The creator may have gone while SIGTERM could not yet be heard.
    if lifeline.broken() {
        exit::now(0);
    }
    let link = Arc::new(link);
    let name = me.name();
    me::become_child(me);
    *TIES.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Ties { link: Arc::clone(&link), _lifeline: lifeline });
    panic_text::install(ending == Ending::Copy);
    let code = match catch_unwind(AssertUnwindSafe(|| verdict(address, payload))) {
        Ok(verdict) => tell(&name, &link, verdict),
        Err(panic) => {
            outcome::send_text(&link, &panic_text::of(&*panic));
            forget_panic(panic);
            1
        }
    };
    end(code, ending)
}

fn verdict(address: Option<Address>, payload: BootPayload) -> Verdict {
    match address {
        Some(address) => address.call(payload),
        None => Verdict::Failed(
            "this executable is another build than its creator's: it was replaced while it ran".to_owned(),
        ),
    }
}

/// Tells the creator how the target ended. The exit code.
fn tell(name: &str, link: &Link, verdict: Verdict) -> i32 {
    let failed = match verdict {
        Verdict::Done => return 0,
        Verdict::Value(value) => match outcome::send_value(link, &value) {
            Ok(()) => return 0,
            Err(error) => format!("the value of {} bytes could not be sent: {error}", value.len()),
        },
        Verdict::Failed(text) => text,
    };
    outcome::send_text(link, &failed);
    // Not eprintln!, which panics when stderr is closed.
    let _ = writeln!(std::io::stderr(), "process {name} failed: {failed}");
    1
}

/// Dropping what a panic carried might panic again.
fn forget_panic(panic: Box<dyn Any + Send>) {
    std::mem::forget(panic);
}

fn end(code: i32, ending: Ending) -> ! {
    match ending {
        Ending::Whole => std::process::exit(code),
        Ending::Copy => {
            tree::finish();
            let _ = std::io::stdout().flush();
            exit::now(code)
        }
    }
}

/// The socket to the creator, if this process is a child.
pub(crate) fn link_to_creator() -> Option<Arc<Link>> {
    // Asked by the panic hook: whoever holds the lock for these few instructions cannot panic in them.
    TIES.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|ties| Arc::clone(&ties.link))
}

/// In a forked copy: what tied the parent to its creator does not tie this process.
pub(crate) fn cut_ties() {
    *TIES.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
