//! The tables of elementary functions on operands of every layout and size, broadcast on the left, on the right and on both
//! sides, against the reference to second order; and which of equal elements an expanded operand's gradient goes to.

use crate::reference::{OF_TWO, Point, allowed, is_provided, points};
use crate::torch::{Var, relaid};
use crate::ulp::Misses;
use wengert_core::{Binary, BinaryFunctions, Parametric, Tape, Unary};
use wengert_tensor::{Shape, Tensor};

fn column(points: &[Point], of: impl Fn(&Point) -> f64) -> Tensor<f64> {
    points.iter().map(of).collect()
}

/// Compares a function of one argument at all its points, twice each, in every layout.
fn compare_one(misses: &mut Misses, name: &str, key: &str, f: impl for<'t> Fn(Var<'t>) -> Var<'t>) {
    let points = points(key, 1);
    let twice = column(&points, |point| point.arguments[0]).broadcast_to([2, points.len()]).to_contiguous();
    // The first point alone too, with no axes, and with axes of one entry.
    let first = Tensor::scalar(points[0].arguments[0]);
    let mut operands = relaid(&twice);
    operands.extend([
        ("no axes", first.clone()),
        ("one element", first.reshape([1])),
        ("1 x 1", first.reshape([1, 1])),
    ]);
    for (layout, x) in operands {
        let tape = Tape::<f64>::new();
        let x = tape.tensor(&x);
        let y = f(x);
        let u = tape.tensor(Tensor::ones(y.shape()));
        let fused = y.vjp(&u.value())[x].clone();
        let [recorded] = (y * u).sum().recorded_gradient([x]);
        let gradient = recorded.sum().gradient();
        let ways = [
            ("value", 0, &y.value()),
            ("pullback", 1, &fused),
            ("recorded pullback", 1, &recorded.value()),
            ("Jacobian's product", 1, &gradient[u]),
            ("second order", 2, &gradient[x]),
        ];
        for (way, order, got) in ways {
            assert_eq!(got.shape(), &x.shape(), "{key}, {layout}, {way}");
            for (got, point) in got.iter().zip(points.iter().cycle()) {
                let what = || format!("{key}({:e}), {way}, {layout}", point.arguments[0]);
                misses.compare(what, got, point.results[order], point.units[order], allowed(name)[order]);
            }
        }
    }
}

#[test]
fn rows_of_one_argument_agree_with_the_reference_in_every_layout() {
    let mut misses = Misses::default();
    for &op in Unary::ALL {
        compare_one(&mut misses, op.name(), op.name(), |x| op.eval(x));
    }
    for &op in Parametric::SAMPLES {
        compare_one(&mut misses, op.name(), &format!("{op:?}"), |x| op.eval(x));
    }
    misses.assert_none();
}

/// Which side is repeated, operands with a point in every column, and how often each element of them meets the other's.
type Sided = (&'static str, [Tensor<f64>; 2], [f64; 2]);

fn broadcast(points: &[Point]) -> Vec<Sided> {
    let n = points.len();
    let a = |shape: Shape| column(points, |point| point.arguments[0]).broadcast_to(shape).to_contiguous();
    let b = |shape: Shape| column(points, |point| point.arguments[1]).broadcast_to(shape).to_contiguous();
    let pairs = [
        ("left", Shape::from([n]), Shape::from([2, n]), [2.0, 1.0]),
        ("right", Shape::from([2, n]), Shape::from([1, n]), [1.0, 2.0]),
        ("both", Shape::from([2, 1, n]), Shape::from([2, n]), [2.0, 2.0]),
    ];
    let mut all: Vec<_> = pairs.into_iter().map(|(side, p, q, times)| (side, [a(p), b(q)], times)).collect();
    let [first_a, first_b] = [0, 1].map(|k| Tensor::scalar(points[0].arguments[k]));
    all.push(("one point, left", [first_a.clone(), first_b.broadcast_to([2, 1])], [2.0, 1.0]));
    all.push(("one point, right", [first_a.broadcast_to([1, 2]), first_b.clone()], [1.0, 2.0]));
    all.push(("one point, no axes", [first_a.clone(), first_b.clone()], [1.0, 1.0]));
    all.push(("one point, one element", [first_a.reshape([1]), first_b.reshape([1, 1])], [1.0, 1.0]));
    all
}

#[test]
fn rows_of_two_arguments_agree_with_the_reference_broadcast_on_every_side_in_every_layout() {
    let mut misses = Misses::default();
    for &op in Binary::ALL {
        let points = points(op.name(), 2);
        for (side, [a, b], [times_a, times_b]) in broadcast(&points) {
            let (left, right) = (relaid(&a), relaid(&b));
            for k in 0..left.len().max(right.len()) {
                let ((layout, a), (_, b)) = (&left[k % left.len()], &right[(k + 1) % right.len()]);
                let tape = Tape::<f64>::new();
                let (a, b) = (tape.tensor(a), tape.tensor(b));
                let y = op.eval(a, b);
                let fused = y.vjp(&Tensor::ones(y.shape()));
                let [p, q] = y.sum().recorded_gradient([a, b]);
                let (by_a, by_b) = (p.sum().gradient(), q.sum().gradient());
                // Exact multiples: an element meets one or two of the other operand's, all equal.
                let ways = [
                    ("value", 0, &y.value(), 1.0),
                    ("pullback", 1, &fused[a], times_a),
                    ("pullback", 2, &fused[b], times_b),
                    ("recorded pullback", 1, &p.value(), times_a),
                    ("recorded pullback", 2, &q.value(), times_b),
                    ("second order", 3, &by_a[a], times_a),
                    ("second order", 4, &by_a[b], times_b),
                    ("second order", 4, &by_b[a], times_a),
                    ("second order", 5, &by_b[b], times_b),
                ];
                // One point repeated, or all in order.
                let points = if side.starts_with("one point") { &points[..1] } else { &points[..] };
                for (way, result, got, times) in ways {
                    let (which, order) = OF_TWO[result];
                    if !is_provided(op.name(), result) {
                        continue;
                    }
                    for (got, point) in got.iter().zip(points.iter().cycle()) {
                        let (want, unit) = (point.results[result] * times, point.units[result] * times);
                        let at = &point.arguments;
                        let what =
                            || format!("{}({:e}, {:e}), {which}, {way}, {side}, {layout}", op.name(), at[0], at[1]);
                        misses.compare(what, got, want, unit, allowed(op.name())[order]);
                    }
                }
            }
        }
    }
    misses.assert_none();
}

#[test]
fn rows_of_nothing_give_nothing_and_gradients_of_their_shape() {
    let none = |shape: &[usize]| Tensor::<f64>::zeros(shape);
    let check = |name: &str, y: Var<'_>, shape: &[usize], x: &[Var<'_>]| {
        assert_eq!(y.shape()[..], *shape, "{name}");
        for &x in x {
            let [x_bar] = y.sum().recorded_gradient([x]);
            assert_eq!(y.sum().gradient()[x], Tensor::zeros(x.shape()), "{name}");
            assert_eq!(x_bar.value(), Tensor::zeros(x.shape()), "{name}");
            assert_eq!(
                x_bar.sum().gradient().get_tensor(x).unwrap_or(&x_bar.value()),
                &Tensor::zeros(x.shape()),
                "{name}"
            );
        }
    };
    let tape = Tape::<f64>::new();
    for shape in [&[0][..], &[2, 0], &[0, 3]] {
        for &op in Unary::ALL {
            let x = tape.tensor(none(shape));
            check(op.name(), op.eval(x), shape, &[x]);
        }
        for &op in Parametric::SAMPLES {
            let x = tape.tensor(none(shape));
            check(op.name(), op.eval(x), shape, &[x]);
        }
    }
    for (a, b, shape) in
        [(&[0][..], &[][..], &[0][..]), (&[1], &[0, 1], &[0, 1]), (&[3], &[0, 3], &[0, 3]), (&[0, 1], &[3], &[0, 3])]
    {
        for &op in Binary::ALL {
            let (x, y) = (tape.tensor(Tensor::full(a, 0.5)), tape.tensor(Tensor::full(b, 0.5)));
            check(op.name(), op.eval(x, y), shape, &[x, y]);
        }
    }
}

#[test]
fn the_first_of_expanded_elements_takes_the_gradient_or_all_share_it() {
    let tape = Tape::<f64>::new();
    let row = Tensor::from([[3.0, -3.0]]);
    let x = tape.tensor(row.broadcast_to([2, 2]));
    let slope = |y: Var<'_>| y.sum().gradient()[x].to_vec();
    assert_eq!(slope(x.max()), [0.5, 0.0, 0.5, 0.0]);
    assert_eq!(slope(x.min_axes(0)), [0.5, 0.5, 0.5, 0.5]);
    assert_eq!(slope(x.norm(f64::INFINITY)), [0.25, -0.25, 0.25, -0.25]);
    assert_eq!(slope(x.median()), [0.0, 0.0, 0.0, 1.0], "the second of four in order");
    assert_eq!(slope(x.topk(1, 0).0), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(slope(x.cummax(0).0), [2.0, 2.0, 0.0, 0.0]);
    assert_eq!(slope(x.sort(0).slice(0, ..1)), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!((x.argmax(), x.argmin()), (0, 1));
    assert_eq!(x.argsort(0).to_vec(), [0, 0, 1, 1]);
    assert_eq!(slope(x.maximum(tape.constant_tensor(row))), [0.5; 4]);
}
