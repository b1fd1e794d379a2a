//! Arrays of variables: ndarray's arithmetic, sums and products.

use ndarray::{Array1, Array2, Axis, array};
use wengert_core::{Real, real};

#[test]
fn arithmetic_of_arrays_and_numbers() {
    let y = |x: &[Real]| {
        let a = Array1::from(x.to_vec());
        let b = &a * &a + &a * 3.0 - a[0] / 2.0;
        ((b - &a) * a[1] / Real::from(4.0)).sum()
    };
    // b_i - a_i = x_i^2 + 2 x_i - x_0/2, times x_1/4, summed over i = 0, 1, 2.
    let x = [1.0, 2.0, -3.0];
    let inner: f64 = x.iter().map(|x| x * x + 2.0 * x - 0.5).sum();
    let expected = [0.5 * (4.0 - 1.5), inner / 4.0 + 0.5 * 6.0, 0.5 * -4.0];
    assert_eq!(real::grad(y, &x), expected);
}

#[test]
fn matrix_products() {
    // y = u . A v: A_bar = u vT, u_bar = A v, v_bar = AT u.
    let y = |x: &[Real]| {
        let a = Array2::from_shape_vec((2, 3), x[..6].to_vec()).unwrap();
        let (u, v) = (Array1::from(x[6..8].to_vec()), Array1::from(x[8..].to_vec()));
        u.dot(&a.dot(&v))
    };
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0];
    let expected = [63.0, 70.0, 77.0, 72.0, 80.0, 88.0, 62.0, 152.0, 39.0, 54.0, 69.0];
    assert_eq!(real::grad(y, &x), expected);
}

#[test]
fn sums_along_axes_means_and_products() {
    let y = |x: &[Real]| {
        let a = Array2::from_shape_vec((2, 2), x.to_vec()).unwrap();
        a.sum_axis(Axis(0)).product() + a.mean().unwrap() * 8.0 + a.row(0).sum()
    };
    // (x0 + x2)(x1 + x3) + 2 sum x + x0 + x1
    assert_eq!(real::grad(y, &[1.0, 2.0, 3.0, 4.0]), [9.0, 7.0, 8.0, 6.0]);
    let zeros: Array1<Real> = Array1::zeros(3) + Array1::<Real>::ones(3);
    assert_eq!(zeros, array![1.0, 1.0, 1.0].mapv(Real::from));
}
