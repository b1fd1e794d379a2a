//! The pictures in `docs/images` that the library draws, but for measured times, are the ones it draws today.

use wengert_core::{TensorFunction, UnaryFunctions};
use wengert_tensor::{Tensor, rng};

#[test]
fn the_training_step_in_the_readme_is_drawn_like_this() {
    let random = |shape: &[usize]| Tensor::<f64>::uniform(shape, -0.1, 0.1, &mut rng(1));
    let parameters = [random(&[784, 128]), random(&[128]), random(&[128, 10]), random(&[10])];
    let data = [random(&[32, 784]), random(&[32, 10])];
    let step = TensorFunction::record_with_data(&parameters, &data, |p, d| {
        let hidden = (d[0].matmul(p[0]) + p[1]).tanh();
        (hidden.matmul(p[2]) + p[3]).mse(d[1])
    });
    let drawn = step.unwrap().to_svg();
    let path = std::env::temp_dir().join("training_step.svg");
    // By lines: some systems check text files out with ends of lines of their own.
    if drawn.lines().ne(include_str!("../../docs/images/training_step.svg").lines()) {
        std::fs::write(&path, drawn).unwrap();
        panic!("docs/images/training_step.svg is out of date; look at {} and take it", path.display());
    }
}
