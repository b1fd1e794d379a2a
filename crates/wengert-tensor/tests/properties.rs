//! Views, broadcasting and reductions against a model that knows nothing but indices.
//!
//! The model of a tensor is its shape and a function from indices to numbers; an operation on it composes functions. It
//! has no strides, no offsets and no storage, so it shares no mistake with what is tested.

use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::Index;
use wengert_tensor::{Shape, Slice, Tensor};

/// The number at an index.
type Element = dyn Fn(&[usize]) -> i64;

/// A shape and the number at each index.
#[derive(Clone)]
struct Model {
    shape: Vec<usize>,
    at: Rc<Element>,
}

impl Model {
    /// The numbers 0, 1, 2, ... in row-major order.
    fn numbered(shape: &[usize]) -> Model {
        let dims = shape.to_vec();
        let at = move |index: &[usize]| index.iter().zip(&dims).fold(0, |number, (i, dim)| number * dim + i) as i64;
        Model { shape: shape.to_vec(), at: Rc::new(at) }
    }

    /// The same numbers under other indices.
    fn through(&self, shape: Vec<usize>, back: impl Fn(&[usize]) -> Vec<usize> + 'static) -> Model {
        let at = self.at.clone();
        Model { shape, at: Rc::new(move |index| at(&back(index))) }
    }

    fn to_vec(&self) -> Vec<i64> {
        indices(&self.shape).iter().map(|index| (self.at)(index)).collect()
    }
}

/// Every index of a shape in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |indices, &dim| {
        indices.iter().flat_map(|index| (0..dim).map(move |i| [&index[..], &[i]].concat())).collect()
    })
}

/// One step of a chain of views; numbers are reduced to what the shape at hand allows.
#[derive(Debug, Clone)]
enum Step {
    Permute(Vec<Index>),
    Slice(Index, Index, Index, isize),
    IndexAxis(Index, Index),
    Unsqueeze(Index),
    Broadcast(Index, usize),
    /// Merges an axis with its neighbour, or cuts one in two.
    Reshape(Index, Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        prop::collection::vec(index(), 6).prop_map(Step::Permute),
        (index(), index(), index(), prop_oneof![-3..0_isize, 1..4_isize])
            .prop_map(|(k, a, b, s)| Step::Slice(k, a, b, s)),
        (index(), index()).prop_map(|(axis, i)| Step::IndexAxis(axis, i)),
        index().prop_map(Step::Unsqueeze),
        (index(), 0..4_usize).prop_map(|(axis, dim)| Step::Broadcast(axis, dim)),
        (index(), index()).prop_map(|(axis, by)| Step::Reshape(axis, by)),
    ];
    prop::collection::vec(step, 0..6)
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..5_usize, 0..5)
}

/// Takes the step on tensor and model alike; steps a shape does not allow leave both as they are.
fn take(step: &Step, x: &Tensor<i64>, model: &Model) -> (Tensor<i64>, Model) {
    let rank = x.rank();
    let shape = model.shape.clone();
    match step {
        Step::Permute(keys) => {
            let mut order: Vec<usize> = (0..rank).collect();
            for (k, key) in keys.iter().enumerate().take(rank) {
                order.swap(k, k + key.index(rank - k));
            }
            let target = order.iter().map(|&axis| shape[axis]).collect();
            let back = order.clone();
            let model = model.through(target, move |index| {
                let mut source = vec![0; index.len()];
                for (&axis, &i) in back.iter().zip(index) {
                    source[axis] = i;
                }
                source
            });
            (x.permute(order), model)
        }
        Step::Slice(axis, a, b, step) if rank > 0 => {
            let axis = axis.index(rank);
            let (a, b) = (a.index(shape[axis] + 1), b.index(shape[axis] + 1));
            let (start, end, step) = (a.min(b), a.max(b), *step);
            let entries: Vec<usize> = if step > 0 {
                (start..end).step_by(step as usize).collect()
            } else {
                (start..end).rev().step_by(-step as usize).collect()
            };
            let mut target = shape;
            target[axis] = entries.len();
            let model = model.through(target, move |index| {
                let mut index = index.to_vec();
                index[axis] = entries[index[axis]];
                index
            });
            (x.slice(axis, Slice::from(start..end).step(step)), model)
        }
        Step::IndexAxis(axis, i) if rank > 0 && shape[axis.index(rank)] > 0 => {
            let axis = axis.index(rank);
            let i = i.index(shape[axis]);
            let mut target = shape;
            target.remove(axis);
            let model = model.through(target, move |index| {
                let mut index = index.to_vec();
                index.insert(axis, i);
                index
            });
            (x.index_axis(axis, i as isize), model)
        }
        Step::Unsqueeze(axis) if rank < 6 => {
            let axis = axis.index(rank + 1);
            let mut target = shape;
            target.insert(axis, 1);
            let model = model.through(target, move |index| {
                let mut index = index.to_vec();
                index.remove(axis);
                index
            });
            (x.unsqueeze(axis), model)
        }
        Step::Broadcast(axis, dim) if rank > 0 && shape[axis.index(rank)] == 1 => {
            let axis = axis.index(rank);
            let mut target = shape;
            target[axis] = *dim;
            let model = model.through(target.clone(), move |index| {
                let mut index = index.to_vec();
                index[axis] = 0;
                index
            });
            (x.broadcast_to(target), model)
        }
        Step::Reshape(axis, by) if rank > 0 => {
            let axis = axis.index(rank);
            let mut target = shape.clone();
            if rank > 1 && axis + 1 < rank {
                target[axis] *= target.remove(axis + 1);
            } else if shape[axis] > 0 {
                let divisors: Vec<usize> = (1..=shape[axis]).filter(|d| shape[axis].is_multiple_of(*d)).collect();
                let divisor = divisors[by.index(divisors.len())];
                target[axis] = divisor;
                target.insert(axis + 1, shape[axis] / divisor);
            }
            let to = target.clone();
            let model = model.through(target.clone(), move |index| {
                let mut number = index.iter().zip(&to).fold(0, |number, (i, dim)| number * dim + i);
                let mut source = vec![0; shape.len()];
                for (i, dim) in source.iter_mut().zip(&shape).rev() {
                    (*i, number) = (number % dim, number / dim);
                }
                source
            });
            (x.reshape(target), model)
        }
        _ => (x.clone(), model.clone()),
    }
}

/// A tensor that is a view of views, and its model.
fn view(shape: &[usize], steps: &[Step]) -> (Tensor<i64>, Model) {
    let count: usize = shape.iter().product();
    let x = Tensor::<i64>::arange(count).reshape(shape);
    steps.iter().fold((x, Model::numbered(shape)), |(x, model), step| take(step, &x, &model))
}

/// NumPy's rule in three lines.
fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], k: usize| (k + s.len()).checked_sub(rank).map_or(1, |k| s[k]);
    (0..rank)
        .map(|k| match (dim(a, k), dim(b, k)) {
            (1, n) | (n, 1) => Some(n),
            (m, n) => (m == n).then_some(n),
        })
        .collect()
}

/// The element of a model that an index of a broadcast shape stands for.
fn repeated(model: &Model, index: &[usize]) -> i64 {
    let own = &index[index.len() - model.shape.len()..];
    let own: Vec<usize> = own.iter().zip(&model.shape).map(|(&i, &dim)| if dim == 1 { 0 } else { i }).collect();
    (model.at)(&own)
}

proptest! {
    #[test]
    fn views_of_views_show_the_elements_they_should(shape in shapes(), steps in steps()) {
        let (x, model) = view(&shape, &steps);
        prop_assert_eq!(&x.shape()[..], &model.shape[..]);
        let expected = model.to_vec();
        prop_assert_eq!(&x.to_vec(), &expected);
        prop_assert_eq!(&x.to_contiguous().to_vec(), &expected);
        prop_assert_eq!(&x.flatten().to_vec(), &expected);
        prop_assert_eq!(x.iter().len(), expected.len());
        for (index, expected) in indices(&model.shape).iter().zip(&expected) {
            prop_assert_eq!(x.at(index), *expected);
        }
        if let Some(slice) = x.as_slice() {
            prop_assert_eq!(slice, &expected[..]);
        }
        let mut written = x.clone();
        for element in written.make_mut() {
            *element += 1;
        }
        prop_assert_eq!(&(&x + 1), &written);
        prop_assert_eq!(&x.to_vec(), &expected, "the original stays");
    }

    #[test]
    fn two_views_broadcast_as_their_models_do(
        a_shape in shapes(), a_steps in steps(), b_shape in shapes(), b_steps in steps(),
    ) {
        let ((a, a_model), (b, b_model)) = (view(&a_shape, &a_steps), view(&b_shape, &b_steps));
        let Some(shape) = broadcast(&a_model.shape, &b_model.shape) else {
            prop_assert!(a.try_add(&b).is_err());
            return Ok(());
        };
        let pairs: Vec<(i64, i64)> =
            indices(&shape).iter().map(|index| (repeated(&a_model, index), repeated(&b_model, index))).collect();
        let expected = |f: fn(i64, i64) -> i64| pairs.iter().map(|&(a, b)| f(a, b)).collect::<Vec<_>>();
        let sum = &a + &b;
        prop_assert_eq!(&sum.shape()[..], &shape[..]);
        prop_assert_eq!(sum.to_vec(), expected(|a, b| a + b));
        prop_assert_eq!((a.clone() - &b).to_vec(), expected(|a, b| a - b));
        prop_assert_eq!(a.zip_map(&b, |a, b| 3 * a - b).to_vec(), expected(|a, b| 3 * a - b));
        prop_assert_eq!(a.less(&b).cast::<i64>().to_vec(), expected(|a, b| i64::from(a < b)));
        let floats = a.cast::<f32>() * b.cast::<f32>();
        prop_assert_eq!(floats.cast::<i64>().to_vec(), expected(|a, b| a * b));
        let larger = a.cast::<f64>().maximum(b.cast::<f64>());
        prop_assert_eq!(larger.cast::<i64>().to_vec(), expected(Ord::max));
        let condition = a.greater(&b);
        prop_assert_eq!(condition.select(&a, &b).to_vec(), expected(Ord::max));
        if shape == a_model.shape {
            let mut updated = a.clone();
            updated += &b;
            prop_assert_eq!(&updated, &sum);
        }
    }

    #[test]
    fn sums_over_axes_add_up_the_models_elements(shape in shapes(), steps in steps(), chosen in any::<u8>()) {
        let (x, model) = view(&shape, &steps);
        let (kept, reduced): (Vec<usize>, Vec<usize>) = (0..x.rank()).partition(|&axis| chosen >> axis & 1 == 0);
        let sums = x.sum_axes(&reduced[..]);
        let mut expected = vec![0; sums.len()];
        let shape: Vec<usize> = kept.iter().map(|&axis| model.shape[axis]).collect();
        for index in indices(&model.shape) {
            let number = kept.iter().zip(&shape).fold(0, |number, (&axis, dim)| number * dim + index[axis]);
            expected[number] += (model.at)(&index);
        }
        prop_assert_eq!(&sums.shape()[..], &shape[..]);
        prop_assert_eq!(sums.to_vec(), &expected[..]);
        prop_assert_eq!(x.cast::<f64>().sum_axes(&reduced[..]).cast::<i64>().to_vec(), expected);
    }

    #[test]
    fn joining_undoes_splitting(shape in shapes(), steps in steps(), axis in any::<Index>(), cut in any::<Index>()) {
        let (x, _) = view(&shape, &steps);
        if x.rank() > 0 {
            let axis = axis.index(x.rank());
            let cut = cut.index(x.dim(axis) + 1);
            let parts = x.split(axis, &[cut, x.dim(axis) - cut]);
            prop_assert_eq!(Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis), x);
        }
    }

    #[test]
    fn every_shape_prints_and_compares(shape in shapes(), steps in steps()) {
        let (x, model) = view(&shape, &steps);
        let digits = x.to_string().chars().filter(char::is_ascii_digit).count();
        let expected: usize = model.to_vec().iter().map(|x| x.to_string().len()).sum();
        prop_assert!(x.is_empty() || x.len() > 1000 || digits == expected);
        prop_assert_eq!(&x, &Tensor::from_vec(Shape::from(&model.shape[..]), model.to_vec()));
    }
}
