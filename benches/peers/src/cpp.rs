//! The tapes of `cpp/`, which know the programs by number.

use crate::workloads::{Asian, Gmm, Logistic, Lorenz, Lstm, Program, Rosenbrock};
use core::ffi::c_int;
use core::marker::PhantomData;
use wengert::prelude::*;

/// A program that `cpp/programs.hpp` has too.
pub trait InCpp: Program {
    /// Its number there.
    const NUMBER: c_int;
    /// What it reads besides its point.
    fn data(&self) -> Vec<&[f64]>;
}

macro_rules! in_cpp {
    ($($number:literal $P:ty: |$program:ident| [$($data:expr),*];)*) => { $(
        impl InCpp for $P {
            const NUMBER: c_int = $number;
            fn data(&self) -> Vec<&[f64]> {
                let $program = self;
                vec![$(&$data[..]),*]
            }
        }
    )* };
}
in_cpp! {
    1 Gmm: |gmm| [gmm.points];
    3 Lstm: |lstm| [lstm.state, lstm.sequence];
    5 Rosenbrock: |_x| [];
    7 Asian: |asian| [asian.shocks];
    8 Lorenz: |_p| [];
    9 Logistic: |logistic| [slice(&logistic.x), slice(&logistic.y)];
}

fn slice(x: &Tensor<f64>) -> &[f64] {
    x.as_slice().expect("made in one piece")
}

/// `Task` of `cpp/programs.hpp`.
#[repr(C)]
struct RawTask {
    program: c_int,
    x: *const f64,
    n: usize,
    data: *const *const f64,
}

/// A program and its point, as C++ sees them.
pub struct Task<'a> {
    raw: RawTask,
    /// What `raw` points at.
    _pointers: Vec<*const f64>,
    _borrowed: PhantomData<&'a [f64]>,
}

impl<'a> Task<'a> {
    pub fn new<P: InCpp>(program: &'a P, x: &'a [f64]) -> Self {
        let pointers: Vec<_> = program.data().into_iter().map(<[f64]>::as_ptr).collect();
        let raw = RawTask { program: P::NUMBER, x: x.as_ptr(), n: x.len(), data: pointers.as_ptr() };
        Task { raw, _pointers: pointers, _borrowed: PhantomData }
    }

    /// The value on plain numbers; none without C++.
    pub fn value(&self) -> Option<f64> {
        #[cfg(feature = "cpp")]
        // SAFETY: the point and the data are borrowed for the life of `self`, and as long as the program expects.
        return Some(unsafe { plain_value(&self.raw) });
        #[cfg(not(feature = "cpp"))]
        None
    }
}

/// A way to the gradient in C++.
pub struct Tape {
    pub name: &'static str,
    /// Records the program for all gradients to come, where it is not recorded for each.
    record: Option<unsafe extern "C" fn(&RawTask)>,
    gradient: unsafe extern "C" fn(&RawTask, *mut f64),
}

impl Tape {
    /// Does it replay what was recorded before?
    pub fn replays(&self) -> bool {
        self.record.is_some()
    }

    /// Records a task, where that is not done for each gradient. Other tasks are forgotten.
    pub fn record(&self, task: &Task) {
        if let Some(record) = self.record {
            // SAFETY: as in `Task::value`; this program has one thread.
            unsafe { record(&task.raw) }
        }
    }

    /// The gradient of the task last recorded, or of any where there is nothing to record before.
    pub fn gradient(&self, task: &Task, gradient: &mut [f64]) {
        assert_eq!(gradient.len(), task.raw.n);
        // SAFETY: as in `Task::value`, and the gradient has a place for each number of the point.
        unsafe { (self.gradient)(&task.raw, gradient.as_mut_ptr()) }
    }
}

macro_rules! tapes {
    ($($cfg:ident $name:literal: [$($record:ident)?] $gradient:ident;)*) => {
        unsafe extern "C" {
            #[cfg(feature = "cpp")]
            fn plain_value(task: &RawTask) -> f64;
            $(
                $(
                    #[cfg($cfg)]
                    fn $record(task: &RawTask);
                )?
                #[cfg($cfg)]
                fn $gradient(task: &RawTask, gradient: *mut f64);
            )*
        }

        /// Those that were found when this was built.
        pub const TAPES: &[Tape] = &[$(
            #[cfg($cfg)]
            Tape { name: $name, record: tapes!(@record $($record)?), gradient: $gradient },
        )*];
    };
    (@record) => { None };
    (@record $record:ident) => { Some($record) };
}
tapes! {
    cppad "CppAD": [] cppad_gradient;
    stan "Stan Math": [] stan_gradient;
    stan "Stan Math, richer": [] stan_gradient_richer;
    adolc "ADOL-C": [] adolc_gradient;
    cppad "CppAD": [cppad_record] cppad_replay;
    cppad "CppAD, optimized": [cppad_record_optimized] cppad_replay_optimized;
    adolc "ADOL-C": [adolc_record] adolc_replay;
}
