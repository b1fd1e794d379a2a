//! The reference values under `tests/reference`: 60-digit arithmetic, rounded once.

/// One point of a function: arguments, results (value, then derivatives), and the unit each result is measured in where
/// that is larger than the result itself.
pub struct Point {
    pub arguments: Vec<f64>,
    pub results: Vec<f64>,
    pub units: Vec<f64>,
}

/// The results of a function of two arguments, with their orders.
pub const OF_TWO: [(&str, usize); 6] = [("y", 0), ("da", 1), ("db", 1), ("daa", 2), ("dab", 2), ("dbb", 2)];

/// Tables of value, first and second derivatives, by the number of arguments.
const UNARY: [&str; 4] = [
    include_str!("../reference/unary.tsv"),
    include_str!("../reference/special_unary.tsv"),
    include_str!("../reference/special_parametric.tsv"),
    include_str!("../reference/activations.tsv"),
];
const BINARY: [&str; 2] = [include_str!("../reference/binary.tsv"), include_str!("../reference/special_binary.tsv")];
/// Tables of third and fourth derivatives.
const HIGHER_UNARY: [&str; 2] =
    [include_str!("../reference/higher_unary.tsv"), include_str!("../reference/higher_parametric.tsv")];
const HIGHER_BINARY: [&str; 1] = [include_str!("../reference/higher_binary.tsv")];

/// The points of the function `name` of one or two `arguments`: value, and first and second derivatives.
pub fn points(name: &str, arguments: usize) -> Vec<Point> {
    let (tables, results) = if arguments == 1 { (&UNARY[..], 3) } else { (&BINARY[..], 6) };
    let points = read(tables, name, arguments, results);
    assert!(!points.is_empty(), "{name}: no reference values; add it to tests/reference/special.py and run that");
    points
}

/// The points of a smooth function: third and fourth derivative, of two arguments along one direction.
pub fn higher(name: &str, arguments: usize) -> Vec<Point> {
    read(if arguments == 1 { &HIGHER_UNARY } else { &HIGHER_BINARY }, name, arguments, 2)
}

fn read(tables: &[&str], name: &str, arguments: usize, results: usize) -> Vec<Point> {
    let of_function = |line: &&str| line.split('\t').next() == Some(name);
    let point = |line: &str| {
        let numbers: Vec<f64> = line.split('\t').skip(1).map(|x| x.parse().expect("a number")).collect();
        let (x, y) = numbers.split_at(arguments);
        let (y, units) = y.split_at(results);
        let units = if units.is_empty() { vec![0.0; results] } else { units.to_vec() };
        Point { arguments: x.to_vec(), results: y.to_vec(), units }
    };
    tables.iter().flat_map(|table| table.lines()).filter(of_function).map(point).collect()
}

/// Allowed errors of value, first and second derivative in ulp, over the whole domain: what the table's row promises.
pub fn allowed(name: &str) -> [f64; 3] {
    match name {
        "gelu"
        | "gelu_tanh"
        | "silu"
        | "mish"
        | "tanh_softplus"
        | "erf_inv"
        | "erf_inv_slope"
        | "log_norm_cdf"
        | "inverse_mills"
        | "inverse_mills_slope"
        | "mills_excess"
        | "mills_variance"
        | "gamma"
        | "ln_gamma"
        | "digamma"
        | "trigamma"
        | "polygamma"
        | "beta"
        | "ln_beta"
        | "gamma_p"
        | "gamma_q"
        | "gamma_density"
        | "gamma_p_shape1"
        | "gamma_p_shape2"
        | "bessel_j0"
        | "bessel_j1"
        | "bessel_i0"
        | "bessel_i1"
        | "bessel_j"
        | "bessel_i"
        | "sinc_derivative" => [WITHIN_1E_14; 3],
        "gamma_p_shape3" | "gamma_p_shape4" => [10.0 * WITHIN_1E_14; 3],
        _ => [2.0, 4.0, 8.0],
    }
}

/// A relative error of 1e-14 in ulp, at its strictest.
const WITHIN_1E_14: f64 = 1e-14 / f64::EPSILON;

/// Whether the library has this of the results of a row of two arguments: derivatives of the incomplete gamma function in
/// its shape end with the fourth, and `gamma_p_shape4` is one already.
pub fn is_provided(name: &str, result: usize) -> bool {
    let in_shape = [0, 1, 0, 2, 1, 0][result];
    match name.strip_prefix("gamma_p_shape") {
        Some(order) => order.parse().is_ok_and(|order: usize| order + in_shape <= 4),
        None => true,
    }
}
