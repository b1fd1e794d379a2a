// The programs with Stan Math's own functions: `fma`, `inv_logit`, `log_sum_exp`, `log1p_exp`, `sum`, `dot_product`,
// `dot_self`, a product of a matrix and a vector. Each makes one node of what are several operations in plain operators.
//
// Sums over items are taken as on our tape: each item on a nested tape, swept and forgotten. Its sweep adds to the adjoints of
// the outer variables it reads, and the sweep of the outer tape, which sets none to zero, carries them on.
#pragma once

#include <stan/math/rev.hpp>

#include "programs.hpp"

namespace {

using stan::math::dot_product;
using stan::math::dot_self;
using stan::math::fma;
using stan::math::inv_logit;
using stan::math::log_sum_exp;
using stan::math::var;
using Vars = Eigen::Matrix<var, Eigen::Dynamic, 1>;
using Triangle = Eigen::Matrix<var, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Numbers = Eigen::Map<const Eigen::VectorXd>;

Eigen::Map<const Vars> vars(const var* x, size_t n) { return {x, Eigen::Index(n)}; }

var richer(const Gmm& gmm, const var* p) {
  const size_t dim = gmm.dim, components = gmm.components, entries = gmm.entries();
  const var* factors = p + components * (1 + dim);
  var total = log_sum_exp(Vars(vars(p, components))) * -double(gmm.count);
  Vars offsets(components);
  std::vector<Triangle> triangles(components, Triangle(dim, dim));
  for (size_t k = 0; k < components; k++) {
    const var* logs = factors + k * entries;
    const var* entry = logs + dim;
    offsets[k] = p[k] + stan::math::sum(Vars(vars(logs, dim)));
    Vars diagonal = stan::math::exp(vars(logs, dim));
    total += (dot_self(diagonal) + dot_self(Vars(vars(entry, entries - dim)))) * 0.5;
    for (size_t i = 0; i < dim; i++) {
      triangles[k](i, i) = diagonal[i];
      for (size_t j = i + 1; j < dim; j++) triangles[k](j, i) = *entry++;
    }
  }
  Vars centred(dim), q(dim), terms(components);
  double likelihood = 0.0;
  for (size_t point = 0; point < gmm.count; point++) {
    stan::math::nested_rev_autodiff nested;
    for (size_t k = 0; k < components; k++) {
      for (size_t i = 0; i < dim; i++) {
        centred[i] = gmm.points[point * dim + i] - p[components + k * dim + i];
        q[i] = dot_product(triangles[k].row(i).head(i + 1), centred.head(i + 1));
      }
      terms[k] = fma(-0.5, dot_self(q), offsets[k]);
    }
    var term = log_sum_exp(terms);
    likelihood += term.val();
    stan::math::grad(term.vi_);
  }
  return total + likelihood;
}

var richer(const Lstm& lstm, const var* p) {
  constexpr size_t LAYERS = Lstm::LAYERS, WIDTH = Lstm::WIDTH, LENGTH = Lstm::LENGTH;
  const var* scale_in = p + 8 * LAYERS * WIDTH;
  const var* scale_out = scale_in + WIDTH;
  const var* bias_out = scale_out + WIDTH;
  var hidden[LAYERS][WIDTH], cell[LAYERS][WIDTH];
  for (size_t layer = 0; layer < LAYERS; layer++) {
    for (size_t i = 0; i < WIDTH; i++) {
      hidden[layer][i] = lstm.state[2 * WIDTH * layer + i];
      cell[layer][i] = lstm.state[2 * WIDTH * layer + WIDTH + i];
    }
  }
  var scaled[WIDTH];
  Vars logits(WIDTH);
  var likelihood = 0.0;
  for (size_t t = 0; t + 1 < LENGTH; t++) {
    const double* now = lstm.sequence + t * WIDTH;
    for (size_t i = 0; i < WIDTH; i++) scaled[i] = scale_in[i] * now[i];
    const var* input = scaled;
    for (size_t layer = 0; layer < LAYERS; layer++) {
      for (size_t i = 0; i < WIDTH; i++) {
        const var* w = p + 8 * WIDTH * layer + i;
        var &h = hidden[layer][i], &c = cell[layer][i];
        var forget = inv_logit(fma(input[i], w[0 * WIDTH], w[4 * WIDTH]));
        var ingate = inv_logit(fma(h, w[1 * WIDTH], w[5 * WIDTH]));
        var outgate = inv_logit(fma(input[i], w[2 * WIDTH], w[6 * WIDTH]));
        var change = tanh(fma(h, w[3 * WIDTH], w[7 * WIDTH]));
        c = fma(c, forget, ingate * change);
        h = outgate * tanh(c);
      }
      input = hidden[layer];
    }
    for (size_t i = 0; i < WIDTH; i++) logits[i] = fma(input[i], scale_out[i], bias_out[i]);
    var log_total = log(stan::math::sum(stan::math::exp(logits)) + 2.0);
    Numbers next(now + WIDTH, WIDTH);
    likelihood += dot_product(logits, next) - log_total * next.sum();
  }
  return -likelihood * (1.0 / double((LENGTH - 1) * WIDTH));
}

var richer(const Rosenbrock& rosenbrock, const var* p) {
  const size_t n = rosenbrock.n;
  Vars a(n - 1), b(n - 1);
  for (size_t i = 0; i + 1 < n; i++) {
    a[i] = p[i + 1] - square(p[i]);
    b[i] = 1.0 - p[i];
  }
  return dot_self(a) * 100.0 + dot_self(b);
}

var richer(const Asian& asian, const var* p) {
  constexpr size_t DAYS = Asian::DAYS, PATHS = Asian::PATHS;
  const double day = 1.0 / DAYS;
  var drift = fma(p[2] * p[2], -0.5, p[1]) * day;
  var volatility = p[2] * std::sqrt(day);
  var discount = exp(-p[1]) * (1.0 / PATHS);
  Vars prices(DAYS);
  double total = 0.0;
  for (size_t path = 0; path < PATHS; path++) {
    stan::math::nested_rev_autodiff nested;
    var price = p[0];
    for (size_t i = 0; i < DAYS; i++) {
      price *= exp(fma(volatility, asian.shocks[path * DAYS + i], drift));
      prices[i] = price;
    }
    var average = stan::math::mean(prices);
    if (average > p[3]) {
      var term = (average - p[3]) * discount;
      total += term.val();
      stan::math::grad(term.vi_);
    }
  }
  return total;
}

var richer(const Lorenz&, const var* p) {
  constexpr double H = Lorenz::H;
  auto slope = [&](const var& x, const var& y, const var& z, var* k) {
    k[0] = p[0] * (y - x);
    k[1] = x * (p[1] - z) - y;
    k[2] = fma(x, y, -p[2] * z);
  };
  var x[3] = {p[3], p[4], p[5]};
  var k1[3], k2[3], k3[3], k4[3];
  for (size_t step = 0; step < Lorenz::STEPS; step++) {
    slope(x[0], x[1], x[2], k1);
    slope(fma(k1[0], 0.5 * H, x[0]), fma(k1[1], 0.5 * H, x[1]), fma(k1[2], 0.5 * H, x[2]), k2);
    slope(fma(k2[0], 0.5 * H, x[0]), fma(k2[1], 0.5 * H, x[1]), fma(k2[2], 0.5 * H, x[2]), k3);
    slope(fma(k3[0], H, x[0]), fma(k3[1], H, x[1]), fma(k3[2], H, x[2]), k4);
    for (size_t i = 0; i < 3; i++) x[i] = fma(fma(k2[i] + k3[i], 2.0, k1[i] + k4[i]), H / 6.0, x[i]);
  }
  return sqrt(dot_self(Vars(vars(x, 3))));
}

var richer(const Logistic& logistic, const var* p) {
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<const Rows> x(logistic.x, Logistic::OBSERVATIONS, Logistic::FEATURES);
  Vars b = vars(p, Logistic::FEATURES);
  Vars e = stan::math::multiply(x, b);
  return dot_product(e, Numbers(logistic.y, Logistic::OBSERVATIONS)) - stan::math::sum(stan::math::log1p_exp(e)) -
         dot_self(b) * (0.5 / 6.25);
}

}  // namespace
