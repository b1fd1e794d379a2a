//! Tangents on a tape: several outputs and directions, mixed orders, Jacobians in either mode, and what is refused. That the tangent of every
//! op is right is shown by `torch.rs`, against PyTorch, and by the check of rules in `wengert-core`.

use wengert_core::prelude::*;
use wengert_core::{Error, Tape, TensorVar, checkpoint_tensors};
use wengert_tensor::Tensor;

type Var<'t> = TensorVar<'t, f64>;

#[test]
fn one_pass_serves_several_outputs_and_directions() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.tensor([1.0, 2.0]), tape.tensor([[3.0, 4.0], [5.0, 6.0]]));
    let h = w.matmul(x); // [11, 17]
    let outputs = [h, h.square().sum(), x * 3.0, tape.constant_tensor([7.0, 7.0])];
    let (x_dot, w_dot) = (Tensor::from([1.0, -1.0]), Tensor::from([[0.0, 1.0], [0.0, 0.0]]));
    let tangents = tape.jvp_tensors(outputs, [(x, &x_dot), (w, &w_dot)]);
    // h_dot = w x_dot + w_dot x = [-1, -1] + [2, 0].
    assert_eq!(tangents[0].to_vec(), [1.0, -1.0]);
    assert_eq!(tangents[1].item(), 2.0 * (11.0 - 17.0));
    assert_eq!(tangents[2].to_vec(), [3.0, -3.0]);
    assert_eq!(tangents[3].to_vec(), [0.0, 0.0]);
    assert!(tape.jvp_tensors([], [(x, &x_dot)]).is_empty());
}

#[test]
fn an_intermediate_moves_by_itself_and_with_what_it_is_made_of() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([2.0, 3.0]);
    let h = x.square();
    let y = h * x;
    let (v, u) = (Tensor::from([1.0, 1.0]), Tensor::from([10.0, 0.0]));
    assert_eq!(y.jvp([h], [&u]).to_vec(), [20.0, 0.0]);
    // dy = x dh + h dx with dh = 2 x dx, and u on top.
    assert_eq!(y.jvp([x, h], [&v, &u]).to_vec(), [12.0 + 20.0, 27.0]);
    // The same variable twice: the directions add.
    assert_eq!(y.jvp([x, x], [&v, &v]).to_vec(), [24.0, 54.0]);
    assert_eq!(x.jvp([x], [&v]).to_vec(), [1.0, 1.0]);
    assert_eq!(x.jvp([y], [&v]).to_vec(), [0.0, 0.0]); // recorded later
}

#[test]
fn modes_nest_in_any_order() {
    // y = sum x^5: third derivatives 60 x^2 along a direction of ones, whichever way each is taken.
    let tape = Tape::<f64>::new();
    let x = tape.tensor([1.0, 2.0, -1.5]);
    let ones = tape.constant_tensor([1.0; 3]);
    let expected: Vec<f64> = x.value().iter().map(|x| 60.0 * x * x).collect();
    let y = x.powi(5);
    let forward = |y| TensorVar::recorded_jvp(y, [x], [ones]);
    let close = |got: &Tensor<f64>| got.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-13 * b.abs());
    assert!(close(&forward(forward(forward(y))).value()));
    assert!(close(&forward(forward(y)).sum().gradient()[x]));
    let [g] = forward(y).sum().recorded_gradient([x]);
    assert!(close(&g.jvp([x], [&Tensor::ones([3])])));
    let [g] = y.sum().recorded_gradient([x]);
    let [h] = g.sum().recorded_gradient([x]);
    assert!(close(&h.jvp([x], [&Tensor::ones([3])])));
}

#[test]
fn a_recorded_direction_is_differentiated_too() {
    // d/dv <c, J v> = c J.
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.tensor([0.3, 0.8]), tape.tensor([1.0, -2.0]));
    let y_dot = (x.sin() * x.sum()).recorded_jvp([x], [v]);
    let (s, sum) = (x.value().map(f64::sin), 1.1);
    let c = x.value().map(f64::cos);
    let g = y_dot.sum().gradient();
    for k in 0..2 {
        let expected = sum * c.at([k]) + s.at([0]) + s.at([1]);
        assert!((g[v].at([k]) - expected).abs() < 1e-15);
    }
}

#[test]
fn jacobians_are_the_same_in_either_mode() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([[1.0, 2.0, 3.0]]);
    // Two outputs of three inputs: rows by reverse mode. Four of three: columns by forward mode.
    let few = Var::stack(&[x.square().sum(), x.prod()], 0);
    assert_eq!(few.jacobian(x), Tensor::from([[[2.0, 4.0, 6.0]], [[6.0, 3.0, 2.0]]]));
    let many = Var::concat(&[x.square().reshape([3]), x.sum().reshape([1])], 0);
    let expected = [[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 6.0], [1.0, 1.0, 1.0]];
    assert_eq!(many.jacobian(x), Tensor::from(expected).reshape([4, 1, 3]));
    // Of an intermediate, of one number, of nothing, of what does not depend.
    let h = x.square();
    assert_eq!((h.sum() * 2.0).jacobian(h), Tensor::from([[2.0; 3]]));
    assert_eq!(x.sum().jacobian(x), Tensor::from([[1.0; 3]]));
    assert_eq!(*x.slice(1, 0..0).jacobian(x).shape(), [1, 0, 1, 3]);
    assert_eq!(tape.tensor([5.0]).jacobian(x), Tensor::zeros([1, 1, 3]));
    assert_eq!(h.jacobian(tape.tensor(1.0)), Tensor::zeros([1, 3]));
}

#[test]
fn a_tangent_of_zero_meets_infinite_slopes_as_zero() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([0.0, 4.0]);
    let v = Tensor::from([0.0, 1.0]);
    assert_eq!(x.sqrt().jvp([x], [&v]).to_vec(), [0.0, 0.25]);
    let zero = tape.constant_tensor(0.0);
    let guarded = TensorVar::select(x.greater(0.0), x.ln(), zero);
    assert_eq!(guarded.jvp([x], [&Tensor::ones([2])]).to_vec(), [0.0, 0.25]);
}

#[test]
fn mistakes_are_named_and_leave_nothing_on_the_tape() {
    let (tape, other) = (Tape::<f64>::new(), Tape::<f64>::new());
    let (x, foreign) = (tape.tensor([1.0, 2.0]), other.tensor([1.0, 2.0]));
    let y = x.square();
    let before = tape.size();
    let (right, wrong) = (Tensor::ones([2]), Tensor::ones([3]));
    let Err(error) = y.try_jvp([x], [&wrong]) else { panic!("a direction too long") };
    assert!(matches!(&error, Error::SeedShape { seed, output, .. } if **seed == [3] && **output == [2]), "{error}");
    assert!(error.to_string().contains("forward_mode.rs:"), "{error}");
    let Err(error) = y.try_jvp([foreign], [&right]) else { panic!("a variable of another tape") };
    assert!(matches!(error, Error::MixedTapes { op: "jvp", .. }), "{error}");
    let Err(error) = y.try_recorded_jvp([x], [foreign]) else { panic!("a direction of another tape") };
    assert!(matches!(error, Error::MixedTapes { op: "recorded_jvp", .. }), "{error}");
    let Err(error) = tape.try_jvp_tensors([foreign], [(x, &right)]) else { panic!("an output of another tape") };
    assert!(matches!(error, Error::MixedTapes { op: "jvp", .. }), "{error}");
    let Err(error) = y.try_jacobian(foreign) else { panic!("a variable of another tape") };
    assert!(matches!(error, Error::MixedTapes { op: "jacobian", .. }), "{error}");
    assert_eq!(tape.size(), before);
}

#[test]
fn only_what_leads_to_the_variable_is_recorded_of_its_gradient() {
    // The gradient in x needs no gradient in w: for every layer two products fewer in its derivative.
    let tape = Tape::<f64>::new();
    let x = tape.tensor(Tensor::ones([4, 8]));
    let w = tape.tensor(Tensor::full([8, 8], 0.1));
    let y = x.matmul(w).tanh().matmul(w).sum();
    let before = tape.listing().to_string().lines().count();
    let [_] = y.recorded_gradient([x]);
    let text = tape.listing().to_string();
    let products = text.lines().skip(before).filter(|line| line.contains("matmul")).count();
    assert_eq!(products, 2, "{text}");
}

#[test]
fn pieces_computed_twice_have_tangents() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.tensor([1.0, 2.0]), tape.tensor([3.0, -1.0]));
    let y = checkpoint_tensors(&[x, w], |v| (v[0] * v[1]).square());
    let (v, u) = (Tensor::from([1.0, 1.0]), Tensor::from([0.0, 2.0]));
    // y = (x w)^2 = [9, 4], y_dot = 2 x w (x_dot w + x w_dot).
    assert_eq!(y.jvp([x], [&v]).to_vec(), [18.0, 4.0]);
    assert_eq!(y.jvp([x, w], [&v, &u]).to_vec(), [18.0, -12.0]);
    let (v, u) = (tape.constant_tensor(v), tape.constant_tensor(u));
    assert_eq!(y.recorded_jvp([x, w], [v, u]).value().to_vec(), [18.0, -12.0]);
    assert_eq!(y.jacobian(x), Tensor::from([[18.0, 0.0], [0.0, 4.0]]));
}

#[test]
fn tensors_made_of_scalars_may_move_and_stand_by() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([1.0, 2.0]);
    let s = [tape.var(3.0), tape.var(4.0)];
    let p = tape.pack(&s); // made after x, of scalars that do not hang on it
    let y = x.square() * p;
    let ones = Tensor::ones([2]);
    assert_eq!(y.jvp([x], [&ones]).to_vec(), [6.0, 16.0]);
    assert_eq!(y.jvp([p], [&ones]).to_vec(), [1.0, 4.0]);
    assert_eq!(y.jacobian(p), Tensor::from([[1.0, 0.0], [0.0, 4.0]]));
    assert_eq!(y.sum().jacobian(p), Tensor::from([1.0, 4.0]));
    let [g] = y.sum().recorded_gradient([p]);
    assert_eq!(g.value().to_vec(), [1.0, 4.0]);
}

#[test]
fn a_jacobian_leaves_its_variable_as_it_was() {
    let tape = Tape::<f64>::new();
    let x = tape.tensor([1.0, 2.0, 3.0]);
    let h = x.square();
    let y = h.sum();
    assert_eq!(y.jacobian(h).to_vec(), [1.0; 3]);
    let gradients = y.gradient();
    assert!(gradients.get_tensor(h).is_none() && gradients.get_tensor(x).is_some());
}

#[test]
fn a_gradient_in_an_intermediate_records_nothing_of_what_it_is_made_of() {
    fn recorded(tape: &Tape<f64>, h: Var<'_>) -> usize {
        let y = h.square().sum();
        let before = tape.size().tensors;
        let [_] = y.recorded_gradient([h]);
        tape.size().tensors - before
    }
    let (one, other) = (Tape::<f64>::new(), Tape::<f64>::new());
    let made = one.tensor([1.0, 2.0]).exp();
    assert_eq!(recorded(&one, made), recorded(&other, other.tensor([1.0, 2.0])));
}
