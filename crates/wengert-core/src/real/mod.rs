//! The variable without a lifetime.
//!
//! A [`Var`](crate::Var) borrows its tape: using it wrongly does not compile. Code that was written for plain numbers
//! often cannot take a type with a lifetime; `nalgebra` demands `'static + Send + Sync` of its matrix elements. For
//! such code there is [`Real`]: the same engine, with a tag in place of the borrow, checked when it runs. It costs up
//! to a fifth more.
//!
//! [`RealTape`] records; [`grad`], [`value_and_grad`], [`jacobian`], [`hvp`] and [`hessian`] are the transforms of
//! [`transform`](crate::transform) over this kind of variable.

mod desk;
mod handle;
mod tape;
mod transform;

pub(crate) use desk::Tag;
pub use desk::Threaded;
pub use handle::{OnThread, Real};
pub use tape::RealTape;
pub use transform::{
    grad, hessian, hvp, jacobian, try_grad, try_hessian, try_hvp, try_jacobian, try_value_and_grad, value_and_grad,
};
