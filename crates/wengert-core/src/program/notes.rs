//! What a tape takes down beside the list while a program is recorded for replays.

use crate::error::Caller;
use crate::tensor::{TensorFloat, TensorVar};
use core::cell::{Cell, RefCell};
use core::panic::Location;
use std::sync::Arc;
use wengert_tensor::Tensor;

/// A question about a value.
pub(super) type Question<F> = Arc<dyn Fn(&Tensor<F>) -> bool + Send + Sync>;

/// A question put while recording, and its answer; `None` where a value is only shown, whatever is said of it.
#[derive(Clone)]
pub(super) struct Asked<F: TensorFloat> {
    pub(super) of: u32,
    pub(super) question: Question<F>,
    pub(super) answer: Option<bool>,
    pub(super) caller: Caller,
}

/// A value looked at while recording.
pub(super) struct Seen {
    pub(super) of: u32,
    pub(super) caller: Caller,
    /// Where an op hands out what a replay could not renew: that op, and the one that a replay follows.
    pub(super) instead: Option<[&'static str; 2]>,
}

/// Notes of one recording; nothing on a tape that is not recorded for replays.
pub(crate) struct Notes<F: TensorFloat> {
    taken: Cell<bool>,
    pub(super) reads: RefCell<Vec<Seen>>,
    pub(super) asked: RefCell<Vec<Asked<F>>>,
    /// Tensors that ops work with beside the tape.
    pub(super) beside: RefCell<Vec<(Tensor<i64>, &'static str, Caller)>>,
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
            beside: RefCell::default(),
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
        self.see(number, caller, None);
    }

    /// The value of a node is looked at by an op that hands out something beside its result; `instead` does not.
    pub(crate) fn hand_out(&self, number: u32, caller: Caller, op: &'static str, instead: &'static str) {
        self.see(number, caller, Some([op, instead]));
    }

    #[inline]
    fn see(&self, of: u32, caller: Caller, instead: Option<[&'static str; 2]>) {
        if self.taken() {
            self.reads.borrow_mut().push(Seen { of, caller, instead });
        }
    }

    /// An op works with labels beside the tape.
    pub(crate) fn beside(&self, op: &'static str, labels: &Tensor<i64>, caller: Caller) {
        if self.taken() {
            self.beside.borrow_mut().push((labels.clone(), op, caller));
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

    /// Forgets the lines of ops from node `len` on.
    pub(crate) fn truncate(&self, len: usize) {
        let mut callers = self.callers.borrow_mut();
        while callers.pop_if(|(number, _)| *number as usize >= len).is_some() {}
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
            let asked = Asked { of: self.number(), question: Arc::new(question), answer: Some(answer), caller };
            notes.asked.borrow_mut().push(asked);
        }
        answer
    }

    /// Shows the value to `look`: at once on a tape, and in every replay of a [recorded
    /// program](crate::TensorFunction), where it is not shown while recording.
    ///
    /// For what stands beside the computation: a part of a loss to be logged, statistics to be averaged. In a replay
    /// that fails what was shown before stays shown.
    ///
    /// # Examples
    /// ```
    /// # use wengert_core::{TensorFunction, prelude::*};
    /// # use wengert_tensor::Tensor;
    /// # use std::sync::{Arc, Mutex};
    /// let penalties = Arc::new(Mutex::new(Vec::new()));
    /// let log = Arc::clone(&penalties);
    /// let mut loss = TensorFunction::record(&[Tensor::from([3.0, 4.0])], |w| {
    ///     let penalty = w[0].square().sum();
    ///     penalty.watch(move |penalty| log.lock().expect("one thread").push(penalty.item()));
    ///     w[0].exp().sum() + penalty
    /// })?;
    /// loss.value(&[Tensor::from([1.0, 2.0])])?;
    /// loss.value_and_gradient(&[Tensor::from([0.0, 3.0])])?;
    /// assert_eq!(*penalties.lock().expect("one thread"), [5.0, 9.0]);
    /// # Ok::<(), wengert_core::FunctionError>(())
    /// ```
    #[track_caller]
    pub fn watch(self, look: impl Fn(&Tensor<F>) + Send + Sync + 'static) {
        let notes = &self.tape().tensors.notes;
        if !notes.taken() {
            return look(&self.peek());
        }
        let question = Arc::new(move |x: &Tensor<F>| {
            look(x);
            true
        });
        let asked = Asked { of: self.number(), question, answer: None, caller: Location::caller() };
        notes.asked.borrow_mut().push(asked);
    }
}
