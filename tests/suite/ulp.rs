//! Distances between floats, and the table of what missed its mark.

/// Distance of `got` from `want` in units of the last place of `want`, or of `unit` where that is larger.
///
/// Equal infinities and a NaN that was wanted are at distance 0; any other pair with a non-finite side is infinitely far.
pub fn ulps(got: f64, want: f64, unit: f64) -> f64 {
    if got == want || got.is_nan() && want.is_nan() {
        return 0.0;
    }
    if !got.is_finite() || !want.is_finite() {
        return f64::INFINITY;
    }
    (got - want).abs() / ulp(want.abs().max(unit))
}

/// The same in single precision, against a value known in double.
fn ulps32(got: f32, want: f64, unit: f64) -> f64 {
    let size = want.abs().max(unit) as f32;
    if f64::from(got) == want || got.is_nan() && want.is_nan() || got.is_infinite() && size.is_infinite() {
        return 0.0;
    }
    (f64::from(got) - want).abs() / f64::from(size.next_up() - size)
}

/// The distance from `x >= 0` to the next larger float.
fn ulp(x: f64) -> f64 {
    let x = x.min(f64::MAX.next_down());
    x.next_up() - x
}

/// Everything that missed, so that one run shows all of it.
#[derive(Default)]
pub struct Misses {
    lines: Vec<String>,
    compared: usize,
}

impl Misses {
    /// Compares by [`ulps`], of which so many are allowed.
    pub fn compare(&mut self, what: impl FnOnce() -> String, got: f64, want: f64, unit: f64, allowed: f64) {
        self.note(what, got, want, ulps(got, want, unit), allowed);
    }

    /// Compares a single-precision number in units of its own precision.
    pub fn compare_single(&mut self, what: impl FnOnce() -> String, got: f32, want: f64, unit: f64, allowed: f64) {
        self.note(what, f64::from(got), want, ulps32(got, want, unit), allowed);
    }

    fn note(&mut self, what: impl FnOnce() -> String, got: f64, want: f64, error: f64, allowed: f64) {
        self.compared += 1;
        if error.is_nan() || error > allowed {
            self.lines.push(format!("{}: got {got:e}, expected {want:e}, {error:.1} ulp > {allowed}", what()));
        }
    }

    /// Notes a condition that must hold exactly.
    pub fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds {
            self.lines.push(what());
        }
    }

    /// Panics with every line, or if nothing was compared at all.
    #[track_caller]
    pub fn assert_none(self) {
        assert!(self.compared > 0, "nothing was compared");
        assert!(
            self.lines.is_empty(),
            "{} of {} comparisons missed:\n{}",
            self.lines.len(),
            self.compared,
            self.lines.join("\n")
        );
    }
}
