// Stan Math (Carpenter and others 2015): nodes with virtual functions in an arena, swept from the last to the first.
#include <stan/math/rev.hpp>

#include "programs.hpp"
#include "stan_richer.hpp"

using stan::math::var;

template <>
inline double number(const var& x) {
  return x.val();
}

namespace {

// As `stan::math::gradient` does, which wants vectors of Eigen's.
template <class F>
void gradient_of(const Task& task, double* gradient, F f) {
  // Gives the arena's blocks back to the arena when it goes, not to the system.
  stan::math::nested_rev_autodiff nested;
  static std::vector<var> x;
  x.assign(task.x, task.x + task.n);
  var y = f(x);
  stan::math::grad(y.vi_);
  for (size_t i = 0; i < task.n; i++) gradient[i] = x[i].adj();
}

}  // namespace

extern "C" void stan_gradient(const Task* task, double* gradient) noexcept {
  gradient_of(*task, gradient, [&](const std::vector<var>& x) {
    return with_program(*task, [&](auto program) -> var { return program(x.data()); });
  });
}

extern "C" void stan_gradient_richer(const Task* task, double* gradient) noexcept {
  gradient_of(*task, gradient, [&](const std::vector<var>& x) {
    return with_program(*task, [&](auto program) { return richer(program, x.data()); });
  });
}
