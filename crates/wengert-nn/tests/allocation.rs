//! What training, prediction and replayed functions ask of the allocator: nothing once they run, and no memory that grows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wengert_core::{Function, Tape};
use wengert_nn::{Adam, Layer, Linear, Mode, Optimizer, Predictor, RecordedLoss, Sequential, Sgd, Tanh, loss};
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

/// 2-16-16-1 with tanh.
fn network(bias: bool) -> Sequential {
    let mut rng = rng(0);
    let mut linear = |inputs, outputs| {
        let layer = Linear::new(inputs, outputs, &mut rng);
        if bias { layer } else { layer.without_bias() }
    };
    Sequential::new().with(linear(2, 16)).with(Tanh).with(linear(16, 16)).with(Tanh).with(linear(16, 1))
}

/// Requests in a hundred steps of training, the first ten left out.
fn requests_of_steps(mut model: Sequential, mut optimizer: impl Optimizer) -> usize {
    let x = Tensor::<f32>::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let target = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    let mut tape = Tape::new();
    let mut step = || {
        let gradients = {
            let y = model.forward(tape.constant_tensor(&x), &mut Mode::Eval).unwrap();
            loss::mse(y, &target).unwrap().gradient()
        };
        tape.clear();
        optimizer.step(&mut model, &gradients).unwrap();
    };
    (0..10).for_each(|_| step());
    requests(|| (0..100).for_each(|_| step()))
}

#[test]
fn a_training_step_allocates_nothing_once_it_runs() {
    assert_eq!(requests_of_steps(network(false), Sgd::new(0.1)), 0);
    assert_eq!(requests_of_steps(network(false), Sgd::new(0.1).momentum(0.9)), 0);
    assert_eq!(requests_of_steps(network(false), Adam::new(0.01)), 0);
}

#[test]
fn nor_does_one_with_biases() {
    assert_eq!(requests_of_steps(network(true), Adam::new(0.01)), 0);
}

#[test]
fn nor_does_a_recorded_one() {
    let x = Tensor::<f32>::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let target = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    let (mut model, mut optimizer) = (network(true), Adam::new(0.01));
    let mut loss = RecordedLoss::record(&model, &x, &target, loss::mse).unwrap();
    let mut step = || {
        let (_, gradients) = loss.value_and_gradients(&model, &x, &target).unwrap();
        optimizer.step(&mut model, &gradients).unwrap();
    };
    (0..10).for_each(|_| step());
    assert_eq!(requests(|| (0..100).for_each(|_| step())), 0);
}

#[test]
fn predictions_run_in_flat_memory() {
    let model = network(true);
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

#[test]
fn nor_do_replays_of_a_function_and_of_its_hessian() {
    let x: Vec<f64> = (0..20).map(|k| f64::from(k).sin()).collect();
    let f = Function::record(&x, |x| x.windows(2).map(|x| (x[1] - x[0] * x[0]) * (x[1] * 100.0 - 1.0)).sum()).unwrap();
    let mut hessian = f.sparse_hessian_program().unwrap();
    let mut gradient = vec![0.0; 20];
    let mut replay = || {
        f.gradient_into(&x, &mut gradient).unwrap();
        assert_eq!(hessian.at(&x).unwrap().values.len(), 58);
    };
    replay();
    assert_eq!(requests(|| (0..100).for_each(|_| replay())), 0);
}
