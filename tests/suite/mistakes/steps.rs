//! Ops made of several: whichever step is refused, none stays on a tape, and the error names the op that was called.

use super::text;
use crate::torch::Var;
use wengert::nn::loss::{self, CrossEntropy};
use wengert::prelude::*;
use wengert::tensor::Padding;
use wengert_core::TensorFunction;

/// More rows than a program can address, in the memory of one.
const MANY: usize = 1 << 46;
/// Its square is that many.
const SIDE: usize = 1 << 23;
const MEMORY: &str = "no memory for";
const TAPES: &str = super::TAPES;

type Mistake = for<'t> fn(&Operands<'t>) -> String;

struct Operands<'t> {
    /// `[2, 3]`, here and on another tape.
    x: Var<'t>,
    far: Var<'t>,
    /// `[3]`, here and on another tape.
    v: Var<'t>,
    far_v: Var<'t>,
    /// `[2, 4, 3]`: a batch of sequences.
    batch: Var<'t>,
    /// `[4]` on another tape.
    far_channels: Var<'t>,
    /// A singular matrix, `[3, 3]`.
    singular: Var<'t>,
    /// The unit matrix, `[3, 3]`.
    regular: Var<'t>,
    /// `[MANY, 2]`.
    rows: Var<'t>,
    /// `[SIDE]`.
    side: Var<'t>,
    /// `[0, 3]`.
    nothing: Var<'t>,
    /// `[2]`, and of no axes.
    pair: Var<'t>,
    number: Var<'t>,
    /// `[MANY, 1, 2, 2]`, and with four channels.
    images: Var<'t>,
    colours: Var<'t>,
    /// `[2, 1]`.
    column: Var<'t>,
    /// `[1, 1, 2, 2]`, and `[1, 1, 1, 1]` on another tape.
    image: Var<'t>,
    far_filter: Var<'t>,
}

#[rustfmt::skip]
const ROWS: &[(&str, &str, Mistake)] = &[
    ("roll", MEMORY, |o| text(o.rows.try_roll(1, 1))),
    ("repeat", MEMORY, |o| text(o.rows.try_repeat(1, 2))),
    ("tile", MEMORY, |o| text(o.rows.try_tile(&[2]))),
    ("pad", MEMORY, |o| text(o.rows.try_pad(&[(1, 0)], Padding::Constant(0.0)))),
    ("pad", MEMORY, |o| text(o.rows.try_pad(&[(1, 0)], Padding::Reflect))),
    ("diag", MEMORY, |o| text(o.side.try_diag(0))),
    ("meshgrid", TAPES, |o| text(TensorVar::try_meshgrid(&[o.v, o.far_v]))),
    ("index_select", MEMORY, |o| text(o.rows.try_index_select(1, &Tensor::from([0, 1])))),
    ("masked_fill", MEMORY, |o| text(o.rows.try_masked_fill(Tensor::from([true, false]), 1.0))),
    ("scatter_add", "index 2 is out of range", |o| text(o.x.try_scatter_add(0, &Tensor::full([2, 3], 2), o.x))),
    ("scatter_add", TAPES, |o| text(o.x.try_scatter_add(0, &Tensor::zeros([2, 3]), o.far))),
    ("scatter_reduce", TAPES, |o| {
        text(o.x.try_scatter_reduce(0, &Tensor::zeros([2, 3]), o.far, Reduction::Mean, false))
    }),
    ("variance", MEMORY, |o| text(o.rows.try_variance_axes(1, 1.0))),
    ("std", MEMORY, |o| text(o.rows.try_std_axes(1, 1.0))),
    ("norm", MEMORY, |o| text(o.rows.try_norm_axes(3.0, 1))),
    ("norm", MEMORY, |o| text(o.rows.try_norm_axes(1.0, 1))),
    ("norm", MEMORY, |o| text(o.rows.try_norm_axes(f64::INFINITY, 1))),
    ("norm", MEMORY, |o| text(o.rows.try_norm_axes(2.0, 1))),
    ("normalize", MEMORY, |o| text(o.rows.try_normalize(1, 0.1))),
    ("median", MEMORY, |o| text(o.rows.try_median_axes(1))),
    ("quantile", MEMORY, |o| text(o.rows.try_quantile_axes(0.3, 1))),
    ("cumprod", MEMORY, |o| text(o.rows.try_cumprod(1))),
    ("matmul", MEMORY, |o| text(o.rows.try_matmul(o.pair))),
    ("matmul", TAPES, |o| text(o.x.try_matmul(o.far_v))),
    ("dot", TAPES, |o| text(o.v.try_dot(o.far_v))),
    ("outer", MEMORY, |o| text(o.side.try_outer(o.side))),
    ("outer", TAPES, |o| text(o.v.try_outer(o.far_v))),
    ("einsum", MEMORY, |o| text(TensorVar::try_einsum("i,j->ij", &[o.side, o.side]))),
    ("einsum", MEMORY, |o| text(TensorVar::try_einsum("ij,jk->ik", &[o.rows, o.column]))),
    ("einsum", MEMORY, |o| text(TensorVar::try_einsum("ij->i", &[o.rows]))),
    ("matrix_norm", MEMORY, |o| text(o.images.try_matrix_norm(MatrixNorm::One))),
    ("matrix_norm", MEMORY, |o| text(o.images.try_matrix_norm(MatrixNorm::Infinity))),
    ("trace", MEMORY, |o| text(o.images.try_trace())),
    ("solve", "singular", |o| text(o.singular.try_solve(o.v))),
    ("solve", TAPES, |o| text(o.singular.try_solve(o.far_v))),
    ("solve_triangular", "a zero on its diagonal", |o| text(o.singular.try_solve_triangular(o.v, Triangle::lower()))),
    ("solve_triangular", TAPES, |o| text(o.singular.try_solve_triangular(o.far_v, Triangle::lower()))),
    ("lstsq", TAPES, |o| text(o.regular.try_lstsq(o.far_v))),
    ("lstsq", "rank", |o| text(o.singular.try_lstsq(o.v))),
    ("pixel_shuffle", MEMORY, |o| text(o.colours.try_pixel_shuffle(2))),
    ("pixel_unshuffle", MEMORY, |o| text(o.colours.try_pixel_unshuffle(2))),
    ("conv_transpose2d", TAPES, |o| {
        // What is added behind is a step of its own here.
        let behind = TransposedConvolution::new().dilation(3).output_padding([0, 2]);
        text(o.image.try_conv_transpose2d(o.far_filter, &behind))
    }),
    ("batch_norm", "shapes [2] and [3] differ", |o| text(o.x.try_batch_norm(Some(o.pair), None, 0.1))),
    ("batch_norm", "shapes [2] and [3] differ", |o| text(o.x.try_batch_norm(Some(o.v), Some(o.pair), 0.1))),
    ("batch_norm", TAPES, |o| text(o.x.try_batch_norm(Some(o.v), Some(o.far_v), 0.1))),
    ("batch_norm", "epsilon is -1", |o| text(o.x.try_batch_norm(None, None, -1.0))),
    ("batch_norm", TAPES, |o| {
        text(o.x.try_batch_norm_with(&Tensor::ones([3]), &Tensor::ones([3]), Some(o.v), Some(o.far_v), 0.1))
    }),
    ("group_norm", "epsilon is -1", |o| text(o.batch.try_group_norm(2, None, None, -1.0))),
    ("group_norm", "shapes [3] and [4] differ", |o| text(o.batch.try_group_norm(2, None, Some(o.v), 0.1))),
    ("group_norm", TAPES, |o| text(o.batch.try_group_norm(2, Some(o.far_channels), None, 0.1))),
    ("instance_norm", TAPES, |o| text(o.batch.try_instance_norm(None, Some(o.far_channels), 0.1))),
    ("mse", "shapes [2, 3] and [3] differ", |o| text(loss::mse(o.x, &Tensor::ones([3])))),
    ("mse", "leaves no elements", |o| text(loss::mse(o.nothing, &Tensor::ones([0, 3])))),
    ("l1", "leaves no elements", |o| text(loss::l1(o.nothing, &Tensor::ones([0, 3])))),
    ("huber", "leaves no elements", |o| text(loss::huber(o.nothing, &Tensor::ones([0, 3]), 1.0))),
    ("smooth_l1", "leaves no elements", |o| text(loss::smooth_l1(o.nothing, &Tensor::ones([0, 3]), 0.0))),
    ("smooth_l1", "leaves no elements", |o| text(loss::smooth_l1(o.nothing, &Tensor::ones([0, 3]), 1.0))),
    ("bce_with_logits", "leaves no elements", |o| text(loss::bce_with_logits(o.nothing, &Tensor::ones([0, 3])))),
    ("hinge", "leaves no elements", |o| text(loss::hinge(o.nothing, &Tensor::ones([0, 3])))),
    ("kl_divergence", "leaves no elements", |o| text(loss::kl_divergence(o.nothing, &Tensor::ones([0, 3])))),
    ("nll", "row 1 has label 3", |o| text(loss::nll(o.x, &Tensor::from([0, 3])))),
    ("cross_entropy", "row 1 has label 3", |o| text(CrossEntropy::new().labels(o.x, &Tensor::from([0, 3])))),
    ("cross_entropy", "leaves no elements", |o| {
        text(CrossEntropy::new().probabilities(o.nothing, &Tensor::ones([0, 3])))
    }),
    ("triplet_margin", TAPES, |o| text(loss::triplet_margin(o.x, o.x, o.far, 1.0))),
    ("triplet_margin", "leaves no elements", |o| text(loss::triplet_margin(o.nothing, o.nothing, o.nothing, 1.0))),
    ("triplet_margin", "has 0 axes", |o| text(loss::triplet_margin(o.number, o.number, o.number, 1.0))),
    ("cosine_embedding", TAPES, |o| text(loss::cosine_embedding(o.x, o.far, &Tensor::ones([2]), 0.0))),
    ("cosine_embedding", "shapes [2] and [3] differ", |o| {
        text(loss::cosine_embedding(o.x, o.x, &Tensor::ones([3]), 0.0))
    }),
    ("cosine_embedding", "leaves no elements", |o| {
        text(loss::cosine_embedding(o.nothing, o.nothing, &Tensor::ones([0]), 0.0))
    }),
];

#[test]
fn of_ops_made_of_others_no_step_stays_and_the_whole_is_named() {
    let zeros = |shape: &[usize]| Tensor::scalar(0.0).broadcast_to(shape);
    let ones = |shape: &[usize]| Tensor::ones(shape);
    let mut wrong = Vec::new();
    for (op, expected, mistake) in ROWS {
        let (tape, away) = (Tape::new(), Tape::new());
        let o = Operands {
            x: tape.tensor(ones(&[2, 3])),
            far: away.tensor(ones(&[2, 3])),
            v: tape.tensor(ones(&[3])),
            far_v: away.tensor(ones(&[3])),
            batch: tape.tensor(ones(&[2, 4, 3])),
            far_channels: away.tensor(ones(&[4])),
            singular: tape.tensor(zeros(&[3, 3])),
            regular: tape.tensor(Tensor::eye(3)),
            rows: tape.tensor(ones(&[2]).broadcast_to([MANY, 2])),
            side: tape.tensor(zeros(&[SIDE])),
            nothing: tape.tensor(ones(&[0, 3])),
            pair: tape.tensor(ones(&[2])),
            number: tape.tensor(1.0),
            images: tape.tensor(ones(&[2, 2]).broadcast_to([MANY, 1, 2, 2])),
            colours: tape.tensor(ones(&[2, 2]).broadcast_to([MANY, 4, 2, 2])),
            column: tape.tensor(ones(&[2, 1])),
            image: tape.tensor(ones(&[1, 1, 2, 2])),
            far_filter: away.tensor(ones(&[1, 1, 1, 1])),
        };
        let y = o.x.square().sum();
        let gradient = y.gradient();
        let counts = || [tape.size().tensors, away.size().tensors];
        let before = counts();
        let said = mistake(&o);
        if !said.contains(&format!(": {op}: ")) || !said.contains(expected) || !said.contains(file!()) {
            wrong.push(format!("{op}: got `{said}`, expected `{expected}`"));
        }
        if counts() != before {
            wrong.push(format!("{op}, {expected}: {before:?} tensors before, {:?} after", counts()));
        }
        // What was there before is as it was, and what comes after has its derivative.
        assert_eq!(gradient[o.x], Tensor::full([2, 3], 2.0), "{op}");
        let later = (y * o.v.sum()).gradient();
        assert_eq!((&later[o.x], &later[o.v]), (&Tensor::full([2, 3], 6.0), &Tensor::full([3], 6.0)), "{op}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_recorded_program_forgets_what_was_refused() {
    let mut f = TensorFunction::record(&[Tensor::<f64>::zeros([2, 3])], |x| {
        let weight = x[0].tape().constant_tensor([1.0, 2.0]);
        let refused = x[0].try_group_norm(1, Some(weight), None, 0.1);
        assert!(text(refused).contains("group_norm: shapes [2] and [3] differ"));
        x[0].square().sum()
    })
    .expect("one number");
    assert_eq!(f.value(&[Tensor::ones([2, 3])]).expect("the same shape").item(), 6.0);
}
