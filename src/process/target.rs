//! What can be the target of a process.

/// A function of the arguments `A`: a `fn` item or a closure that captures nothing, of up to eight arguments.
/// Implemented by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the target of a process with the arguments `{A}`",
    note = "a target is a `fn` item or a closure that captures nothing, and takes the members of the tuple of arguments"
)]
pub trait Target<A>: Copy + 'static {
    /// What it returns.
    type Output;
    #[doc(hidden)]
    fn call(self, arguments: A) -> Self::Output;
}

macro_rules! targets {
    ($(($($name:ident),*))*) => {$(
        impl<F, R, $($name),*> Target<($($name,)*)> for F
        where
            F: Fn($($name),*) -> R + Copy + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, clippy::unused_unit, reason = "one macro for all lengths")]
            fn call(self, ($($name,)*): ($($name,)*)) -> R {
                self($($name),*)
            }
        }
    )*};
}

targets! {
    ()
    (A1)
    (A1, A2)
    (A1, A2, A3)
    (A1, A2, A3, A4)
    (A1, A2, A3, A4, A5)
    (A1, A2, A3, A4, A5, A6)
    (A1, A2, A3, A4, A5, A6, A7)
    (A1, A2, A3, A4, A5, A6, A7, A8)
}
