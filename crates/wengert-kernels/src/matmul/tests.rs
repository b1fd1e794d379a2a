//! Products against the sum written out in `f64`, for every level, layout and awkward size.

use super::*;
use crate::numbers::numbers;

/// `c` by the definition, with the sums of absolute values beside it.
fn definition<F: Float>(p: &MatMul<'_, F>, c: &[F]) -> Vec<(f64, f64)> {
    let at = |x: &MatRef<'_, F>, i: usize, j: usize| -> f64 { F::to_f64(x.slice[i * x.row_stride + j * x.col_stride]) };
    (0..p.m * p.n)
        .map(|index| {
            let (i, j) = (index / p.n, index % p.n);
            let terms = (0..p.k).map(|q| p.alpha.to_f64() * at(&p.a, i, q) * at(&p.b, q, j));
            let start = if p.beta == Beta::Accumulate { c[index].to_f64() } else { 0.0 };
            terms.fold((start, start.abs()), |(sum, abs), t| (sum + t, abs + t.abs()))
        })
        .collect()
}

fn check<F: Float>([m, k, n]: [usize; 3], variant: usize) {
    // Two elements in front and rows longer than needed: nothing is aligned, and strides are not lengths.
    let pad = 2 + variant % 3;
    let (a, b) = (numbers::<F>(2 + (m + pad) * (k + pad), 1), numbers::<F>(2 + (k + pad) * (n + pad), 2));
    let side = |slice, rows, columns, turned| {
        if turned { MatRef::row_major(slice, rows + pad).t() } else { MatRef::row_major(slice, columns + pad) }
    };
    let product = MatMul {
        m,
        k,
        n,
        a: side(&a[2..], m, k, variant & 1 == 1),
        b: side(&b[1..], k, n, variant & 2 == 2),
        alpha: F::from_f64(if variant & 4 == 4 { -0.5 } else { 1.0 }),
        beta: if variant & 8 == 8 { Beta::Accumulate } else { Beta::Overwrite },
    };
    let before = if product.beta == Beta::Accumulate { numbers::<F>(m * n, 3) } else { vec![F::NAN; m * n] };
    let exact = definition(&product, &before);
    for level in Level::available() {
        let mut one = before.clone();
        matmul_at(level, product, &mut one, Par::SEQUENTIAL);
        for (index, (&got, &(want, scale))) in one.iter().zip(&exact).enumerate() {
            // The worst case of a sum of k terms is k/2 eps; blocks and rounding to even keep it far below.
            let tolerance = F::EPSILON.to_f64() * (2.0 + (k as f64).sqrt()) * scale;
            assert!(
                (got.to_f64() - want).abs() <= tolerance,
                "{level:?} {} [{m}, {k}] x [{k}, {n}], variant {variant}, element {index}: {got}, expected {want}",
                F::NAME
            );
        }
        for threads in [2, 3, 8] {
            let mut many = before.clone();
            matmul_at(level, product, &mut many, Par::new(threads));
            assert!(one == many, "{level:?} [{m}, {k}, {n}] variant {variant}: {threads} threads change the bits");
        }
    }
}

#[test]
fn products_equal_their_definition_at_awkward_sizes() {
    for shape in [
        [1, 1, 1],
        [2, 3, 4],
        [4, 2, 16],
        [5, 7, 17],
        [7, 16, 15],
        [8, 1, 33],
        [13, 31, 31],
        [14, 32, 32],
        [15, 33, 65],
        [29, 64, 10],
        [3, 300, 70],
        [70, 257, 3],
        [43, 130, 97],
    ] {
        for variant in 0..16 {
            check::<f32>(shape, variant);
            check::<f64>(shape, variant);
        }
    }
}

#[test]
fn products_with_a_vector_equal_their_definition() {
    for shape in [[1, 5, 7], [1, 1000, 65], [9, 33, 1], [130, 257, 1], [1, 40, 1]] {
        for variant in 0..16 {
            check::<f32>(shape, variant);
            check::<f64>(shape, variant);
        }
    }
}

#[test]
fn products_with_a_vector_equal_their_definition_around_the_length_of_every_vector() {
    let lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65];
    for (m, k) in lengths.into_iter().flat_map(|m| lengths.map(|k| (m, k))) {
        // Rows and columns of the matrix as they lie, the second with a factor and added to what is there.
        for variant in [0, 1, 12, 13] {
            check::<f32>([m, k, 1], variant);
            check::<f64>([m, k, 1], variant);
        }
    }
    // More columns than are kept in registers, of more rows than are taken together.
    for variant in [0, 12] {
        check::<f32>([1, 70, 129], variant);
        check::<f64>([1, 70, 67], variant);
    }
}

#[test]
fn large_products_equal_their_definition() {
    for (shape, variant) in [([430, 300, 40], 0), ([33, 520, 1100], 2), ([150, 300, 150], 9), ([1, 700, 700], 0)] {
        check::<f32>(shape, variant);
        check::<f64>(shape, variant);
    }
}

#[test]
fn products_with_a_short_side_equal_their_definition() {
    // By dot products: variant 2 turns the right operand, so that both lie along the inner dimension.
    for shape in
        [[2, 128, 128], [3, 129, 130], [5, 300, 131], [8, 143, 128], [200, 150, 7], [131, 128, 2], [16, 1100, 1000]]
    {
        for variant in [2, 6, 10, 14] {
            check::<f32>(shape, variant);
            check::<f64>(shape, variant);
        }
    }
    // By strips: few terms, or few rows and a large right operand.
    for shape in [[128, 2, 128], [130, 7, 200], [150, 16, 131], [129, 9, 160]] {
        for variant in [0, 1, 4, 5, 8, 9, 12, 13] {
            check::<f32>(shape, variant);
            check::<f64>(shape, variant);
        }
    }
    for shape in [[2, 1030, 1021], [7, 300, 4200], [15, 1024, 1024]] {
        check::<f32>(shape, 0);
        check::<f64>(shape, 13);
    }
    // Cut among threads by rows, and, the last, in blocks of the inner dimension.
    for (shape, variant) in
        [([1000, 1100, 16], 2), ([1500, 12, 1400], 0), ([8, 16_500, 300], 2), ([3, 16_500, 700], 14)]
    {
        check::<f32>(shape, variant);
        check::<f64>(shape, variant);
    }
}

#[test]
fn a_result_written_around_the_caches_is_the_same() {
    let [m, k, n] = [2100, 3, 4096];
    let (a, b) = (numbers::<f32>(m * k, 1), numbers::<f32>(k * n, 2));
    let product = MatMul::row_major([m, k, n], &a, &b);
    let mut room = vec![f32::NAN; m * n + 32];
    let aligned = room.as_ptr().align_offset(64);
    let expected = {
        // One element further no row is aligned.
        let c = &mut room[aligned + 1..][..m * n];
        matmul_at(simd_level(), product, c, Par::SEQUENTIAL);
        c.to_vec()
    };
    for (level, threads) in Level::available().flat_map(|level| [(level, 1), (level, 2)]) {
        let c = &mut room[aligned..][..m * n];
        c.fill(f32::NAN);
        matmul_at(level, product, c, Par::new(threads));
        let (i, j) = (m - 1, n - 1);
        let corner: f32 = (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum();
        assert!((c[i * n + j] - corner).abs() <= 1e-6, "{level:?}");
        // Sums of three products differ by one rounding each where they are not fused.
        let close = |(x, y): (&f32, &f32)| if level == Level::Portable { (x - y).abs() <= 1e-6 } else { x == y };
        assert!(c.iter().zip(&expected).all(close), "{level:?}");
    }
}

#[test]
fn a_long_inner_dimension_is_cut_the_same_way_for_any_number_of_threads() {
    assert!(inner_parts(6, 20_000, 10) > 1);
    check::<f32>([6, 20_000, 10], 1);
    check::<f64>([6, 20_000, 10], 12);
}

#[test]
fn an_empty_inner_dimension_gives_zeros_or_changes_nothing() {
    let product = MatMul::<f32>::row_major([2, 0, 3], &[], &[]);
    let mut c = [1.0; 6];
    matmul(MatMul { beta: Beta::Accumulate, ..product }, &mut c, Par::SEQUENTIAL);
    assert_eq!(c, [1.0; 6]);
    matmul(product, &mut c, Par::SEQUENTIAL);
    assert_eq!(c, [0.0; 6]);
    matmul(MatMul::<f32>::row_major([0, 2, 3], &[], &[0.0; 6]), &mut [], Par::SEQUENTIAL);
}

#[test]
fn a_batch_is_its_products_one_by_one() {
    let [m, k, n] = [17, 9, 33];
    for batch in [0, 1, 5, 400] {
        let (a, b) = (numbers::<f32>(batch * m * k, 4), numbers::<f32>(k * n, 5));
        let mut together = vec![0.0; batch * m * n];
        let product = MatMul::row_major([m, k, n], &a, &b);
        matmul_batched(product, batch, m * k, 0, &mut together, Par::new(3));
        for (i, together) in together.chunks(m * n).enumerate() {
            let mut alone = vec![0.0; m * n];
            matmul(MatMul { a: MatRef::row_major(&a[i * m * k..], k), ..product }, &mut alone, Par::SEQUENTIAL);
            assert_eq!(together, alone);
        }
    }
}

#[test]
#[should_panic(expected = "reaches beyond its slice")]
fn an_operand_that_is_too_short_is_refused() {
    matmul(MatMul::row_major([2, 2, 2], &[0.0; 3], &[0.0; 4]), &mut [0.0; 4], Par::SEQUENTIAL);
}

#[test]
fn a_right_operand_packed_before_gives_the_same_bits() {
    fn check<F: Float>() {
        // More than a block of columns and of the inner dimension; rows of every height of a tile.
        for [m, k, n] in [[1, 3, 5], [2, 1, 2], [5, 70, 33], [13, 257, 64], [32, 128, 512], [17, 300, 1030], [3, 0, 4]]
        {
            let (a, b) = (numbers::<F>(m * (k + 2), 1), numbers::<F>(k * n, 2));
            let left = MatRef::row_major(&a, k + 2);
            for right in [MatRef::row_major(&b, n), MatRef::row_major(&b, k).t()] {
                for level in Level::available() {
                    let packed = PackedRight::at(level, right, [k, n]);
                    for beta in [Beta::Overwrite, Beta::Accumulate] {
                        let (mut got, mut want) = (vec![F::NAN; m * n], numbers::<F>(m * n, 3));
                        let start = numbers::<F>(m * n, 3);
                        let start = (beta == Beta::Accumulate).then_some(MatRef::row_major(&start, n));
                        packed.multiply(left, m, start, &mut got);
                        // A single row alone takes another way, with other sums.
                        let rows = m.max(2);
                        let twice: Vec<F> = a.iter().chain(&a).copied().collect();
                        want.extend_from_within(..(rows - m) * n);
                        let product = MatMul {
                            m: rows,
                            k,
                            n,
                            a: MatRef::row_major(&twice, k + 2),
                            b: right,
                            alpha: F::ONE,
                            beta,
                        };
                        matmul_at(level, product, &mut want, Par::SEQUENTIAL);
                        assert!(got == want[..m * n], "{level:?} {} [{m}, {k}] x [{k}, {n}], {beta:?}", F::NAME);
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn a_product_onto_another_matrix_has_the_bits_of_one_added_to_a_copy() {
    fn check<F: Float>() {
        // Products with short sides, single rows and columns, a long inner dimension of a small result, several blocks.
        for [m, k, n] in [
            [1, 5, 7],
            [7, 5, 1],
            [3, 0, 4],
            [0, 3, 4],
            [5, 70, 33],
            [4, 300, 200],
            [150, 257, 34],
            [200, 8, 200],
            [2, 16500, 3],
            [130, 300, 130],
        ] {
            let (a, b) = (numbers::<F>(m * k, 1), numbers::<F>(k * n, 2));
            let start = numbers::<F>(m * (n + 3), 3);
            // Rows with gaps between them, and the same row again and again.
            for start in
                [MatRef::row_major(&start[..], n + 3), MatRef { slice: &start[..], row_stride: 0, col_stride: 1 }]
            {
                let copy: Vec<F> =
                    (0..m).flat_map(|i| start.slice[i * start.row_stride..][..n].iter().copied()).collect();
                for turned in [false, true] {
                    let mut product = MatMul { alpha: F::from_f64(0.5), ..MatMul::row_major([m, k, n], &a, &b) };
                    if turned {
                        product.b = MatRef::row_major(&b, k).t();
                    }
                    for level in Level::available() {
                        let mut want = copy.clone();
                        matmul_at(level, MatMul { beta: Beta::Accumulate, ..product }, &mut want, Par::SEQUENTIAL);
                        for threads in [1, 2, 3, 8] {
                            let mut got = vec![F::NAN; m * n];
                            onto_at(level, product, start, &mut got, Par::new(threads));
                            assert!(got == want, "{level:?} {} [{m}, {k}] x [{k}, {n}], {threads} threads", F::NAME);
                        }
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
#[should_panic(expected = "a matrix of 2 x 2 reaches beyond its slice of 3")]
fn what_a_product_is_added_to_must_hold_the_result() {
    let start = MatRef::row_major(&[0.0; 3], 2);
    matmul_onto(MatMul::row_major([2, 1, 2], &[0.0; 2], &[0.0; 2]), start, &mut [0.0; 4], Par::SEQUENTIAL);
}

#[test]
#[should_panic(expected = "must be neighbours")]
fn columns_of_what_a_product_is_added_to_are_neighbours() {
    let start = MatRef::row_major(&[0.0; 4], 2).t();
    matmul_onto(MatMul::row_major([2, 1, 2], &[0.0; 2], &[0.0; 2]), start, &mut [0.0; 4], Par::SEQUENTIAL);
}
