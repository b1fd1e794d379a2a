//! The reference values under `tests/reference`: 60-digit arithmetic, rounded once.

/// One point of a function: arguments, results (value, then derivatives), and the unit each result is measured in where
/// that is larger than the result itself.
pub struct Point {
    pub arguments: Vec<f64>,
    pub results: Vec<f64>,
    pub units: Vec<f64>,
}

/// The points of the function `name` of `N` arguments; `RESULTS` numbers follow the arguments.
pub fn points(name: &str, arguments: usize) -> Vec<Point> {
    let (table, results) = match arguments {
        1 => (include_str!("../reference/unary.tsv"), 3),
        _ => (include_str!("../reference/binary.tsv"), 6),
    };
    let of_function = |line: &&str| line.split('\t').next() == Some(name);
    let point = |line: &str| {
        let numbers: Vec<f64> = line.split('\t').skip(1).map(|x| x.parse().expect("a number")).collect();
        let (x, y) = numbers.split_at(arguments);
        let (y, units) = y.split_at(results);
        let units = if units.is_empty() { vec![0.0; results] } else { units.to_vec() };
        Point { arguments: x.to_vec(), results: y.to_vec(), units }
    };
    let points: Vec<Point> = table.lines().filter(of_function).map(point).collect();
    assert!(!points.is_empty(), "{name}: no reference values; add it to tests/reference/elementary.py and run that");
    points
}
