//! Mistakes the compiler catches: each block shows what compiles, then what must not.

/// A variable borrows its tape, so it cannot be used after `clear`.
///
/// ```
/// use wengert_core::prelude::*;
/// let mut tape = Tape::new();
/// let x = tape.var(1.0);
/// let y = x * x;
/// assert_eq!(y.gradient()[x], 2.0);
/// tape.clear();
/// ```
///
/// ```compile_fail,E0502
/// use wengert_core::prelude::*;
/// let mut tape = Tape::new();
/// let x = tape.var(1.0);
/// let y = x * x;
/// tape.clear();
/// assert_eq!(y.gradient()[x], 2.0);
/// ```
///
/// Nor after `rewind`:
///
/// ```compile_fail,E0502
/// use wengert_core::prelude::*;
/// let mut tape = Tape::new();
/// let mark = tape.mark();
/// let x = tape.var(1.0);
/// tape.rewind(mark);
/// let y = x * x;
/// ```
///
/// Nor a tensor:
///
/// ```compile_fail,E0502
/// use wengert_core::prelude::*;
/// let mut tape = Tape::new();
/// let x = tape.tensor([1.0]);
/// tape.clear();
/// let y = x + x;
/// ```
struct StaleVariable;

/// A variable does not outlive its tape.
///
/// ```compile_fail,E0597
/// use wengert_core::prelude::*;
/// let x;
/// {
///     let tape = Tape::new();
///     x = tape.var(1.0);
/// }
/// let y = x + 1.0;
/// ```
struct EscapedVariable;

/// A tape stays on its thread while variables of it are alive: recording is not synchronised.
///
/// ```compile_fail,E0277
/// use wengert_core::prelude::*;
/// let tape = Tape::new();
/// let x = tape.var(1.0);
/// std::thread::scope(|scope| {
///     scope.spawn(|| x * x);
/// });
/// ```
struct SharedTape;

/// The tape behind variables without a lifetime is found through the thread: it cannot move to another.
///
/// ```
/// use wengert_core::prelude::*;
/// let tape = RealTape::new();
/// let x = tape.var(1.0);
/// assert_eq!(std::thread::spawn(move || x.value()).join().unwrap(), 1.0);
/// ```
///
/// ```compile_fail,E0277
/// use wengert_core::prelude::*;
/// let tape = RealTape::new();
/// std::thread::spawn(move || tape.var(1.0));
/// ```
struct MovedTape;
