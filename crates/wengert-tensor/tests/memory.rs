//! What the pool says of the memory of all tensors. A process of its own: other tests' tensors would count.

use wengert_tensor::{Tensor, pool};

#[test]
fn allocated_memory_and_its_peak_are_those_of_the_tensors_alive() {
    const MB: usize = 1_000_000;
    let near = |bytes: usize, want: usize| bytes >= want && bytes < want + want / 8;
    let tensor = || Tensor::<f32>::zeros([1000, 1000]);
    let three = [tensor(), tensor(), tensor()];
    assert!(near(pool::stats().allocated, 12 * MB), "{:?}", pool::stats());
    drop(three);
    assert!(near(pool::stats().allocated, 12 * MB), "idle memory counts: {:?}", pool::stats());
    // Served from what lies idle.
    let two = [tensor(), tensor()];
    pool::trim();
    assert!(near(pool::stats().allocated, 8 * MB), "{:?}", pool::stats());
    assert!(near(pool::stats().peak, 12 * MB), "{:?}", pool::stats());
    pool::reset_peak();
    assert!(near(pool::stats().peak, 8 * MB), "{:?}", pool::stats());
    let third = std::thread::spawn(tensor).join().expect("no panic");
    assert!(near(pool::stats().peak, 12 * MB), "another thread's: {:?}", pool::stats());
    drop((two, third));
    pool::trim();
    assert_eq!(pool::stats().allocated, 0);
}
