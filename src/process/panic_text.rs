//! The text of a panic on its way from the panic hook to the creator.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use super::{me, outcome, run};

/// The last panic of this process: whose, and what it said.
static LAST: Mutex<Option<(ThreadId, String)>> = Mutex::new(None);

/// Has panics of this process shown with its name, and their text kept. In a forked copy, the hook of the
/// parent is called, too.
pub(crate) fn install(copy: bool) {
    static ONCE: Once = Once::new(); // also done in a copy of a process that did it
    ONCE.call_once(|| {
        let before = copy.then(panic::take_hook);
        panic::set_hook(Box::new(move |info| {
            let name = me::me().name();
            note(info);
            match &before {
                Some(before) => {
                    let _ = writeln!(std::io::stderr(), "process {name}:");
                    before(info);
                }
                None => show(&name, info),
            }
        }));
    });
}

/// The text of a panic that ended the target.
pub(crate) fn of(payload: &(dyn Any + Send)) -> String {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    match last {
        Some((thread, text)) if thread == thread::current().id() => text,
        // Resumed by hand, or thrown without the hook.
        _ => format!("panicked: {}", message(payload)),
    }
}

fn note(info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut text = format!("panicked{place}: {message}");
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if cannot_unwind(message) {
        if let Some((_, cause)) = last.as_ref().filter(|(thread, _)| *thread == thread::current().id()) {
            text = format!("{cause}; then {text}");
        }
        tell_at_once(&text);
    } else if cfg!(panic = "abort") {
        tell_at_once(&text);
    }
    *last = Some((thread::current().id(), text));
}

/// The process aborts when the hook returns: these are the standard library's own words for it.
fn cannot_unwind(message: &str) -> bool {
    message.starts_with("panic in a destructor during cleanup")
        || message.starts_with("panic in a function that cannot unwind")
        || message.starts_with("unsafe precondition(s) violated")
}

fn tell_at_once(text: &str) {
    if let Some(link) = run::link_to_creator() {
        outcome::send_text(&link, text);
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(a value that is no text)")
}

/// As the standard library does, with the process in place of its main thread.
fn show(name: &str, info: &PanicHookInfo<'_>) {
    let thread = thread::current().name().map(|thread| format!(", thread '{thread}',")).unwrap_or_default();
    let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let mut text = format!("\nprocess '{name}'{thread} panicked{place}:\n{}\n", message(info.payload()));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("stack backtrace:\n{trace}\n"));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
