//! Products summed over named axes: Einstein's convention.
//!
//! A formula names the axes of every operand by letters: `ij,jk->ik` is the matrix product. Letters that are not in the
//! result are summed over. The plan: letters of one operand alone are summed first, repeated ones taken to their
//! diagonal; then pairs of operands, cheapest first, become one batched matrix product each, of axes brought into the
//! order `[batch, rows, contracted] x [batch, contracted, columns]`; a last permutation gives the order asked for.

use smallvec::SmallVec;

use crate::element::FloatElement;
use crate::error::{OrPanic, ShapeError};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What a contraction is made of, on values or on variables.
#[doc(hidden)]
pub trait Contract: Clone {
    fn dims(&self) -> Shape;
    fn permuted(&self, order: &[usize]) -> Result<Self, ShapeError>;
    fn reshaped(&self, shape: Shape) -> Result<Self, ShapeError>;
    fn summed(&self, axes: &[usize]) -> Result<Self, ShapeError>;
    /// The diagonal of two axes, as the last axis.
    fn diagonal_of(&self, a: usize, b: usize) -> Result<Self, ShapeError>;
    fn product(&self, other: &Self) -> Result<Self, ShapeError>;
    fn matrix_product(&self, other: &Self) -> Result<Self, ShapeError>;
}

impl<F: FloatElement> Contract for Tensor<F> {
    fn dims(&self) -> Shape {
        self.shape().clone()
    }
    fn permuted(&self, order: &[usize]) -> Result<Self, ShapeError> {
        self.try_permute(order.iter().copied())
    }
    fn reshaped(&self, shape: Shape) -> Result<Self, ShapeError> {
        self.try_reshape(shape)
    }
    fn summed(&self, axes: &[usize]) -> Result<Self, ShapeError> {
        self.try_sum_axes(axes)
    }
    fn diagonal_of(&self, a: usize, b: usize) -> Result<Self, ShapeError> {
        self.try_diagonal(0, a, b)
    }
    fn product(&self, other: &Self) -> Result<Self, ShapeError> {
        self.try_mul(other)
    }
    fn matrix_product(&self, other: &Self) -> Result<Self, ShapeError> {
        Tensor::try_matmul_t(self, false, other, false)
    }
}

/// An axis' name: a letter, or a number counted from the last axis under `...`.
type Label = char;
type Labels = SmallVec<[Label; 8]>;

/// Names beyond all letters for the axes under `...`, the last axis first.
fn unnamed(k: usize) -> Label {
    char::from_u32(0xE000 + k as u32).unwrap_or('\u{F8FF}')
}

struct Formula<'a> {
    text: &'a str,
}

impl Formula<'_> {
    fn refuse<T>(&self, position: usize, problem: impl Into<Box<str>>) -> Result<T, ShapeError> {
        Err(ShapeError::Formula { op: "einsum", formula: self.text.into(), position, problem: problem.into() })
    }

    /// The names of the axes of each operand and of the result, with their positions; `...` stands as one name, `.`.
    #[expect(clippy::type_complexity, reason = "read once, right here")]
    fn read(&self) -> Result<(Vec<Vec<(usize, Label)>>, Option<Vec<(usize, Label)>>), ShapeError> {
        let characters: Vec<char> = self.text.chars().collect();
        let (mut terms, mut result): (Vec<Vec<_>>, Option<Vec<_>>) = (vec![Vec::new()], None);
        let mut at = 0;
        while at < characters.len() {
            let rest = &characters[at..];
            let term = match &mut result {
                Some(result) => result,
                None => {
                    let last = terms.len() - 1;
                    &mut terms[last]
                }
            };
            match rest {
                [' ', ..] => {}
                [letter, ..] if letter.is_ascii_alphabetic() => term.push((at, *letter)),
                ['.', '.', '.', ..] => {
                    if term.iter().any(|&(_, label)| label == '.') {
                        return self.refuse(at, "a second `...` for one operand");
                    }
                    term.push((at, '.'));
                    at += 2;
                }
                [',', ..] if result.is_none() => terms.push(Vec::new()),
                [',', ..] => return self.refuse(at, "there is one result, which has no comma"),
                ['-', '>', ..] if result.is_none() => {
                    result = Some(Vec::new());
                    at += 1;
                }
                ['-', '>', ..] => return self.refuse(at, "a second arrow"),
                [other, ..] => {
                    let problem = format!("`{other}` is not a letter, a comma, `...` or `->`");
                    return self.refuse(at, problem);
                }
                [] => {}
            }
            at += 1;
        }
        Ok((terms, result))
    }
}

/// Evaluates `formula` on `operands`.
#[doc(hidden)]
pub fn contract<X: Contract>(formula: &str, operands: &[X]) -> Result<X, ShapeError> {
    let formula = Formula { text: formula };
    let (terms, result) = formula.read()?;
    let end = formula.text.chars().count();
    if operands.is_empty() {
        return Err(ShapeError::NoTensors { op: "einsum" });
    }
    if terms.len() != operands.len() {
        let problem = format!("{} operands are described, {} given", terms.len(), operands.len());
        return formula.refuse(end, problem);
    }
    let mut sizes: SmallVec<[(Label, usize, usize); 8]> = SmallVec::new();
    let mut open = 0;
    let mut factors: Vec<(X, Labels)> = Vec::new();
    for (number, (x, term)) in operands.iter().zip(&terms).enumerate() {
        let shape = x.dims();
        let named = term.iter().filter(|&&(_, label)| label != '.').count();
        let start = term.first().map_or(0, |&(at, _)| at);
        let hidden = match (shape.rank().checked_sub(named), named < term.len()) {
            (Some(0), false) => 0,
            (Some(hidden), true) => hidden,
            _ => {
                let problem = format!("operand {number} of shape {shape} has {} axes, {named} are named", shape.rank());
                return formula.refuse(start, problem);
            }
        };
        open = open.max(hidden);
        let mut labels = Labels::new();
        for &(at, label) in term {
            let names =
                if label == '.' { (0..hidden).rev().map(unnamed).collect() } else { Labels::from_slice(&[label]) };
            for label in names {
                let size = shape[labels.len()];
                match sizes.iter_mut().find(|(known, ..)| *known == label) {
                    None => sizes.push((label, size, number)),
                    Some((_, known, _)) if *known == size || size == 1 => {}
                    Some(entry) if entry.1 == 1 => (entry.1, entry.2) = (size, number),
                    Some((_, known, before)) => {
                        let name = if label.is_ascii() { format!("`{label}`") } else { "`...`".to_owned() };
                        let problem =
                            format!("{name} has {size} entries in operand {number} and {known} in operand {before}");
                        return formula.refuse(at, problem);
                    }
                }
                labels.push(label);
            }
        }
        factors.push((x.clone(), labels));
    }
    let wanted = wanted_labels(&formula, &terms, result, &sizes, open)?;
    let size = |label: Label| sizes.iter().find(|(known, ..)| *known == label).map_or(1, |&(_, size, _)| size);

    for k in 0..factors.len() {
        let elsewhere = kept_beside(&factors, &[k], &wanted);
        factors[k] = alone(factors[k].clone(), &elsewhere, &size)?;
    }
    while factors.len() > 1 {
        let (i, j) = cheapest(&factors, &size);
        let kept = kept_beside(&factors, &[i, j], &wanted);
        // The later one first: removing it leaves the other's number as it is.
        let b = factors.remove(j);
        let a = factors.remove(i);
        factors.push(pair(a, b, &kept, &size)?);
    }
    let Some((y, labels)) = factors.pop() else { return Err(ShapeError::NoTensors { op: "einsum" }) };
    let order: SmallVec<[usize; 8]> =
        wanted.iter().filter_map(|label| labels.iter().position(|other| other == label)).collect();
    let y = if order.is_sorted() { y } else { y.permuted(&order)? };
    // An axis of one entry stands for all where another operand has more.
    let shape: Shape = wanted.iter().map(|&label| size(label)).collect();
    y.reshaped(shape)
}

/// The names of the result's axes, in order.
fn wanted_labels(
    formula: &Formula<'_>,
    terms: &[Vec<(usize, Label)>],
    result: Option<Vec<(usize, Label)>>,
    sizes: &[(Label, usize, usize)],
    open: usize,
) -> Result<Labels, ShapeError> {
    let hidden = (0..open).rev().map(unnamed);
    let Some(result) = result else {
        // Without an arrow: what is named once, in alphabetical order, behind the axes under `...`.
        let mut once: Labels = sizes
            .iter()
            .map(|&(label, ..)| label)
            .filter(char::is_ascii)
            .filter(|label| terms.iter().flatten().filter(|(_, other)| other == label).count() == 1)
            .collect();
        once.sort_unstable();
        return Ok(hidden.chain(once).collect());
    };
    let mut wanted = Labels::new();
    for (at, label) in result {
        if label == '.' {
            wanted.extend(hidden.clone());
        } else if wanted.contains(&label) {
            return formula.refuse(at, format!("`{label}` is named twice in the result"));
        } else if !sizes.iter().any(|(known, ..)| *known == label) {
            return formula.refuse(at, format!("`{label}` is not an axis of any operand"));
        } else {
            wanted.push(label);
        }
    }
    Ok(wanted)
}

/// The names needed after the factors `gone` have become one.
fn kept_beside<X>(factors: &[(X, Labels)], gone: &[usize], wanted: &Labels) -> Labels {
    let others = factors.iter().enumerate().filter(|(k, _)| !gone.contains(k)).flat_map(|(_, (_, labels))| labels);
    others.chain(wanted).copied().collect()
}

/// Takes repeated names to their diagonal and sums over what nobody else names.
fn alone<X: Contract>(
    (mut x, mut labels): (X, Labels),
    kept: &Labels,
    size: &impl Fn(Label) -> usize,
) -> Result<(X, Labels), ShapeError> {
    while let Some((a, b)) = repeated(&labels) {
        // Axes of one entry stand for all of the other's.
        let dims = x.dims();
        let name = labels[a];
        if dims[a] != dims[b] {
            let single = if dims[a] == 1 { a } else { b };
            x = x.summed(&[single])?;
            labels.remove(single);
            continue;
        }
        x = x.diagonal_of(a, b)?;
        labels.remove(b);
        labels.remove(a);
        labels.push(name);
    }
    // A sum over an axis of one entry that stands for more is as many times it; the pairs see to that.
    let dims = x.dims();
    let gone = |k: usize| !kept.contains(&labels[k]) && dims[k] == size(labels[k]);
    let axes: SmallVec<[usize; 8]> = (0..labels.len()).filter(|&k| gone(k)).collect();
    if !axes.is_empty() {
        x = x.summed(&axes)?;
        labels = labels.iter().enumerate().filter(|(k, _)| !axes.contains(k)).map(|(_, &label)| label).collect();
    }
    Ok((x, labels))
}

/// Two axes of one name.
fn repeated(labels: &Labels) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|b| labels[..b].iter().position(|&label| label == labels[b]).map(|a| (a, b)))
}

/// The two factors whose product takes the fewest multiplications.
fn cheapest<X>(factors: &[(X, Labels)], size: &impl Fn(Label) -> usize) -> (usize, usize) {
    let cost = |a: &Labels, b: &Labels| {
        let names = a.iter().chain(b.iter().filter(|label| !a.contains(label)));
        names.fold(1.0, |cost, &label| cost * size(label) as f64)
    };
    let mut best = (f64::INFINITY, (0, 1));
    for j in 1..factors.len() {
        for i in 0..j {
            let cost = cost(&factors[i].1, &factors[j].1);
            if cost < best.0 {
                best = (cost, (i, j));
            }
        }
    }
    best.1
}

/// The product of two factors, summed over the names that are not kept.
fn pair<X: Contract>(
    (a, a_labels): (X, Labels),
    (b, b_labels): (X, Labels),
    kept: &Labels,
    size: &impl Fn(Label) -> usize,
) -> Result<(X, Labels), ShapeError> {
    let (a_dims, b_dims) = (a.dims(), b.dims());
    let dim_of = |dims: &Shape, labels: &Labels, label: Label| labels.iter().position(|&l| l == label).map(|k| dims[k]);
    // An axis of one entry where the other operand has more repeats: the product broadcasts over it, and sums come
    // after.
    let whole = |label: &Label| {
        let (a, b) = (dim_of(&a_dims, &a_labels, *label), dim_of(&b_dims, &b_labels, *label));
        a == b && a.is_some()
    };
    let names = |labels: &Labels, keep: &dyn Fn(&Label) -> bool| -> Labels {
        labels.iter().copied().filter(|label| keep(label)).collect()
    };
    let contracted = names(&a_labels, &|label| whole(label) && !kept.contains(label));
    let batch = names(&a_labels, &|label| b_labels.contains(label) && !contracted.contains(label));
    let left = names(&a_labels, &|label| !b_labels.contains(label));
    let right = names(&b_labels, &|label| !a_labels.contains(label));
    let arranged = |x: &X, labels: &Labels, groups: [&Labels; 3]| -> Result<X, ShapeError> {
        let order: SmallVec<[usize; 8]> =
            groups.into_iter().flatten().filter_map(|label| labels.iter().position(|other| other == label)).collect();
        if order.is_sorted() { Ok(x.clone()) } else { x.permuted(&order) }
    };
    let dims = |dims: &Shape, labels: &Labels, group: &Labels| -> Shape {
        group.iter().map(|&label| dim_of(dims, labels, label).unwrap_or(1)).collect()
    };
    let (rows, columns) = (dims(&a_dims, &a_labels, &left), dims(&b_dims, &b_labels, &right));
    let a_batch = dims(&a_dims, &a_labels, &batch);
    let b_batch = dims(&b_dims, &b_labels, &batch);
    let shared = Shape::broadcast("einsum", &a_batch, &b_batch)?;
    let labels: Labels = batch.iter().chain(&left).chain(&right).copied().collect();
    let joined = |parts: [&[usize]; 3]| parts.concat().into_iter().collect::<Shape>();
    let y = if contracted.is_empty() {
        // No sum: an element-by-element product of `[batch, rows, 1..]` and `[batch, 1.., columns]`.
        let (ones_left, ones_right) = (vec![1; rows.rank()], vec![1; columns.rank()]);
        let a =
            arranged(&a, &a_labels, [&batch, &left, &contracted])?.reshaped(joined([&a_batch, &rows, &ones_right]))?;
        let b = arranged(&b, &b_labels, [&batch, &right, &contracted])?
            .reshaped(joined([&b_batch, &ones_left, &columns]))?;
        a.product(&b)?
    } else {
        let k = dims(&a_dims, &a_labels, &contracted).size();
        let a = arranged(&a, &a_labels, [&batch, &left, &contracted])?.reshaped(joined([
            &a_batch,
            &[rows.size()],
            &[k],
        ]))?;
        let b = arranged(&b, &b_labels, [&batch, &contracted, &right])?.reshaped(joined([
            &b_batch,
            &[k],
            &[columns.size()],
        ]))?;
        a.matrix_product(&b)?.reshaped(joined([&shared, &rows, &columns]))?
    };
    // What was repeated in one of them and is not kept is summed now.
    alone((y, labels), kept, size)
}

impl<F: FloatElement> Tensor<F> {
    /// The product of the operands summed over all axes that are not in the result, by letters: `ij,jk->ik` is the
    /// matrix product, `bij,bj->bi` a batch of matrices times vectors, `i,j->ij` the outer product, `ii->` the trace.
    ///
    /// A letter used twice for one operand takes its diagonal. `...` stands for any further axes, which broadcast.
    /// Without an arrow the result has the letters used once, in alphabetical order. Spaces are ignored. More than two
    /// operands are multiplied pair by pair, the cheapest first; each pair is one batched matrix product.
    ///
    /// # Panics
    /// When the formula cannot be read or does not describe the operands.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ij,jk->ik", &[&a, &a]), a.matmul(&a));
    /// assert_eq!(Tensor::einsum("ij->ji", &[&a]), a.t());
    /// assert_eq!(Tensor::einsum("ii", &[&a]).item(), 5.0);
    /// ```
    ///
    /// Source: Einstein 1916, "Die Grundlage der allgemeinen Relativitaetstheorie", section 5; the notation is NumPy's.
    #[must_use]
    #[track_caller]
    pub fn einsum(formula: &str, operands: &[&Tensor<F>]) -> Tensor<F> {
        Self::try_einsum(formula, operands).or_panic()
    }

    /// As [`einsum`](Self::einsum), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Formula`] with the position of what is wrong, or [`ShapeError::NoTensors`].
    pub fn try_einsum(formula: &str, operands: &[&Tensor<F>]) -> Result<Tensor<F>, ShapeError> {
        let operands: SmallVec<[Tensor<F>; 4]> = operands.iter().map(|&x| x.clone()).collect();
        contract(formula, &operands)
    }

    /// The outer product of two vectors: `[m] x [n] -> [m, n]`, `y_ij = a_i b_j`.
    ///
    /// # Panics
    /// When an operand is not a vector.
    ///
    /// # Examples
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0, 2.0]).outer(&Tensor::from([3.0, 4.0]));
    /// assert_eq!(y, Tensor::from([[3.0, 4.0], [6.0, 8.0]]));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn outer(&self, other: &Tensor<F>) -> Tensor<F> {
        self.try_outer(other).or_panic()
    }

    /// As [`outer`](Self::outer), with an error instead of a panic.
    ///
    /// # Errors
    /// [`ShapeError::Rank`].
    pub fn try_outer(&self, other: &Tensor<F>) -> Result<Tensor<F>, ShapeError> {
        if let Some(x) = [self, other].into_iter().find(|x| x.rank() != 1) {
            let expected = "a vector; `einsum` multiplies axes by name";
            return Err(ShapeError::Rank { op: "outer", shape: x.shape().clone(), expected });
        }
        self.try_unsqueeze(1)?.try_mul(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    /// Sums over all letters, one index after the other.
    fn by_definition(formula: &str, operands: &[&Tensor<f64>]) -> Tensor<f64> {
        let (terms, result) = formula.split_once("->").unwrap();
        let terms: Vec<&str> = terms.split(',').collect();
        let mut letters: Vec<char> = terms.concat().chars().collect();
        letters.sort_unstable();
        letters.dedup();
        let size = |letter: char| {
            let sizes = terms.iter().zip(operands).filter_map(|(term, x)| term.find(letter).map(|k| x.dim(k)));
            sizes.max().unwrap()
        };
        let value = |letter: char, index: &[usize]| index[letters.iter().position(|&l| l == letter).unwrap()];
        let shape: Shape = result.chars().map(size).collect();
        let mut y = Tensor::<f64>::zeros(shape);
        let all: Shape = letters.iter().map(|&l| size(l)).collect();
        let _: Tensor<bool> = Tensor::from_fn(all, |index| {
            let factor = |(term, x): (&&str, &&Tensor<f64>)| {
                let at: Vec<usize> = term
                    .chars()
                    .zip(x.shape().iter())
                    .map(|(l, &n)| if n == 1 { 0 } else { value(l, index) })
                    .collect();
                x.at(at)
            };
            let product: f64 = terms.iter().zip(operands).map(factor).product();
            let at: Vec<usize> = result.chars().map(|l| value(l, index)).collect();
            y.set(&at, y.at(&at) + product);
            true
        });
        y
    }

    #[test]
    fn formulas_mean_what_the_definition_says() {
        let mut rng = rng(3);
        let mut x = |shape: &[usize]| Tensor::<f64>::uniform(shape, -1.0, 1.0, &mut rng);
        let cases: &[(&str, &[&[usize]])] = &[
            ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
            ("ij,kj->ki", &[&[2, 3], &[4, 3]]),
            ("bij,bjk->bik", &[&[5, 2, 3], &[5, 3, 4]]),
            ("ibj,jkb->kbi", &[&[2, 5, 3], &[3, 4, 5]]),
            ("i,i->i", &[&[3], &[3]]),
            ("i,i->", &[&[3], &[3]]),
            ("i,j->ji", &[&[3], &[2]]),
            ("ii->i", &[&[3, 3]]),
            ("ii->", &[&[3, 3]]),
            ("iji->j", &[&[3, 2, 3]]),
            ("ij->", &[&[3, 2]]),
            ("ijk->kij", &[&[3, 2, 4]]),
            ("ij,jk,kl->il", &[&[2, 3], &[3, 4], &[4, 5]]),
            ("ij,jk,kl,li->", &[&[2, 3], &[3, 4], &[4, 5], &[5, 2]]),
            ("ij,ij,ij->j", &[&[2, 3], &[2, 3], &[2, 3]]),
            ("ijkl,jl->ik", &[&[2, 3, 4, 5], &[3, 5]]),
            ("ij,k->k", &[&[2, 3], &[4]]),
            ("ij,jk->ik", &[&[2, 1], &[3, 4]]),
            ("ij,jk->ij", &[&[2, 1], &[3, 4]]),
            ("ij,ij->", &[&[2, 1], &[1, 3]]),
            ("ij,jk->ik", &[&[2, 0], &[0, 4]]),
            ("ij,jk->ik", &[&[0, 3], &[3, 4]]),
            (",i->i", &[&[], &[3]]),
        ];
        for &(formula, shapes) in cases {
            let operands: Vec<Tensor<f64>> = shapes.iter().map(|shape| x(shape)).collect();
            let operands: Vec<&Tensor<f64>> = operands.iter().collect();
            let (y, expected) = (Tensor::einsum(formula, &operands), by_definition(formula, &operands));
            assert_eq!(y.shape(), expected.shape(), "{formula}");
            for (a, b) in y.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-13, "{formula} of {shapes:?}: {a}, expected {b}");
            }
        }
    }

    #[test]
    fn further_axes_broadcast_and_the_arrow_may_be_left_out() {
        let a = Tensor::<f64>::uniform([5, 1, 2, 3], -1.0, 1.0, &mut rng(1));
        let b = Tensor::<f64>::uniform([4, 3, 2], -1.0, 1.0, &mut rng(2));
        let close = |a: &Tensor<f64>, b: &Tensor<f64>| {
            assert_eq!(a.shape(), b.shape());
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13));
        };
        close(&Tensor::einsum("...ij,...jk->...ik", &[&a, &b]), &a.matmul(&b));
        close(&Tensor::einsum("...ij,...jk", &[&a, &b]), &a.matmul(&b));
        close(&Tensor::einsum("...ij,jk->k...i", &[&b, &b.index_axis(0, 0).t()]), &{
            b.matmul(&b.index_axis(0, 0).t()).permute([2, 0, 1])
        });
        close(&Tensor::einsum("ba", &[&b.index_axis(0, 0)]), &b.index_axis(0, 0).t());
    }

    #[test]
    fn mistakes_are_named_with_their_position() {
        let a = Tensor::<f64>::ones([2, 3]);
        let text =
            |formula: &str, operands: &[&Tensor<f64>]| Tensor::try_einsum(formula, operands).unwrap_err().to_string();
        assert_eq!(
            text("ij,jk->ik", &[&a, &a]),
            "einsum: at position 3 of `ij,jk->ik`: `j` has 2 entries in operand 1 and 3 in operand 0"
        );
        assert_eq!(text("ij,jk->ik", &[&a]), "einsum: at position 9 of `ij,jk->ik`: 2 operands are described, 1 given");
        assert_eq!(
            text("i1->i", &[&a]),
            "einsum: at position 1 of `i1->i`: `1` is not a letter, a comma, `...` or `->`"
        );
        assert_eq!(text("ij->ik", &[&a]), "einsum: at position 5 of `ij->ik`: `k` is not an axis of any operand");
        assert_eq!(text("ij->ii", &[&a]), "einsum: at position 5 of `ij->ii`: `i` is named twice in the result");
        assert_eq!(
            text("ijk->i", &[&a]),
            "einsum: at position 0 of `ijk->i`: operand 0 of shape [2, 3] has 2 axes, 3 are named"
        );
        assert_eq!(text("ij->i->j", &[&a]), "einsum: at position 5 of `ij->i->j`: a second arrow");
        assert_eq!(
            text("ij->i,j", &[&a]),
            "einsum: at position 5 of `ij->i,j`: there is one result, which has no comma"
        );
        assert_eq!(text("ij", &[]), "einsum: no tensors given; the result's shape would be unknown");
        assert!(a.try_outer(&a).is_err());
    }
}
