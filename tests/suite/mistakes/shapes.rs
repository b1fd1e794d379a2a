//! Mistakes of what rearranges, joins and picks.

use super::{AXIS_2, AXIS_3, NO_AXES, Operands, TAPES, TWICE, all_say, make, says, text};
use crate::panics::panic_text;
use wengert::prelude::*;
use wengert::tensor::Padding;

#[test]
fn rearrangements_name_sizes_and_places() {
    make(|Operands { matrix: x, other, vector, number, nothing, cube, elsewhere, .. }| {
        let at = |k: i64| Tensor::full([2, 3], k);
        let beyond = "index 2 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1";
        let negative = "index -1 is out of range for axis 0 of shape [2, 3]; its entries are 0 to 1";
        const HUGE: usize = 1 << 40;
        says! {
            "reshape" {
                text(x.try_reshape([4, 2])) => "shape [2, 3] has 6 elements, shape [4, 2] has 8; they must be equal";
                text(x.try_reshape([0])) => "shape [2, 3] has 6 elements, shape [0] has 0";
                text(number.try_reshape([2])) => "shape [] has 1 elements, shape [2] has 2";
            }
            "unsqueeze" {
                text(x.try_unsqueeze(3)) => "axis 3 is out of range";
                panic_text(|| x.unsqueeze(-4)) => "axis -4 is out of range";
                panic_text(|| number.unsqueeze(1)) => "axis 1 is out of range";
            }
            "squeeze" {
                text(x.try_squeeze(0)) =>
                    "axis 0 of shape [2, 3] has 2 entries; only an axis of one entry can be removed";
                panic_text(|| nothing.squeeze(0)) => "axis 0 of shape [0, 3] has 0 entries";
                panic_text(|| x.squeeze(2)) => AXIS_2;
            }
            "slice" {
                text(x.try_slice(2, ..)) => AXIS_2;
                text(x.try_slice(1, 1..7)) => "range 1..7 leaves axis 1 of shape [2, 3], which has 3 entries";
                text(x.try_slice(1, Slice::from(..).step(0))) => "step 0 never arrives";
            }
            "flip" {
                text(x.try_flip(2)) => AXIS_2;
                panic_text(|| x.flip(-3)) => AXIS_3;
                text(number.try_flip(0)) => NO_AXES;
            }
            "t" {
                text(vector.try_t()) => "operand of shape [3] has 1 axes";
                panic_text(|| vector.t()) => "expected a matrix; use `transpose` to say which axes change places";
                text(number.try_t()) => "operand of shape [] has 0 axes";
            }
            "permute" {
                text(x.try_permute([0])) => "1 axes given for shape [2, 3]; name each of its 2 axes once";
                text(x.try_permute([0, 0])) => TWICE;
                text(x.try_permute([0, 2])) => AXIS_2;
            }
            "broadcast_to" {
                text(x.try_broadcast_to([3, 2])) => "shape [2, 3] does not broadcast to [3, 2]";
                text(x.try_broadcast_to([3])) => "shape [2, 3] does not broadcast to [3]";
                text(nothing.try_broadcast_to([2, 3])) => "shape [0, 3] does not broadcast to [2, 3]";
            }
            "sum_to" {
                text(x.try_sum_to([3, 2])) => "shape [3, 2] does not broadcast to [2, 3]";
                panic_text(|| x.sum_to([4, 2, 3])) => "shape [4, 2, 3] does not broadcast to [2, 3]";
                panic_text(|| number.sum_to([1])) => "shape [1] does not broadcast to []";
            }
            "concat" {
                text(TensorVar::try_concat(&[x, other], 0)) =>
                    "tensor 1 of shape [4, 5] does not fit the first, of shape [2, 3]";
                text(TensorVar::try_concat(&[x, vector], 0)) => "tensor 1 of shape [3] does not fit the first";
                text(TensorVar::try_concat(&[x, elsewhere], 0)) => TAPES;
            }
            "stack" {
                text(TensorVar::try_stack(&[x, other], 0)) =>
                    "tensor 1 of shape [4, 5] does not fit the first, of shape [2, 3]";
                text(TensorVar::try_stack(&[x, x], 3)) => "axis 3 is out of range";
                text(TensorVar::try_stack(&[x, elsewhere], 0)) => TAPES;
            }
            "split" {
                text(x.try_split(1, &[1, 1])) => "the parts have 2 entries together, axis 1 of shape [2, 3] has 3";
                text(x.try_split(0, &[])) => "the parts have 0 entries together, axis 0 of shape [2, 3] has 2";
                text(x.try_split(0, &[usize::MAX, 3])) => "axis 0 of shape [2, 3] has 2";
            }
            "chunk" {
                text(x.try_chunk(1, 0)) => "parts is 0; expected 1 at least";
                text(nothing.try_chunk(0, 0)) => "parts is 0; expected 1 at least";
                text(x.try_chunk(2, 1)) => AXIS_2;
            }
            "repeat" {
                text(x.try_repeat(0, usize::MAX)) => "memory";
                text(x.try_repeat(1, usize::MAX)) => "memory";
                panic_text(|| x.repeat(2, 1)) => AXIS_2;
            }
            "tile" {
                text(x.try_tile(&[HUGE, HUGE])) => "memory";
                text(x.try_tile(&[usize::MAX, 1])) => "memory";
                panic_text(|| x.tile(&[usize::MAX])) => "memory";
            }
            "pad" {
                text(x.try_pad(&[(0, 3)], Padding::Reflect)) => "0 before and 3 after axis 1 of shape [2, 3]";
                text(nothing.try_pad(&[(1, 0), (0, 0)], Padding::Replicate)) =>
                    "1 before and 0 after axis 0 of shape [0, 3]";
                text(x.try_pad(&[(0, 1); 3], Padding::Constant(0.0))) => "operand of shape [2, 3] has 2 axes";
            }
            "gather" {
                text(x.try_gather(0, &at(2))) => beyond;
                text(x.try_gather(0, &at(-1))) => negative;
                text(x.try_gather(0, &Tensor::zeros([1, 4]))) =>
                    "shape [1, 4] of the indices does not go with shape [2, 3]; they may differ along axis 0 only";
            }
            "take_along_axis" {
                text(x.try_take_along_axis(&at(2), 0)) => beyond;
                text(x.try_take_along_axis(&at(-1), 0)) => negative;
                text(x.try_take_along_axis(&Tensor::zeros([1, 4]), 0)) => "shape [1, 4] of the indices does not go with";
            }
            "index_select" {
                text(x.try_index_select(0, &Tensor::from([2]))) => beyond;
                text(x.try_index_select(0, &Tensor::from([-1]))) => negative;
                text(x.try_index_select(0, &at(0))) => "operand of shape [2, 3] has 2 axes";
            }
            "scatter" {
                text(x.try_scatter(0, &at(2), x)) => beyond;
                text(x.try_scatter(0, &at(0), vector)) => "shapes [2, 3] and [3] differ; they must be equal";
                text(x.try_scatter(0, &at(0), elsewhere)) => TAPES;
            }
            "scatter_add" {
                text(x.try_scatter_add(0, &at(-1), x)) => negative;
                text(x.try_scatter_add(0, &at(0), vector)) => "shapes [2, 3] and [3] differ; they must be equal";
                text(x.try_scatter_add(0, &at(0), elsewhere)) => TAPES;
            }
            "scatter_reduce" {
                text(x.try_scatter_reduce(0, &at(2), x, Reduction::Max, true)) => beyond;
                text(x.try_scatter_reduce(0, &at(0), vector, Reduction::Mean, false)) =>
                    "shapes [2, 3] and [3] differ; they must be equal";
                text(x.try_scatter_reduce(0, &at(0), elsewhere, Reduction::Prod, true)) => TAPES;
            }
            "pick" {
                text(x.try_pick(&at(6))) => "6";
                text(x.try_pick(&at(-2))) => "-2";
                text(nothing.try_pick(&at(0))) => "0";
            }
            "gather_rows" {
                text(x.try_gather_rows(&Tensor::from([0, 5]))) => "index 1 asks for row 5 of shape [2, 3]";
                text(x.try_gather_rows(&Tensor::from([-1]))) => "index 0 asks for row -1 of shape [2, 3]";
                text(nothing.try_gather_rows(&Tensor::from([0]))) => "index 0 asks for row 0 of shape [0, 3]";
            }
            "tril" {
                text(vector.try_tril(0)) => "operand of shape [3] has 1 axes; expected a matrix or a batch of matrices";
                text(number.try_tril(1)) => "operand of shape [] has 0 axes";
                panic_text(|| vector.tril(0)) => "operand of shape [3] has 1 axes";
            }
            "triu" {
                text(vector.try_triu(0)) => "operand of shape [3] has 1 axes; expected a matrix or a batch of matrices";
                text(number.try_triu(1)) => "operand of shape [] has 0 axes";
                panic_text(|| vector.triu(0)) => "operand of shape [3] has 1 axes";
            }
            "diag" {
                text(number.try_diag(0)) => "operand of shape [] has 0 axes";
                text(cube.try_diag(0)) => "operand of shape [2, 3, 1] has 3 axes";
                text(vector.try_diag(isize::MAX)) => "memory";
            }
            "diagonal" {
                text(x.try_diagonal(0, 0, 0)) => TWICE;
                text(x.try_diagonal(0, 0, 2)) => AXIS_2;
                text(vector.try_diagonal(0, 0, 1)) => "axis 1 is out of range for shape [3]";
            }
            "meshgrid" {
                text(TensorVar::try_meshgrid(&[vector, x])) => "operand of shape [2, 3] has 2 axes";
                text(TensorVar::try_meshgrid(&[number])) => "operand of shape [] has 0 axes";
                text(TensorVar::try_meshgrid(&[vector; 80])) => "memory";
            }
        }
        // What names a step on the way names the caller's line all the same.
        assert!(text(x.try_pad(&[(HUGE, 1), (1, 1)], Padding::Constant(0.0))).starts_with(file!()));
        // Of plain numbers: there is no line but a panic's.
        let said = |labels: &[i64], classes| text(Tensor::<f64>::try_one_hot(&Tensor::from(labels), classes));
        let one_hot = [
            (said(&[0, 3], 3), "row 1 has label 3; with 3 classes a label is at least 0 and less than 3"),
            (said(&[-1], 3), "row 0 has label -1"),
            (said(&[0], usize::MAX), "memory"),
        ];
        all_say("", &[("one_hot", &one_hot)]);
    });
}
