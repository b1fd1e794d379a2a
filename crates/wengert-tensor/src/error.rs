//! What can be wrong with a request: shapes, axes and indices that do not fit.

use core::fmt;

use crate::refusal::refuse;
use crate::shape::Shape;

/// Shapes, axes, indices or sizes that an operation cannot work with.
///
/// The fields hold the data, `Display` the sentence: which operation, which operands, what was expected, what to try.
/// The methods without `try_` panic with the same sentence at the caller's line.
///
/// # Examples
/// ```
/// # use wengert_tensor::{ShapeError, Tensor};
/// let (a, b) = (Tensor::<f32>::zeros([2, 3]), Tensor::zeros([2]));
/// let error = a.try_add(&b).unwrap_err();
/// assert!(matches!(error, ShapeError::Broadcast { axis: 1, .. }));
/// let sum = a + b.unsqueeze(1); // [2, 3] + [2, 1]
/// assert_eq!(*sum.shape(), [2, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// Two shapes that element-by-element operations cannot repeat to a common one.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]) + Tensor::ones([2]);
    /// ```
    /// Give the shorter one the axis it lacks:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]) + Tensor::ones([2]).unsqueeze(1);
    /// ```
    #[error(
        "{op}: shapes {lhs} and {rhs} do not broadcast: axis {axis} has {} against {} entries and neither is 1; reshape one side",
        aligned(lhs, rhs, *axis), aligned(rhs, lhs, *axis)
    )]
    Broadcast {
        /// The operation.
        op: &'static str,
        /// The shape of the left operand.
        lhs: Shape,
        /// The shape of the right operand.
        rhs: Shape,
        /// The first axis of the longer shape along which they differ.
        axis: usize,
    },
    /// A shape that cannot be repeated to another.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([3]).broadcast_to([3, 2]);
    /// ```
    /// Axes are aligned at the end, so the missing one goes there:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([3]).unsqueeze(1).broadcast_to([3, 2]);
    /// ```
    #[error(
        "{op}: shape {from} does not broadcast to {to}; aligned at the last axis, every dimension must be equal to the target's or 1"
    )]
    BroadcastTo {
        /// The operation.
        op: &'static str,
        /// The shape there is.
        from: Shape,
        /// The shape asked for.
        to: Shape,
    },
    /// An axis a shape does not have.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).sum_axes(2);
    /// ```
    /// The axes of `[2, 3]` are 0 and 1, or -2 and -1:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).sum_axes(-1);
    /// ```
    #[error("{op}: axis {axis} is out of range for shape {shape}; {}", AxesOf(*rank))]
    Axis {
        /// The operation.
        op: &'static str,
        /// The axis as it was given.
        axis: isize,
        /// How many axes there are to choose from.
        rank: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// One axis named twice.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).sum_axes([1, -1]);
    /// ```
    /// Both mean the last axis of two:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).sum_axes([0, 1]);
    /// ```
    #[error("{op}: axis {axis} of shape {shape} is named twice; name each axis once")]
    RepeatedAxis {
        /// The operation.
        op: &'static str,
        /// The axis, counted from the front.
        axis: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// A list of axes that does not name every axis.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3, 4]).permute([1, 0]);
    /// ```
    /// The third axis has to be named too:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3, 4]).permute([1, 0, 2]);
    /// ```
    #[error("{op}: {given} axes given for shape {shape}; name each of its {} axes once", shape.rank())]
    Permutation {
        /// The operation.
        op: &'static str,
        /// How many axes were given.
        given: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// A number of axes the operation is not defined for.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3, 4]).t();
    /// ```
    /// Say which two axes change places:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3, 4]).transpose(1, 2);
    /// ```
    #[error("{op}: operand of shape {shape} has {} axes; expected {expected}", shape.rank())]
    Rank {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// What the operation needs, in words.
        expected: &'static str,
    },
    /// An index beyond the entries of an axis.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).at([0, 3]);
    /// ```
    /// Indices start at 0, and [`get`](crate::Tensor::get) returns an `Option`:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).at([0, 2]);
    /// ```
    #[error("{op}: index {index} is out of range for axis {axis} of shape {shape}; {}", EntriesOf(shape[*axis]))]
    Index {
        /// The operation.
        op: &'static str,
        /// The index as it was given.
        index: isize,
        /// The axis it was given for.
        axis: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// A number of indices that is not the number of axes.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).at([1]);
    /// ```
    /// An element of a matrix has two indices; a row is a view:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).index_axis(0, 1);
    /// ```
    #[error("{op}: {given} indices given for shape {shape}; give one for each of its {} axes", shape.rank())]
    Indices {
        /// The operation.
        op: &'static str,
        /// How many indices were given.
        given: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// A list of row numbers with one that does not exist.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([4, 2]).gather_rows(&Tensor::from([0, 4]));
    /// ```
    /// Rows are counted from 0:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([4, 2]).gather_rows(&Tensor::from([0, 3]));
    /// ```
    #[error("{op}: index {position} asks for row {row} of shape {shape}; {}", RowsOf(shape.first().copied().unwrap_or(0)))]
    Row {
        /// The operation.
        op: &'static str,
        /// Where in the list of row numbers.
        position: usize,
        /// The row number found there.
        row: i64,
        /// The shape whose rows are meant.
        shape: Shape,
    },
    /// A range that leaves an axis.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([5]).slice(0, 2..9);
    /// ```
    /// Leave the end open to reach it:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([5]).slice(0, 2..);
    /// ```
    #[error("{op}: range {start}..{end} leaves axis {axis} of shape {shape}, which has {} entries", shape[*axis])]
    Range {
        /// The operation.
        op: &'static str,
        /// The first entry, counted from the front.
        start: isize,
        /// One past the last entry, counted from the front.
        end: isize,
        /// The axis.
        axis: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// A step that goes nowhere.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Slice, Tensor};
    /// let y = Tensor::<f32>::ones([5]).slice(0, Slice::from(..).step(0));
    /// ```
    /// The smallest steps are 1, and -1 to run backwards:
    /// ```
    /// # use wengert_tensor::{Slice, Tensor};
    /// let y = Tensor::<f32>::ones([5]).slice(0, Slice::from(..).step(-1));
    /// ```
    #[error("{op}: step 0 never arrives; use a positive step, or a negative one to run backwards")]
    Step {
        /// The operation.
        op: &'static str,
    },
    /// An axis of more than one entry that was to be removed.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([3, 1]).squeeze(0);
    /// ```
    /// Only axes of one entry can go without a choice between entries:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([3, 1]).squeeze(1);
    /// ```
    #[error("{op}: axis {axis} of shape {shape} has {} entries; only an axis of one entry can be removed", shape[*axis])]
    Squeeze {
        /// The operation.
        op: &'static str,
        /// The axis.
        axis: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// Two shapes of different element count.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).reshape([4, 2]);
    /// ```
    /// A reshape keeps every element:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).reshape([3, 2]);
    /// ```
    #[error("{op}: shape {from} has {} elements, shape {to} has {}; they must be equal", from.size(), to.size())]
    Reshape {
        /// The operation.
        op: &'static str,
        /// The shape there is.
        from: Shape,
        /// The shape asked for.
        to: Shape,
    },
    /// A dimension that cannot be inferred from the others.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).reshape_infer([Some(4), None]);
    /// ```
    /// The known dimensions must divide the number of elements:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).reshape_infer([Some(3), None]);
    /// ```
    #[error("{op}: shape {from} leaves no size for the open dimension: {}", infer_advice(from, *known, *unknown))]
    Infer {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        from: Shape,
        /// The product of the dimensions given.
        known: usize,
        /// How many were left open.
        unknown: usize,
    },
    /// A list of values that does not fill a shape.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0]);
    /// ```
    /// A value for each element:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    /// ```
    #[error("{op}: shape {shape} needs {} values, {given} given", shape.size())]
    Length {
        /// The operation.
        op: &'static str,
        /// The shape to fill.
        shape: Shape,
        /// How many values there are.
        given: usize,
    },
    /// Two shapes that have to be equal.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// Tensor::<f32>::ones([2, 3]).add_scaled(-0.1, &Tensor::ones([3]));
    /// ```
    /// In-place operations do not repeat their operand silently:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// Tensor::<f32>::ones([2, 3]).add_scaled(-0.1, &Tensor::ones([3]).broadcast_to([2, 3]));
    /// ```
    #[error("{op}: shapes {lhs} and {rhs} differ; they must be equal")]
    Unequal {
        /// The operation.
        op: &'static str,
        /// The shape of the left operand.
        lhs: Shape,
        /// The shape of the right operand.
        rhs: Shape,
    },
    /// Contracted dimensions of a product that differ.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).matmul(&Tensor::ones([2, 3]));
    /// ```
    /// Rows meet columns:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).matmul(&Tensor::ones([2, 3]).t());
    /// ```
    #[error(
        "{op}: inner dimensions differ: lhs {lhs} contracts {k_lhs} entries, rhs {rhs} contracts {k_rhs}; transpose one side?"
    )]
    Inner {
        /// The operation.
        op: &'static str,
        /// The shape of the left operand.
        lhs: Shape,
        /// The shape of the right operand.
        rhs: Shape,
        /// Columns of the left operand.
        k_lhs: usize,
        /// Rows of the right operand.
        k_rhs: usize,
    },
    /// Tensors to be joined that differ along another axis.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::<f32>::ones([2, 3]), Tensor::ones([2, 4]));
    /// let y = Tensor::concat(&[&a, &b], 0);
    /// ```
    /// They may differ along the axis they are joined at:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let (a, b) = (Tensor::<f32>::ones([2, 3]), Tensor::ones([2, 4]));
    /// let y = Tensor::concat(&[&a, &b], 1);
    /// ```
    #[error("{op}: tensor {position} of shape {other} does not fit the first, of shape {first}; {}", join_advice(op, *axis))]
    Join {
        /// The operation.
        op: &'static str,
        /// The axis they are joined at.
        axis: usize,
        /// Which of the tensors, counted from 0.
        position: usize,
        /// The shape of the first tensor.
        first: Shape,
        /// The shape of the one that differs.
        other: Shape,
    },
    /// An operation on a list of tensors was given none.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::concat(&[], 0);
    /// ```
    /// The result's shape comes from the first of them:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::concat(&[&Tensor::zeros([0, 3])], 0);
    /// ```
    #[error("{op}: no tensors given; the result's shape would be unknown")]
    NoTensors {
        /// The operation.
        op: &'static str,
    },
    /// Parts that do not add up to an axis.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([5]).split(0, &[2, 2]);
    /// ```
    /// Every entry belongs to one part:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([5]).split(0, &[2, 3]);
    /// ```
    #[error("{op}: the parts have {total} entries together, axis {axis} of shape {shape} has {}", shape[*axis])]
    Parts {
        /// The operation.
        op: &'static str,
        /// The sum of the parts.
        total: usize,
        /// The axis.
        axis: usize,
        /// The operand's shape.
        shape: Shape,
    },
    /// An axis whose entries do not make whole groups.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([1, 1, 5, 4]).pixel_unshuffle(2);
    /// ```
    /// Leave out what is over, or pad:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([1, 1, 5, 4]).slice(2, ..4).pixel_unshuffle(2);
    /// ```
    #[error("{op}: axis {axis} of shape {shape} has {} entries, not a multiple of {of}, {what}", shape[*axis])]
    Multiple {
        /// The operation.
        op: &'static str,
        /// The axis.
        axis: usize,
        /// What its entries must be a multiple of.
        of: usize,
        /// What that number is, in words.
        what: &'static str,
        /// The operand's shape.
        shape: Shape,
    },
    /// A reduction that has no value over no elements.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::zeros([0, 3]).max_axes(0);
    /// ```
    /// Sums of nothing are 0; a maximum needs an element:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::zeros([0, 3]).sum_axes(0);
    /// ```
    #[error(
        "{op}: shape {shape} leaves no elements to reduce, and the {op} of nothing is not defined; check `is_empty()` first"
    )]
    Empty {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
    },
    /// A tensor of several elements, or none, where one number was asked for.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2]).item();
    /// ```
    /// Pick an element, or reduce first:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2]).sum();
    /// ```
    #[error("{op}: shape {shape} has {} elements, expected one; pick one with `at` or reduce first", shape.size())]
    NotOne {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
    },
    /// Shapes that may differ along one axis only.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).gather(1, &Tensor::from([0, 2]));
    /// ```
    /// There is an index for each element of the result:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).gather(1, &Tensor::from([[0, 2], [1, 1]]));
    /// ```
    #[error(
        "{op}: shape {index} of the indices does not go with shape {shape}; they may differ along axis {axis} only"
    )]
    Along {
        /// The operation.
        op: &'static str,
        /// The axis along which they may differ.
        axis: usize,
        /// The shape of the indices.
        index: Shape,
        /// The operand's shape.
        shape: Shape,
    },
    /// A number an operation is not defined for.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0, 2.0]).quantile(50.0);
    /// ```
    /// Quantiles are fractions, not per cent:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0, 2.0]).quantile(0.5);
    /// ```
    #[error("{op}: {name} is {value}; expected {expected}")]
    Parameter {
        /// The operation.
        op: &'static str,
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What the operation needs, in words.
        expected: &'static str,
    },
    /// A variance of too few values.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0]).variance(1.0);
    /// ```
    /// One value has no spread to estimate; that of a whole population is 0:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0]).variance(0.0);
    /// ```
    #[error(
        "{op}: shape {shape} leaves {given} {} for a result, and correction {correction} needs more than that; reduce over more, or correct by less",
        if *given == 1 { "value" } else { "values" }
    )]
    TooFew {
        /// The operation.
        op: &'static str,
        /// How many values make one of the result.
        given: usize,
        /// What is subtracted from their number.
        correction: f64,
        /// The operand's shape.
        shape: Shape,
    },
    /// Padding that the entries of an axis cannot provide.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Padding, Tensor};
    /// let y = Tensor::<f32>::ones([3]).pad(&[(3, 0)], Padding::Reflect);
    /// ```
    /// A reflection leaves out the entry at the edge, so three entries give two:
    /// ```
    /// # use wengert_tensor::{Padding, Tensor};
    /// let y = Tensor::<f32>::ones([3]).pad(&[(2, 0)], Padding::Reflect);
    /// ```
    #[error("{op}: {before} before and {after} after axis {axis} of shape {shape}, which has {} entries; {advice}", shape[*axis])]
    Padding {
        /// The operation.
        op: &'static str,
        /// The axis.
        axis: usize,
        /// Entries asked for before it.
        before: usize,
        /// Entries asked for after it.
        after: usize,
        /// The operand's shape.
        shape: Shape,
        /// What is possible.
        advice: &'static str,
    },
    /// A formula that cannot be read, or does not describe the operands.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::<f32>::ones([2, 3]);
    /// let y = Tensor::einsum("ij,jk->ik", &[&a, &a]);
    /// ```
    /// A letter stands for one number of entries:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let a = Tensor::<f32>::ones([2, 3]);
    /// let y = Tensor::einsum("ij,kj->ik", &[&a, &a]);
    /// ```
    #[error("{op}: at position {position} of `{formula}`: {problem}")]
    Formula {
        /// The operation.
        op: &'static str,
        /// The formula as it was given.
        formula: Box<str>,
        /// Where in it, in characters from 0.
        position: usize,
        /// What is wrong there.
        problem: Box<str>,
    },
    /// Class labels that are not one for each row of logits.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).cross_entropy(&Tensor::from([[1, 0, 0], [0, 0, 1]]));
    /// ```
    /// A row has the number of its class:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let one_hot = Tensor::from([[1_i64, 0, 0], [0, 0, 1]]);
    /// let y = Tensor::<f32>::ones([2, 3]).cross_entropy(&one_hot.argmax_axis(-1));
    /// ```
    #[error(
        "{op}: labels of shape {labels} for logits of shape {logits}; expected the number of a class for each row, shape {}",
        Shape::from(&logits[..logits.rank() - 1])
    )]
    Labels {
        /// The operation.
        op: &'static str,
        /// The shape of the logits.
        logits: Shape,
        /// The shape of the labels.
        labels: Shape,
    },
    /// A class label that is not one of the classes.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).cross_entropy(&Tensor::from([0, 3]));
    /// ```
    /// The labels of three classes are 0, 1 and 2:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).cross_entropy(&Tensor::from([0, 2]));
    /// ```
    #[error("{op}: row {row} has label {label}; with {classes} classes a label is at least 0 and less than {classes}")]
    Label {
        /// The operation.
        op: &'static str,
        /// The row of the batch.
        row: usize,
        /// The label found there.
        label: i64,
        /// The number of classes.
        classes: usize,
    },
    /// An integer division by zero.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1, 2]) / Tensor::from([1, 0]);
    /// ```
    /// Floating-point division has a result, an infinity or NaN:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::from([1.0, 2.0]) / Tensor::from([1.0, 0.0]);
    /// ```
    #[error(
        "{op}: integer division by zero in a divisor of shape {shape}; cast to a floating-point type, or replace the zeros"
    )]
    ZeroDivisor {
        /// The operation.
        op: &'static str,
        /// The divisor's shape.
        shape: Shape,
    },
    /// Channels of an image that are not those its filters take.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([6, 4, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().groups(2));
    /// ```
    /// A filter of one of two groups sees half of the channels:
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([6, 2, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().groups(2));
    /// ```
    #[error(
        "{op}: x {x} has {} channels, weight {weight} takes {} in each of {groups} groups; a weight is [out, in / groups, {}]",
        x[1], weight[1], kernel_axes(weight)
    )]
    Channels {
        /// The operation.
        op: &'static str,
        /// The shape of the images, `[n, c, h, w]`, or volumes, `[n, c, d, h, w]`.
        x: Shape,
        /// The shape of the filters.
        weight: Shape,
        /// The number of groups.
        groups: usize,
    },
    /// Channels of an image that are not those its filters put down.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([6, 4, 3, 3]));
    /// let y = x.conv_transpose2d(&w, &TransposedConvolution::new());
    /// ```
    /// The filters of a transposed convolution are those of the convolution it undoes, whose outputs come first:
    /// ```
    /// # use wengert_tensor::{Tensor, TransposedConvolution};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([4, 6, 3, 3]));
    /// let y = x.conv_transpose2d(&w, &TransposedConvolution::new());
    /// ```
    #[error(
        "{op}: x {x} has {} channels, weight {weight} takes {}; a transposed weight is [in, out / groups, {}]",
        x[1], weight[0], kernel_axes(weight)
    )]
    TransposedChannels {
        /// The operation.
        op: &'static str,
        /// The shape of the images, `[n, c, h, w]`.
        x: Shape,
        /// The shape of the filters.
        weight: Shape,
    },
    /// Filters that cannot be dealt out evenly to groups.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([5, 2, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().groups(2));
    /// ```
    /// Every group has as many outputs:
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 4, 8, 8]), Tensor::ones([6, 2, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().groups(2));
    /// ```
    #[error("{op}: weight {weight} has {} outputs, not a multiple of its {groups} groups", weight[0])]
    Groups {
        /// The operation.
        op: &'static str,
        /// The shape of the filters.
        weight: Shape,
        /// The number of groups.
        groups: usize,
    },
    /// A window larger than what it slides over.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let y = Tensor::<f32>::ones([1, 1, 2, 2]).max_pool2d(&Pooling::new(3));
    /// ```
    /// Padding gives it room:
    /// ```
    /// # use wengert_tensor::{Pooling, Tensor};
    /// let y = Tensor::<f32>::ones([1, 1, 2, 2]).max_pool2d(&Pooling::new(3).padding(1));
    /// ```
    #[error(
        "{op}: the window spans {span} entries of axis {axis}, x {shape} has {} and a padding of {padding} on both sides; use a smaller window or more padding",
        shape[*axis]
    )]
    Window {
        /// The operation.
        op: &'static str,
        /// The axis of the images.
        axis: usize,
        /// The entries from the first of the window to its last.
        span: usize,
        /// The padding along that axis.
        padding: usize,
        /// The shape of the images.
        shape: Shape,
    },
    /// A shape that does not end in the features to be normalised.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).layer_norm([2], None, None, 1e-5);
    /// ```
    /// Features are the last axes:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 3]).layer_norm([3], None, None, 1e-5);
    /// ```
    #[error("{op}: shape {shape} does not end in {features}; give the sizes of its last axes, of one at least")]
    Features {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// What it should end in.
        features: Shape,
    },
    /// Channels that groups cannot share evenly.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 6]).group_norm(4, 1e-5);
    /// ```
    /// Two or three groups of six channels have as many each:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::ones([2, 6]).group_norm(3, 1e-5);
    /// ```
    #[error(
        "{op}: axis 1 of shape {shape} has {} channels, which {groups} groups cannot share evenly; choose a divisor of {}",
        shape[1], shape[1]
    )]
    ChannelGroups {
        /// The operation.
        op: &'static str,
        /// The operand's shape, `[n, channels, ..]`.
        shape: Shape,
        /// The number of groups.
        groups: usize,
    },
    /// Queries, keys and values that do not go together.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, k) = (Tensor::<f32>::ones([5, 3]), Tensor::ones([4, 2]));
    /// let y = q.scaled_dot_product_attention(&k, &k, &Attention::new());
    /// ```
    /// Keys are as long as queries, and there are as many values as keys:
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let (q, k) = (Tensor::<f32>::ones([5, 3]), Tensor::ones([4, 3]));
    /// let y = q.scaled_dot_product_attention(&k, &Tensor::ones([4, 7]), &Attention::new());
    /// ```
    #[error(
        "{op}: q {}, k {} and v {} do not go together; they are [.., l, d], [.., s, d] and [.., s, dv] with the same leading axes",
        shapes[0], shapes[1], shapes[2]
    )]
    Attention {
        /// The operation.
        op: &'static str,
        /// The shapes of queries, keys and values.
        shapes: Box<[Shape; 3]>,
    },
    /// Queries, keys and values side by side that heads cannot share.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Attention, Tensor};
    /// let y = Tensor::<f32>::ones([5, 18]).self_attention(4, &Attention::new());
    /// ```
    /// Each head has as many features of its queries, of its keys and of its values:
    /// ```
    /// # use wengert_tensor::{Attention, Tensor};
    /// let y = Tensor::<f32>::ones([5, 18]).self_attention(3, &Attention::new());
    /// ```
    #[error(
        "{op}: shape {shape} does not hold queries, keys and values of {heads} heads side by side; it is [.., l, 3 * heads * d]"
    )]
    PackedHeads {
        /// The operation.
        op: &'static str,
        /// The operand's shape.
        shape: Shape,
        /// The number of heads.
        heads: usize,
    },
    /// A stride, padding, dilation or number of groups without meaning.
    ///
    /// ```should_panic
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 1, 8, 8]), Tensor::ones([1, 1, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().stride(0));
    /// ```
    /// Windows move by at least one:
    /// ```
    /// # use wengert_tensor::{Convolution, Tensor};
    /// let (x, w) = (Tensor::<f32>::ones([1, 1, 8, 8]), Tensor::ones([1, 1, 3, 3]));
    /// let y = x.conv2d(&w, &Convolution::new().stride(1));
    /// ```
    #[error("{op}: {setting} is {value}, expected {expected}")]
    Setting {
        /// The operation.
        op: &'static str,
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: usize,
        /// What values it may have.
        expected: &'static str,
    },
    /// A matrix that an operation of linear algebra is not defined for. Boxed: it names a matrix of a batch.
    #[cfg(feature = "linalg")]
    #[error(transparent)]
    Linalg(Box<crate::linalg::LinalgError>),
    /// More elements than an address space has bytes.
    ///
    /// ```should_panic
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::zeros([1 << 40, 1 << 40]);
    /// ```
    /// A dimension was probably computed wrongly; `try_zeros` returns this as a value:
    /// ```
    /// # use wengert_tensor::Tensor;
    /// assert!(Tensor::<f32>::try_zeros([1 << 40, 1 << 40]).is_err());
    /// ```
    #[error("{op}: shape {shape} has more elements than memory can address")]
    TooLarge {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        shape: Shape,
    },
    /// The allocator refused.
    ///
    /// ```no_run
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::zeros([10_000_000, 1_000_000]); // 40 TB
    /// ```
    /// Work on parts, or let idle buffers go with [`pool::trim`](crate::pool::trim):
    /// ```
    /// # use wengert_tensor::Tensor;
    /// let y = Tensor::<f32>::zeros([10_000, 1_000]);
    /// ```
    #[error(
        "{op}: no memory for {bytes} bytes, the size of shape {shape}; use a smaller batch, or free idle buffers with `pool::trim`"
    )]
    Memory {
        /// The operation.
        op: &'static str,
        /// The shape asked for.
        shape: Shape,
        /// Its size.
        bytes: usize,
    },
}

/// The size of `shape` along `axis` of the broadcast of `shape` and `other`.
fn aligned(shape: &Shape, other: &Shape, axis: usize) -> usize {
    let lead = other.rank().saturating_sub(shape.rank());
    axis.checked_sub(lead).map_or(1, |axis| shape[axis])
}

fn infer_advice(from: &Shape, known: usize, unknown: usize) -> String {
    match (from.size(), unknown) {
        (_, 2..) => format!("{unknown} are open, and one can be inferred"),
        (0, _) => "without elements every size would do, so give it".to_owned(),
        (size, _) => format!("{size} elements are not a multiple of {known}"),
    }
}

/// The last axes of filters for sequences, images and volumes.
fn kernel_axes(weight: &Shape) -> &'static str {
    match weight.rank() {
        3 => "k",
        5 => "kd, kh, kw",
        _ => "kh, kw",
    }
}

fn join_advice(op: &str, axis: usize) -> String {
    if op == "stack" {
        "all shapes must be equal".to_owned()
    } else {
        format!("shapes may differ along axis {axis} only")
    }
}

/// Says which axes there are.
struct AxesOf(usize);

impl fmt::Display for AxesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("a single number has no axes"),
            1 => f.write_str("use 0, or -1 from the end"),
            rank => write!(f, "use 0 to {}, or -{rank} to -1 from the end", rank - 1),
        }
    }
}

/// Says which indices an axis of this many entries has.
struct EntriesOf(usize);

impl fmt::Display for EntriesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("it has no entries"),
            1 => f.write_str("its only entry is 0"),
            len => write!(f, "its entries are 0 to {}", len - 1),
        }
    }
}

/// Says which rows there are.
struct RowsOf(usize);

impl fmt::Display for RowsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("there are no rows"),
            1 => f.write_str("its only row is 0"),
            len => write!(f, "its rows are 0 to {}", len - 1),
        }
    }
}

/// Panics with the error's own sentence at the line of the caller.
pub(crate) trait OrPanic<V> {
    fn or_panic(self) -> V;
}

impl<V> OrPanic<V> for Result<V, ShapeError> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> V {
        match self {
            Ok(value) => value,
            Err(error) => fail(&error),
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn fail(error: &ShapeError) -> ! {
    refuse(error);
    panic!("{error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_small_enough_to_return_by_value() {
        assert!(size_of::<ShapeError>() < 128, "{}", size_of::<ShapeError>());
    }
}
