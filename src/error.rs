//! The error of every call that is not hot: what object, what went wrong, and the way out.

use std::borrow::Cow;
use std::fmt;

use crate::child_failed::ChildFailed;

/// `Result` with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The deadline of the call passed.
    Timeout,
    /// The object was closed, or nobody is left on the other side.
    Closed,
    /// The process on the other side died.
    PeerDied,
    /// There was nothing to take.
    Empty,
    /// There was no room.
    Full,
    /// The value is larger than the object or the arena can ever hold.
    TooLarge,
    /// The arena has no room for the value at present.
    OutOfMemory,
    /// The next message, the object or the argument is of another type.
    TypeMismatch,
    /// The caller's buffer is smaller than the message; see [`Error::into_message`].
    BufferTooShort,
    /// Bytes that do not form a value of the expected type.
    Corrupt,
    /// A region, file or descriptor that is not what it should be.
    InvalidRegion,
    /// A table of the region or a limit of the system is exhausted.
    Limit,
    /// There is nothing of that name.
    NotFound,
    /// There is something of that name already.
    AlreadyExists,
    /// The argument is not usable.
    InvalidInput,
    /// An index or a range beyond the end.
    OutOfRange,
    /// The call is not allowed in the object's present state.
    InvalidState,
    /// The call is not allowed in this process (a stranger's process, a forked child's handle).
    WrongProcess,
    /// The child ended with a panic or an error.
    ChildFailed,
    /// The owner of a lock died with it.
    OwnerDied,
    /// The owner of a lock died with it, and who inherited it gave up.
    Poisoned,
    /// The calling thread would wait for itself.
    Deadlock,
    /// The calling thread does not have what it wants to give back or to use.
    NotOwner,
    /// The wait was cancelled.
    Cancelled,
    /// The mechanism is missing on this system.
    Unsupported,
    /// The kernel refused a call; see [`Error::errno`].
    Os,
}

/// An error that names the object, the cause and the way out.
///
/// `Display` is one line: `object: what went wrong (errno text); hint`.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    object: Cow<'static, str>,
    what: Cow<'static, str>,
    hint: Cow<'static, str>,
    errno: Option<i32>,
    message: Option<Vec<u8>>,
    child: Option<ChildFailed>,
}

/// The process has no descriptor left. (Linux's numbers: models are built without the C library's.)
const EMFILE: i32 = 24;
/// The system has none left.
const ENFILE: i32 = 23;

impl Error {
    /// An error about `object` ("queue 7", "process greeter (pid 41)", "region").
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        object: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            object: object.into(),
            what: what.into(),
            hint: Cow::Borrowed(""),
            errno: None,
            message: None,
            child: None,
        }))
    }

    /// The kernel refused `call` on `object`.
    #[cold]
    pub(crate) fn os(
        object: impl Into<Cow<'static, str>>,
        call: &str,
        cause: impl Into<std::io::Error>,
    ) -> Self {
        let cause = cause.into();
        let mut error = Self::new(ErrorKind::Os, object, format!("{call} failed: {cause}"));
        error.0.errno = cause.raw_os_error();
        match error.0.errno {
            Some(EMFILE) => error
                .of_kind(ErrorKind::Limit)
                .hint("raise the limit of open files (ulimit -n), or close some"),
            Some(ENFILE) => error.of_kind(ErrorKind::Limit).hint("raise fs.file-max"),
            _ => error,
        }
    }

    /// Adds what the caller can do about it.
    #[cold]
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// Replaces what the error is about.
    #[cold]
    pub(crate) fn about(mut self, object: impl Into<Cow<'static, str>>) -> Self {
        self.0.object = object.into();
        self
    }

    /// Replaces the kind, keeping the text and the errno.
    #[cold]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// It says what this process, or the machine, is short of at present, and nothing about a message or an object.
    pub(crate) fn is_passing(&self) -> bool {
        use ErrorKind::{Limit, Os, OutOfMemory, Timeout, WrongProcess};
        matches!(self.kind(), Limit | OutOfMemory | WrongProcess | Timeout | Os)
    }

    /// Attaches the message that did not fit.
    #[cold]
    pub(crate) fn with_message(mut self, message: Vec<u8>) -> Self {
        self.0.message = Some(message);
        self
    }

    /// A child ended with a panic or an error.
    #[cold]
    pub(crate) fn child(child: ChildFailed) -> Self {
        let object = format!("process {} (pid {})", child.name, child.pid);
        let mut error = Self::new(ErrorKind::ChildFailed, object, child.message.clone());
        error.0.child = Some(child);
        error
    }

    /// The child that ended with a panic or an error: its name, pid, exit and message. For kind `ChildFailed`.
    pub fn child_failed(&self) -> Option<&ChildFailed> {
        self.0.child.as_ref()
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The kernel's error number, where the kernel was the cause.
    pub fn errno(&self) -> Option<i32> {
        self.0.errno
    }

    /// The deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// The object is closed, or the process on the other side is gone.
    pub fn is_closed(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Closed | ErrorKind::PeerDied)
    }

    /// There was nothing to take.
    pub fn is_empty(&self) -> bool {
        self.0.kind == ErrorKind::Empty
    }

    /// There is nothing of that name.
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// There is something of that name already.
    pub fn is_already_exists(&self) -> bool {
        self.0.kind == ErrorKind::AlreadyExists
    }

    /// There was no room.
    pub fn is_full(&self) -> bool {
        self.0.kind == ErrorKind::Full
    }

    /// The next message is of another type.
    pub fn is_type_mismatch(&self) -> bool {
        self.0.kind == ErrorKind::TypeMismatch
    }

    /// The caller's buffer was too small; [`into_message`](Self::into_message) has the bytes.
    pub fn is_buffer_too_short(&self) -> bool {
        self.0.kind == ErrorKind::BufferTooShort
    }

    /// The whole message of a `BufferTooShort`; empty for any other error.
    pub fn into_message(self) -> Vec<u8> {
        self.0.message.unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.object, self.0.what)?;
        if self.0.hint.is_empty() { Ok(()) } else { write!(f, "; {}", self.0.hint) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {}
