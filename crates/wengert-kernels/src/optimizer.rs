//! Parameter updates, each in one pass over parameters, gradient and state.
//!
//! The updates are bound by memory: Adam reads four arrays and writes three, and the arithmetic hides behind that.

use crate::dispatch::{Level, kernel, simd_level};
use crate::{Float, Par};

/// Parameters a thread takes at a time, about 30 us of memory traffic.
const PIECE: usize = 1 << 15;

/// Stochastic gradient descent, with momentum if it is not zero.
///
/// `g = grad + weight_decay p`; with momentum `v = momentum v + (1 - dampening) g`, and then `g` becomes `v`, or
/// `g + momentum v` with Nesterov's; `p -= learning_rate g`. On the first step `v = g`. These are PyTorch's
/// conventions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd<F> {
    /// Length of a step.
    pub learning_rate: F,
    /// Share of the velocity that is kept; 0 for none.
    pub momentum: F,
    /// Share of the gradient that does not enter the velocity.
    pub dampening: F,
    /// Strength of the pull towards zero.
    pub weight_decay: F,
    /// Whether the step looks ahead along the velocity (Nesterov 1983; Sutskever et al. 2013).
    pub nesterov: bool,
}

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) when the weight decay is decoupled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam<F> {
    /// Length of a step.
    pub learning_rate: F,
    /// Decay of the mean of gradients, usually 0.9.
    pub beta1: F,
    /// Decay of the mean of squared gradients, usually 0.999.
    pub beta2: F,
    /// Added to the root of the mean square, usually 1e-8.
    pub epsilon: F,
    /// Strength of the pull towards zero.
    pub weight_decay: F,
    /// Whether parameters shrink by `learning_rate * weight_decay` (AdamW), or the decay is part of the gradient.
    pub decoupled: bool,
}

kernel! {
    pub(crate) fn sgd_plain<F: Float>(s: Sgd<F>, grad: &'a [F], param: &'a mut [F]) -> () {
        for (p, &g) in param.iter_mut().zip(grad) {
            let g = s.weight_decay.lane_mul_add::<FMA>(*p, g);
            *p = (-s.learning_rate).lane_mul_add::<FMA>(g, *p);
        }
    }

    pub(crate) fn sgd_momentum<F: Float>(s: Sgd<F>, keep: F, take: F, grad: &'a [F], velocity: &'a mut [F], param: &'a mut [F]) -> () {
        // Nesterov or not as two factors of a sum, which leaves the loop without a branch.
        let (of_g, of_v) = if s.nesterov { (F::ONE, s.momentum) } else { (F::ZERO, F::ONE) };
        for ((p, v), &g) in param.iter_mut().zip(velocity).zip(grad) {
            let g = s.weight_decay.lane_mul_add::<FMA>(*p, g);
            *v = keep.lane_mul_add::<FMA>(*v, take * g);
            let step = of_v.lane_mul_add::<FMA>(*v, of_g * g);
            *p = (-s.learning_rate).lane_mul_add::<FMA>(step, *p);
        }
    }

    pub(crate) fn adam_loop<F: Float>(c: Coefficients<F>, grad: &'a [F], m: &'a mut [F], v: &'a mut [F], param: &'a mut [F]) -> () {
        for (((p, m), v), &g) in param.iter_mut().zip(m).zip(v).zip(grad) {
            let g = c.decay_in_gradient.lane_mul_add::<FMA>(*p, g);
            *m = c.beta1.lane_mul_add::<FMA>(*m, c.rest1 * g);
            *v = c.beta2.lane_mul_add::<FMA>(*v, c.rest2 * g * g);
            let root = (*v).square_root().lane_mul_add::<FMA>(c.root_scale, c.epsilon);
            *p = c.shrink.lane_mul_add::<FMA>(*p, -(c.step * *m / root));
        }
    }
}

/// What of an Adam step does not depend on the parameter.
#[derive(Clone, Copy)]
pub(crate) struct Coefficients<F> {
    beta1: F,
    beta2: F,
    rest1: F,
    rest2: F,
    root_scale: F,
    epsilon: F,
    step: F,
    shrink: F,
    decay_in_gradient: F,
}

/// One step of [`Sgd`] on `param`. `velocity` is the state of a momentum, absent without; on the first step it may hold
/// anything.
///
/// # Panics
/// When the slices differ in length, or the velocity is missing while the momentum is not zero.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, optimizer::{Sgd, sgd}};
///
/// let plain = Sgd { learning_rate: 0.5, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false };
/// let mut param = [1.0_f32, 2.0];
/// sgd(plain, true, &[2.0, -2.0], None, &mut param, Par::current());
/// assert_eq!(param, [0.0, 3.0]);
/// ```
pub fn sgd<F: Float>(s: Sgd<F>, first_step: bool, grad: &[F], velocity: Option<&mut [F]>, param: &mut [F], par: Par) {
    sgd_at(simd_level(), s, first_step, grad, velocity, param, par);
}

fn sgd_at<F: Float>(
    level: Level,
    s: Sgd<F>,
    first_step: bool,
    grad: &[F],
    velocity: Option<&mut [F]>,
    param: &mut [F],
    par: Par,
) {
    assert_eq!(grad.len(), param.len(), "gradient and parameters must have one length");
    let small = param.len() < 4 * PIECE;
    if small && s.momentum == F::ZERO {
        return F::sgd_at(level, s, grad, param);
    }
    let par = if small { Par::SEQUENTIAL } else { par };
    let pieces = param.chunks_mut(PIECE).zip(grad.chunks(PIECE));
    if s.momentum == F::ZERO {
        return par.for_each(pieces, |(p, g)| F::sgd_at(level, s, g, p));
    }
    let Some(velocity) = velocity else { panic!("a momentum needs a velocity") };
    assert_eq!(velocity.len(), grad.len(), "velocity and parameters must have one length");
    let (keep, take) = if first_step {
        velocity.fill(F::ZERO);
        (F::ZERO, F::ONE)
    } else {
        (s.momentum, F::ONE - s.dampening)
    };
    par.for_each(pieces.zip(velocity.chunks_mut(PIECE)), |((p, g), v)| {
        F::sgd_momentum_at(level, s, keep, take, g, v, p);
    });
}

/// One step of [`Adam`] on `param`: `m` and `v` are the means of gradients and of their squares, zero before the first;
/// `step` counts from 1.
///
/// # Panics
/// When the slices differ in length, or `step` is 0.
///
/// # Examples
/// ```
/// use wengert_kernels::{Par, optimizer::{Adam, adam}};
///
/// let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
/// let usual = Adam { learning_rate: 0.1, beta1, beta2, epsilon, weight_decay: 0.0, decoupled: false };
/// let (mut m, mut v, mut param) = ([0.0_f64], [0.0], [1.0]);
/// adam(usual, 1, &[123.0], &mut m, &mut v, &mut param, Par::current());
/// assert!((param[0] - 0.9_f64).abs() < 1e-9); // the first step has the length of the learning rate
/// ```
pub fn adam<F: Float>(s: Adam<F>, step: u64, grad: &[F], m: &mut [F], v: &mut [F], param: &mut [F], par: Par) {
    adam_at(simd_level(), s, step, grad, m, v, param, par);
}

#[expect(clippy::too_many_arguments, reason = "the state of the algorithm, by its letters")]
fn adam_at<F: Float>(
    level: Level,
    s: Adam<F>,
    step: u64,
    grad: &[F],
    m: &mut [F],
    v: &mut [F],
    param: &mut [F],
    par: Par,
) {
    assert!(step > 0, "steps count from 1");
    assert!(
        grad.len() == param.len() && m.len() == param.len() && v.len() == param.len(),
        "gradient, means and parameters must have one length"
    );
    let (beta1, beta2) = (s.beta1.to_f64(), s.beta2.to_f64());
    let exponent = step as f64;
    let decay = s.learning_rate.to_f64() * s.weight_decay.to_f64();
    let c = Coefficients {
        beta1: s.beta1,
        beta2: s.beta2,
        rest1: F::from_f64(1.0 - beta1),
        rest2: F::from_f64(1.0 - beta2),
        // Both bias corrections are exact in f64 and enter once, not per parameter.
        root_scale: F::from_f64(1.0 / (1.0 - beta2.powf(exponent)).sqrt()),
        epsilon: s.epsilon,
        step: F::from_f64(s.learning_rate.to_f64() / (1.0 - beta1.powf(exponent))),
        shrink: F::from_f64(if s.decoupled { 1.0 - decay } else { 1.0 }),
        decay_in_gradient: if s.decoupled { F::ZERO } else { s.weight_decay },
    };
    let par = if param.len() < 4 * PIECE { Par::SEQUENTIAL } else { par };
    let pieces = param.chunks_mut(PIECE).zip(grad.chunks(PIECE)).zip(m.chunks_mut(PIECE)).zip(v.chunks_mut(PIECE));
    par.for_each(pieces, |(((p, g), m), v)| F::adam_at(level, c, g, m, v, p));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f64) -> Vec<f64> {
        (0..n).map(|i| ((i as f64 + seed) * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
    }

    const LENGTHS: [usize; 8] = [0, 1, 7, 8, 9, 33, 1001, 4 * PIECE + 5];

    #[test]
    fn sgd_follows_its_recurrence() {
        for n in LENGTHS {
            for (momentum, nesterov, weight_decay) in [(0.0, false, 0.0), (0.9, false, 0.01), (0.9, true, 0.0)] {
                let s = Sgd { learning_rate: 0.1, momentum, dampening: 0.2, weight_decay, nesterov };
                for level in Level::available() {
                    let (mut p, mut v) = (numbers(n, 0.3), vec![f64::NAN; n]);
                    let (mut p_want, mut v_want) = (p.clone(), vec![0.0; n]);
                    for step in 0..3 {
                        let grad = numbers(n, f64::from(step));
                        sgd_at(level, s, step == 0, &grad, Some(&mut v), &mut p, Par::new(2));
                        for i in 0..n {
                            let g = grad[i] + weight_decay * p_want[i];
                            v_want[i] = if step == 0 { g } else { momentum * v_want[i] + 0.8 * g };
                            let direction = match (momentum == 0.0, nesterov) {
                                (true, _) => g,
                                (_, true) => g + momentum * v_want[i],
                                _ => v_want[i],
                            };
                            p_want[i] -= 0.1 * direction;
                        }
                    }
                    for (p, want) in p.iter().zip(&p_want) {
                        assert!((p - want).abs() < 1e-15, "{level:?} {n}: {p}, expected {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn adam_follows_its_recurrence_with_both_kinds_of_decay() {
        for n in LENGTHS {
            for decoupled in [false, true] {
                let s =
                    Adam { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1, decoupled };
                for level in Level::available() {
                    let (mut p, mut m, mut v) = (numbers(n, 0.3), vec![0.0; n], vec![0.0; n]);
                    let (mut p_want, mut m_want, mut v_want) = (p.clone(), m.clone(), v.clone());
                    for step in 1..4 {
                        let grad = numbers(n, f64::from(step));
                        adam_at(level, s, step as u64, &grad, &mut m, &mut v, &mut p, Par::new(2));
                        for i in 0..n {
                            let mut g = grad[i];
                            if decoupled {
                                p_want[i] -= 0.01 * 0.1 * p_want[i];
                            } else {
                                g += 0.1 * p_want[i];
                            }
                            m_want[i] = 0.9 * m_want[i] + 0.1 * g;
                            v_want[i] = 0.99 * v_want[i] + 0.01 * g * g;
                            let m_hat = m_want[i] / (1.0 - 0.9_f64.powi(step));
                            let v_hat = v_want[i] / (1.0 - 0.99_f64.powi(step));
                            p_want[i] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
                        }
                    }
                    for (p, want) in p.iter().zip(&p_want) {
                        assert!((p - want).abs() < 1e-13, "{level:?} {n} {decoupled}: {p}, expected {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn threads_change_no_bit_of_a_step() {
        let n = 5 * PIECE + 3;
        let s = Adam {
            learning_rate: 0.01_f32,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        };
        let grad: Vec<f32> = numbers(n, 0.5).into_iter().map(|x| x as f32).collect();
        let run = |threads| {
            let (mut p, mut m, mut v) = (grad.clone(), vec![0.0; n], vec![0.0; n]);
            adam(s, 1, &grad, &mut m, &mut v, &mut p, Par::new(threads));
            p
        };
        for threads in [2, 3, 8] {
            assert!(run(1) == run(threads));
        }
    }
}
