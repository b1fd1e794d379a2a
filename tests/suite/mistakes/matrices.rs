//! Mistakes of products, norms and linear algebra.

use super::{NOTHING, Operands, TAPES, all_say, make, says, text};
use wengert::prelude::*;

#[test]
fn products_and_norms_of_matrices_name_what_must_be_equal() {
    make(|Operands { matrix: x, other, vector, pair, number, nothing, elsewhere, .. }| {
        let three = "operand of shape [] has 0 axes";
        says! {
            "matmul" {
                text(x.try_matmul(other)) =>
                    "inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [4, 5] contracts 4";
                text(x.try_matmul(number)) => three;
                text(x.try_matmul(elsewhere)) => TAPES;
                text(x.try_matmul(pair)) => "inner dimensions differ: lhs [2, 3] contracts 3 entries, rhs [2] contracts 2";
            }
            "dot" {
                text(x.try_dot(vector)) => "shapes [2, 3] and [3] differ; they must be equal";
                text(vector.try_dot(pair)) => "shapes [3] and [2] differ; they must be equal";
                text(x.try_dot(elsewhere)) => TAPES;
            }
            "outer" {
                text(x.try_outer(vector)) => "operand of shape [2, 3] has 2 axes; expected a vector";
                text(vector.try_outer(number)) => three;
                text(vector.try_outer(elsewhere)) => "";
            }
            "einsum" {
                text(TensorVar::try_einsum("ij,jk->ik", &[x, x])) => "`ij,jk->ik`";
                text(TensorVar::try_einsum("ij->", &[x, x])) => "`ij->`";
                text(TensorVar::try_einsum("ij,ij->", &[x, elsewhere])) => TAPES;
                text(TensorVar::try_einsum("ij,j->k", &[x, vector])) =>
                    "at position 6 of `ij,j->k`: `k` is not an axis of any operand";
            }
            "matrix_norm" {
                text(vector.try_matrix_norm(MatrixNorm::One)) => "operand of shape [3] has 1 axes; expected a matrix";
                text(number.try_matrix_norm(MatrixNorm::Spectral)) => three;
                text(nothing.try_matrix_norm(MatrixNorm::Infinity)) => NOTHING;
            }
            "mse" {
                text(x.try_mse(other)) => "shapes [2, 3] and [4, 5] differ";
                text(nothing.try_mse(nothing)) => NOTHING;
                text(x.try_mse(elsewhere)) => TAPES;
            }
        }
    });
}

#[test]
fn linear_algebra_names_matrices_and_what_they_are_not() {
    make(|Operands { matrix: wide, vector, pair, number, nan, tall, elsewhere, .. }| {
        let (vectors, none) = ("operand of shape [3] has 1 axes", "operand of shape [] has 0 axes");
        let wrong = "matrices of shape [2, 3] are not square; it takes [.., n, n]";
        macro_rules! square {
            ($($op:literal $f:ident;)*) => {
                all_say(file!(), &[$(($op, &[
                    (text(wide.$f()), wrong),
                    (text(vector.$f()), vectors),
                    (text(number.$f()), none),
                ])),*]);
            };
        }
        square! {
            "cholesky" try_cholesky;
            "inverse" try_inverse;
            "det" try_det;
            "slogdet" try_slogdet;
            "eigh" try_eigh;
            "eigh" try_eigvalsh;
            "expm" try_expm;
            "trace" try_trace;
        }
        let lower = Triangle::lower();
        let bad = "the matrix of shape [2, 3] has NaN at [0, 0]";
        says! {
            "solve" {
                text(wide.try_solve(wide)) => wrong;
                text(vector.try_solve(vector)) => vectors;
                text(wide.try_solve(elsewhere)) => TAPES;
            }
            "lstsq" {
                text(wide.try_lstsq(wide)) => "matrices of shape [2, 3] have less rows than columns";
                text(vector.try_lstsq(vector)) => vectors;
                text(tall.try_lstsq(pair)) => "matrices of shape [3, 2] have 3 rows, right-hand sides of shape [2] have 2";
            }
            "solve_triangular" {
                text(wide.try_solve_triangular(wide, lower)) => wrong;
                text(vector.try_solve_triangular(vector, lower)) => vectors;
                text(wide.try_solve_triangular(elsewhere, lower)) => TAPES;
            }
            "qr" {
                text(vector.try_qr()) => vectors;
                text(number.try_qr()) => none;
                text(nan.try_qr()) => bad;
            }
            "svd" {
                text(vector.try_svd()) => vectors;
                text(number.try_svd()) => none;
                text(nan.try_svdvals()) => bad;
            }
        }
    });
}
