use wengert_tensor::*;
use super::TensorFloat;
pub(crate) trait Late<F: TensorFloat>: Sized {
    fn try_cross_entropy(&self, l: &Tensor<i64>) -> Result<(Tensor<F>, Tensor<F>), ShapeError>;
    fn cross_entropy_vjp(&self, l: &Tensor<i64>, s: &Tensor<F>, c: F) -> Tensor<F>;
    fn try_softmax(&self, a: Axis) -> Result<Self, ShapeError>;
    fn try_log_softmax(&self, a: Axis) -> Result<Self, ShapeError>;
    fn try_log_sum_exp(&self, a: Axis) -> Result<Self, ShapeError>;
}
impl<F: TensorFloat> Late<F> for Tensor<F> {
    fn try_cross_entropy(&self, l: &Tensor<i64>) -> Result<(Tensor<F>, Tensor<F>), ShapeError> {
        let lse = self.try_log_softmax(Axis(1))?;
        let n = self.shape()[0];
        Ok((Tensor::from_fn([n], |i| -lse.at([i[0], l.at([i[0]]) as usize])), Tensor::zeros([1])))
    }
    fn cross_entropy_vjp(&self, l: &Tensor<i64>, _: &Tensor<F>, c: F) -> Tensor<F> {
        let s = self.try_softmax(Axis(1)).unwrap();
        Tensor::from_fn(self.shape().clone(), |i| (s.at(i) - if l.at([i[0]]) == i[1] as i64 { F::ONE } else { F::ZERO }) * c)
    }
    fn try_softmax(&self, a: Axis) -> Result<Self, ShapeError> { Ok(self.try_log_softmax(a)?.map_unary(Unary::Exp)) }
    fn try_log_softmax(&self, a: Axis) -> Result<Self, ShapeError> {
        let m = self.try_max_axes(keep(Axes::from(a)))?;
        let z = self.try_zip_binary(Binary::Sub, &m)?;
        let s = z.map_unary(Unary::Exp).try_sum_axes(keep(Axes::from(a)))?.map_unary(Unary::Ln);
        z.try_zip_binary(Binary::Sub, &s)
    }
    fn try_log_sum_exp(&self, a: Axis) -> Result<Self, ShapeError> {
        Ok(self.map_unary(Unary::Exp).try_sum_axes(Axes::from(a))?.map_unary(Unary::Ln))
    }
}
