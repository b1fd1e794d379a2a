//! What a tape takes down beside the list while a program is recorded for replays.

use crate::error::Caller;
use crate::tensor::{TensorFloat, TensorVar};
use core::cell::{Cell, RefCell};
use core::panic::Location;
use std::sync::Arc;
use wengert_tensor::Tensor;

/// A question about a value.
pub(super) type Question<F> = Arc<dyn Fn(&Tensor<F>) -> bool + Send + Sync>;

/// A question put while recording, and its answer.
#[derive(Clone)]
pub(super) struct Asked<F: TensorFloat> {
    pub(super) of: u32,
    pub(super) question: Question<F>,
    pub(super) answer: bool,
    pub(super) caller: Caller,
}

/// Notes of one recording; nothing on a tape that is not recorded for replays.
pub(crate) struct Notes<F: TensorFloat> {
    taken: Cell<bool>,
    pub(super) reads: RefCell<Vec<(u32, Caller)>>,
    pub(super) asked: RefCell<Vec<Asked<F>>>,
    /// Where a derivative was taken first: pullbacks hold what they were recorded with, labels for one, as constants.
    pub(super) differentiated: Cell<Option<Caller>>,
    /// The lines of the ops, by node, in order.
    pub(super) callers: RefCell<Vec<(u32, Caller)>>,
}

impl<F: TensorFloat> Default for Notes<F> {
    fn default() -> Self {
        Notes {
            taken: Cell::new(false),
            reads: RefCell::default(),
            asked: RefCell::default(),
            differentiated: Cell::new(None),
            callers: RefCell::default(),
        }
    }
}

impl<F: TensorFloat> Notes<F> {
    /// Whether notes are taken: then constants' ops are recorded too, since their values may be exchanged.
    #[inline(always)]
    pub(crate) fn taken(&self) -> bool {
        self.taken.get()
    }

    pub(super) fn take(&self) {
        self.taken.set(true);
    }

    /// The value of a node is looked at from outside.
    #[inline]
    pub(crate) fn read(&self, number: u32, caller: Caller) {
        if self.taken() {
            self.reads.borrow_mut().push((number, caller));
        }
    }

    /// A derivative is taken on this tape; says whether that cannot be replayed.
    pub(crate) fn differentiate(&self, caller: Caller) -> bool {
        if self.taken() && self.differentiated.get().is_none() {
            self.differentiated.set(Some(caller));
        }
        self.taken()
    }

    /// An op is recorded.
    pub(crate) fn op(&self, number: u32, caller: Caller) {
        self.callers.borrow_mut().push((number, caller));
    }
}

impl<F: TensorFloat> TensorVar<'_, F> {
    /// Whether `question` is true of the value so far: for branches.
    ///
    /// The answer is part of a [recorded program](crate::TensorFunction): a replay asks again, and returns
    /// [`FunctionError::Holds`](crate::FunctionError::Holds) rather than go the wrong way.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// let mut f = TensorFunction::record(&[Tensor::from([3.0, 4.0])], |x| {
    ///     let norm = x[0].norm2();
    ///     if norm.holds(|norm| norm.item() > 1.0) { (x[0] / norm).sum() } else { x[0].sum() }
    /// })?;
    /// assert_eq!(f.value(&[Tensor::from([0.0, 5.0])])?.item(), 1.0);
    /// let error = f.value(&[Tensor::from([0.3, 0.4])]).unwrap_err();
    /// assert!(error.to_string().ends_with("the answer was true, now it is false; record again at this point"));
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[track_caller]
    pub fn holds(self, question: impl Fn(&Tensor<F>) -> bool + Send + Sync + 'static) -> bool {
        let answer = question(&self.peek());
        let notes = &self.tape().tensors.notes;
        if notes.taken() {
            let caller = Location::caller();
            let asked = Asked { of: self.number(), question: Arc::new(question), answer, caller };
            notes.asked.borrow_mut().push(asked);
        }
        answer
    }
}
