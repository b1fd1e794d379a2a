//! What training and prediction ask of the allocator: nothing once they run, and no memory that grows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wengert_core::Tape;
use wengert_nn::{Adam, Layer, Linear, Mode, Optimizer, Predictor, Sequential, Sgd, Tanh, loss};
use wengert_tensor::{Tensor, pool, rng};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Counts this thread's requests.
struct Counting;

#[expect(unsafe_code, reason = "the trait is unsafe to implement; every call goes to the system's allocator unchanged")]
// SAFETY: the system's allocator, and a counter that does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn requests(f: impl FnOnce()) -> usize {
    let before = CALLS.get();
    f();
    CALLS.get() - before
}

fn network() -> Sequential {
    let mut rng = rng(0);
    Sequential::new()
        .with(Linear::new(2, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 16, &mut rng))
        .with(Tanh)
        .with(Linear::new(16, 1, &mut rng))
}

#[test]
fn a_training_step_allocates_nothing_once_it_runs() {
    let x = Tensor::<f32>::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let target = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    let optimizers: [Box<dyn Optimizer>; 3] =
        [Box::new(Sgd::new(0.1)), Box::new(Sgd::new(0.1).momentum(0.9)), Box::new(Adam::new(0.01))];
    for mut optimizer in optimizers {
        let (mut model, mut tape) = (network(), Tape::new());
        let mut step = || {
            let gradients = {
                let y = model.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap();
                loss::mse(y, &target).unwrap().gradient()
            };
            tape.clear();
            optimizer.step(&mut model, &gradients).unwrap();
        };
        for _ in 0..10 {
            step();
        }
        let requests = requests(|| {
            for _ in 0..100 {
                step();
            }
        });
        assert_eq!(requests, 0, "requests in 100 steps");
    }
}

#[test]
fn predictions_run_in_flat_memory() {
    let model = network();
    let x = Tensor::<f32>::uniform([8, 2], -1.0, 1.0, &mut rng(1));
    let mut predictor = Predictor::new(&model);
    let expected = predictor.predict(&x).unwrap();
    predictor.predict(&x).unwrap();
    let held = pool::stats();
    let requests = requests(|| {
        for _ in 0..100_000 {
            assert_eq!(predictor.predict(&x).unwrap(), expected);
        }
    });
    assert_eq!(requests, 0, "requests in 1e5 predictions");
    assert_eq!(pool::stats().misses, held.misses, "buffers that were not recycled");
    // Without a predictor there is a tape for each call, and no more memory either.
    let before = pool::stats();
    for _ in 0..1000 {
        model.predict(&x).unwrap();
    }
    assert_eq!(pool::stats().misses, before.misses);
}
