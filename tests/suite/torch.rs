//! Tensor ops against PyTorch: values, gradients and Jacobians' products to 1e-12, second order to 1e-11, for operands of every
//! layout; and against finite differences.

use wengert_check::{check_tensor, check_tensors};
use wengert_core::{Tape, TensorVar};
use wengert_tensor::{Slice, Tensor};

pub type Var<'t> = TensorVar<'t, f64>;
/// An op of one operand or several, as a case names it.
pub type Op = for<'t> fn(&[Var<'t>]) -> Var<'t>;

/// Operands, and what PyTorch makes of them.
#[derive(Default)]
struct Case {
    name: &'static str,
    x: Vec<Tensor<f64>>,
    y: Vec<Tensor<f64>>,
    first: Vec<Tensor<f64>>,
    second: Vec<Tensor<f64>>,
    /// The Jacobian's product with the weights of the second order.
    tangent: Vec<Tensor<f64>>,
}

fn cases(reference: &'static str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in reference.lines() {
        if let Some(name) = line.strip_prefix("= ") {
            cases.push(Case { name, ..Case::default() });
            continue;
        }
        let (head, numbers) = line.split_once(':').expect("a tensor");
        let (letter, shape) = head.split_at(1);
        let shape: Vec<usize> = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
        let numbers = numbers.split_whitespace().map(|x| x.parse().expect("a number")).collect();
        let case = cases.last_mut().expect("a name first");
        let list = match letter {
            "x" => &mut case.x,
            "y" => &mut case.y,
            "g" => &mut case.first,
            "h" => &mut case.second,
            _ => &mut case.tangent,
        };
        list.push(Tensor::from_vec(shape, numbers));
    }
    cases
}

/// The weights the script uses.
pub fn weights(shape: &[usize], step: usize, modulus: usize, divisor: f64) -> Tensor<f64> {
    let weight = |k: usize| ((step * k + 3) % modulus) as f64 - (modulus / 2) as f64;
    let n = shape.iter().product();
    (0..n).map(|k| weight(k) / divisor).collect::<Tensor<f64>>().reshape(shape)
}

/// Equal but for `tolerance` times the largest element expected, or 1.
#[track_caller]
pub fn close(what: &str, got: &Tensor<f64>, expected: &Tensor<f64>, tolerance: f64) {
    assert_eq!(got.shape(), expected.shape(), "{what}");
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance * scale, "{what}: got {got:e}, expected {expected:e}");
    }
}

fn compare(what: &str, case: &Case, op: Op, x: &[Tensor<f64>]) {
    let tape = Tape::<f64>::new();
    let inputs: Vec<Var<'_>> = x.iter().map(|x| tape.tensor(x)).collect();
    let y = op(&inputs);
    close(&format!("{what}, value"), &y.value(), &case.y[0], 1e-12);
    // A variable: what it gets from a product with the gradient is the Jacobian's product with a tangent.
    let u = tape.tensor(weights(&y.shape(), 7, 11, 4.0));
    let loss = (y * u).sum();
    let gradient = loss.gradient();
    let mut second: Option<Var<'_>> = None;
    for (k, &x) in inputs.iter().enumerate() {
        close(&format!("{what}, gradient of operand {k}"), &gradient[x], &case.first[k], 1e-12);
        let [g] = loss.recorded_gradient([x]);
        close(&format!("{what}, recorded gradient of operand {k}"), &g.value(), &case.first[k], 1e-12);
        let term = (g * tape.constant_tensor(weights(&g.shape(), 5, 13, 8.0))).sum();
        second = Some(second.map_or(term, |sum| sum + term));
    }
    let gradient = second.expect("an operand").gradient();
    for (k, &x) in inputs.iter().enumerate() {
        close(&format!("{what}, second order, operand {k}"), &gradient[x], &case.second[k], 1e-11);
    }
    close(&format!("{what}, Jacobian's product"), &gradient[u], &case.tangent[0], 1e-12);
    let along: Vec<_> = inputs.iter().map(|x| weights(&x.shape(), 5, 13, 8.0)).collect();
    let tangents = tape.jvp_tensors([y], inputs.iter().copied().zip(&along));
    close(&format!("{what}, forward mode"), &tangents[0], &case.tangent[0], 1e-12);
}

/// The first axis along which all entries are equal, if there are several.
fn constant_axis(x: &Tensor<f64>) -> Option<isize> {
    let repeats = |&axis: &isize| {
        let first = x.slice(axis, ..1).broadcast_to(x.shape());
        x.shape()[axis as usize] > 1 && first.iter().eq(x.iter())
    };
    (0..x.rank() as isize).filter(|_| !x.is_empty()).find(repeats)
}

/// The same elements in other layouts.
pub fn relaid(x: &Tensor<f64>) -> Vec<(&'static str, Tensor<f64>)> {
    let mut layouts = vec![("dense", x.clone())];
    let last = x.rank() as isize - 1;
    if last >= 0 {
        layouts.push(("flipped", x.flip(-1).to_contiguous().flip(-1)));
        layouts.push(("transposed", x.transpose(0, last).to_contiguous().transpose(0, last)));
        let mut wide = x.shape().to_vec();
        wide[last as usize] *= 2;
        let stepped = Slice::from(..).step(2);
        layouts.push(("stepped", Tensor::try_embed(wide, last, stepped, x).expect("half of it").slice(last, stepped)));
    }
    if let Some(axis) = constant_axis(x) {
        layouts.push(("expanded", x.slice(axis, ..1).to_contiguous().broadcast_to(x.shape())));
    }
    layouts
}

/// Compares values and derivatives with the reference, for operands dense, flipped, transposed, stepped and, where they are constant
/// along an axis, expanded.
pub fn compare_in_every_layout(reference: &'static str, op: fn(&str) -> Op) {
    for case in cases(reference) {
        let layouts: Vec<_> = case.x.iter().map(relaid).collect();
        for k in 0..layouts.iter().map(Vec::len).max().unwrap_or(0) {
            let chosen: Vec<_> = layouts.iter().map(|of_one| of_one[k % of_one.len()].clone()).collect();
            let x: Vec<Tensor<f64>> = chosen.iter().map(|(_, x)| x.clone()).collect();
            let shapes: Vec<_> = x.iter().map(|x| x.shape().to_string()).collect();
            compare(&format!("{} of {}, {}", case.name, shapes.join(" and "), chosen[0].0), &case, op(case.name), &x);
        }
    }
}

/// Compares derivatives with finite differences, to second order, for all cases but those named by `except` and those made to be
/// expanded: their equal entries are ties, where differences see kinks.
pub fn check_differences(reference: &'static str, op: fn(&str) -> Op, except: fn(&str) -> bool) {
    let differs = |case: &Case| !except(case.name) && !case.x.iter().any(|x| constant_axis(x).is_some());
    for case in cases(reference).into_iter().filter(differs) {
        let f = op(case.name);
        let checked = match &case.x[..] {
            [x] => check_tensor(|x| f(&[x])).at(x).orders(2).run(),
            [a, b] => check_tensors(|[a, b]| f(&[a, b])).at([a.clone(), b.clone()]).orders(2).run(),
            [a, b, c] => check_tensors(|[a, b, c]| f(&[a, b, c])).at([a.clone(), b.clone(), c.clone()]).orders(2).run(),
            [a, b, c, d] => {
                let at = [a.clone(), b.clone(), c.clone(), d.clone()];
                check_tensors(|[a, b, c, d]| f(&[a, b, c, d])).at(at).orders(2).run()
            }
            _ => panic!("{}: write the call for so many operands", case.name),
        };
        if let Err(error) = checked {
            panic!("{} of {}: {error}", case.name, case.x[0].shape());
        }
    }
}
