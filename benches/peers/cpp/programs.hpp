// The six programs of `workloads/scalar`, operation for operation, over any number: `double`, or a variable of a tape.
//
// What differs from the Rust is only what makes no operation there and would make one here: results are written where they
// belong instead of being returned in arrays, since a tape may record copies, and sums grow by `+=`, which some tapes record
// for less. Constants are plain doubles.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

using std::size_t;

// A program, its point and the numbers it reads besides, as the Rust side hands them over.
struct Task {
  int program;
  const double* x;
  size_t n;
  const double* const* data;
};

// The number itself, for branches. Each tape says how.
template <class T>
double number(const T& x);
template <>
inline double number(const double& x) {
  return x;
}

// S1: the log-likelihood of a Gaussian mixture. The sizes are members, since a program that reads its data does not know them
// either.
struct Gmm {
  const double* points;
  size_t dim, components, count;

  size_t entries() const { return dim * (dim + 1) / 2; }

  template <class T>
  static T log_sum_exp(const T* x, size_t n) {
    using std::exp;
    using std::log;
    const T* largest = x;
    for (size_t i = 1; i < n; i++) {
      if (number(x[i]) > number(*largest)) largest = x + i;
    }
    T sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - *largest);
    return log(sum) + *largest;
  }

  template <class T>
  static T sum_of_squares(const T* x, size_t n) {
    T sum = x[0] * x[0];
    for (size_t i = 1; i < n; i++) sum += x[i] * x[i];
    return sum;
  }

  template <class T>
  T operator()(const T* p) const {
    using std::exp;
    const T* means = p + components;
    const T* factors = means + components * dim;
    std::vector<T> offsets(components), diagonals(components * dim);
    for (size_t k = 0; k < components; k++) {
      offsets[k] = p[k];
      for (size_t i = 0; i < dim; i++) {
        const T& log = factors[k * entries() + i];
        offsets[k] += log;
        diagonals[k * dim + i] = exp(log);
      }
    }
    T total = log_sum_exp(p, components) * -double(count);
    for (size_t k = 0; k < components; k++) {
      total += (sum_of_squares(&diagonals[k * dim], dim) +
                sum_of_squares(factors + k * entries() + dim, entries() - dim)) * 0.5;
    }
    std::vector<T> centred(dim), q(dim), terms(components);
    for (size_t point = 0; point < count; point++) {
      for (size_t k = 0; k < components; k++) {
        for (size_t i = 0; i < dim; i++) {
          centred[i] = -means[k * dim + i] + points[point * dim + i];
          q[i] = diagonals[k * dim + i] * centred[i];
        }
        size_t entry = k * entries() + dim;
        for (size_t i = 0; i < dim; i++) {
          for (size_t j = i + 1; j < dim; j++) q[j] += factors[entry++] * centred[i];
        }
        terms[k] = offsets[k] - sum_of_squares(q.data(), dim) * 0.5;
      }
      total += log_sum_exp(terms.data(), components);
    }
    return total;
  }
};

// S3: a long short-term memory of two diagonal layers.
struct Lstm {
  static constexpr size_t LAYERS = 2, LENGTH = 1024, WIDTH = 14;
  const double* state;
  const double* sequence;

  template <class T>
  static T sigmoid(const T& x) {
    using std::exp;
    return 1.0 / (exp(-x) + 1.0);
  }

  // One unit of a layer, whose output and cell become the new ones.
  template <class T>
  static void unit(const T& input, T& hidden, T& cell, const T* w) {
    using std::tanh;
    T forget = sigmoid<T>(input * w[0 * WIDTH] + w[4 * WIDTH]);
    T ingate = sigmoid<T>(hidden * w[1 * WIDTH] + w[5 * WIDTH]);
    T outgate = sigmoid<T>(input * w[2 * WIDTH] + w[6 * WIDTH]);
    T change = tanh(hidden * w[3 * WIDTH] + w[7 * WIDTH]);
    cell = cell * forget + ingate * change;
    hidden = outgate * tanh(cell);
  }

  template <class T>
  T operator()(const T* p) const {
    using std::exp;
    using std::log;
    const T* scale_in = p + 8 * LAYERS * WIDTH;
    const T* scale_out = scale_in + WIDTH;
    const T* bias_out = scale_out + WIDTH;
    T hidden[LAYERS][WIDTH], cell[LAYERS][WIDTH];
    for (size_t layer = 0; layer < LAYERS; layer++) {
      for (size_t i = 0; i < WIDTH; i++) {
        hidden[layer][i] = state[2 * WIDTH * layer + i];
        cell[layer][i] = state[2 * WIDTH * layer + WIDTH + i];
      }
    }
    T scaled[WIDTH], logits[WIDTH];
    T likelihood = 0.0;
    for (size_t t = 0; t + 1 < LENGTH; t++) {
      const double* now = sequence + t * WIDTH;
      const double* next = now + WIDTH;
      for (size_t i = 0; i < WIDTH; i++) scaled[i] = scale_in[i] * now[i];
      const T* input = scaled;
      for (size_t layer = 0; layer < LAYERS; layer++) {
        for (size_t i = 0; i < WIDTH; i++) {
          unit(input[i], hidden[layer][i], cell[layer][i], p + 8 * WIDTH * layer + i);
        }
        input = hidden[layer];
      }
      T total = 0.0;
      for (size_t i = 0; i < WIDTH; i++) {
        logits[i] = input[i] * scale_out[i] + bias_out[i];
        total += exp(logits[i]);
      }
      T log_total = log(total + 2.0);
      for (size_t i = 0; i < WIDTH; i++) likelihood += (logits[i] - log_total) * next[i];
    }
    return -likelihood * (1.0 / double((LENGTH - 1) * WIDTH));
  }
};

// S5: Rosenbrock's function.
struct Rosenbrock {
  size_t n;

  template <class T>
  T operator()(const T* x) const {
    T sum = 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
      T a = x[i + 1] - x[i] * x[i];
      T b = -x[i] + 1.0;
      sum += a * 100.0 * a + b * b;
    }
    return sum;
  }
};

// S7: the price of an Asian option by simulated paths.
struct Asian {
  static constexpr size_t PATHS = 10000, DAYS = 100;
  const double* shocks;

  template <class T>
  T operator()(const T* p) const {
    using std::exp;
    const double day = 1.0 / DAYS;
    T drift = (p[1] - p[2] * 0.5 * p[2]) * day;
    T volatility = p[2] * std::sqrt(day);
    T total = 0.0;
    for (size_t path = 0; path < PATHS; path++) {
      T price = p[0];
      T sum = 0.0;
      for (size_t i = 0; i < DAYS; i++) {
        price *= exp(drift + volatility * shocks[path * DAYS + i]);
        sum += price;
      }
      T average = sum * (1.0 / DAYS);
      if (number(average) > number(p[3])) total += average - p[3];
    }
    return total * exp(-p[1]) * (1.0 / PATHS);
  }
};

// S8: the Lorenz equations by the classical Runge-Kutta method.
struct Lorenz {
  static constexpr size_t STEPS = 10000;
  static constexpr double H = 0.001;

  template <class T>
  static void slope(const T* p, const T& x, const T& y, const T& z, T* k) {
    k[0] = p[0] * (y - x);
    k[1] = x * (p[1] - z) - y;
    k[2] = x * y - p[2] * z;
  }

  template <class T>
  T operator()(const T* p) const {
    using std::sqrt;
    T x[3] = {p[3], p[4], p[5]};
    T k1[3], k2[3], k3[3], k4[3];
    for (size_t step = 0; step < STEPS; step++) {
      slope<T>(p, x[0], x[1], x[2], k1);
      slope<T>(p, x[0] + k1[0] * (0.5 * H), x[1] + k1[1] * (0.5 * H), x[2] + k1[2] * (0.5 * H), k2);
      slope<T>(p, x[0] + k2[0] * (0.5 * H), x[1] + k2[1] * (0.5 * H), x[2] + k2[2] * (0.5 * H), k3);
      slope<T>(p, x[0] + k3[0] * H, x[1] + k3[1] * H, x[2] + k3[2] * H, k4);
      for (size_t i = 0; i < 3; i++) x[i] += (k1[i] + k2[i] * 2.0 + k3[i] * 2.0 + k4[i]) * (H / 6.0);
    }
    return sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
  }
};

// S9: the posterior of a logistic regression.
struct Logistic {
  static constexpr size_t OBSERVATIONS = 1000, FEATURES = 20;
  const double* x;
  const double* y;

  template <class T>
  T operator()(const T* b) const {
    using std::exp;
    using std::log;
    T log_posterior = 0.0;
    for (size_t i = 0; i < OBSERVATIONS; i++) {
      const double* row = x + i * FEATURES;
      T e = b[0] * row[0];
      for (size_t j = 1; j < FEATURES; j++) e += b[j] * row[j];
      log_posterior += e * y[i] - log(exp(e) + 1.0);
    }
    for (size_t j = 0; j < FEATURES; j++) log_posterior -= b[j] * b[j] * (0.5 / 6.25);
    return log_posterior;
  }
};

// Calls `use` with the program of a task.
template <class Use>
auto with_program(const Task& task, Use use) {
  switch (task.program) {
    case 1: return use(Gmm{task.data[0], 10, 25, 1000});
    case 3: return use(Lstm{task.data[0], task.data[1]});
    case 5: return use(Rosenbrock{task.n});
    case 7: return use(Asian{task.data[0]});
    case 8: return use(Lorenz{});
    default: return use(Logistic{task.data[0], task.data[1]});
  }
}
