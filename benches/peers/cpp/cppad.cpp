// CppAD (Bell): a recording of operations, whose function object evaluates them forward and then in reverse.
#include <algorithm>

#include <cppad/cppad.hpp>

#include "programs.hpp"

using CppAD::AD;
using CppAD::ADFun;

template <>
inline double number(const AD<double>& x) {
  // Without Var2Par a variable of a recording under way refuses to be read.
  return CppAD::Value(CppAD::Var2Par(x));
}

namespace {

ADFun<double> anew, as_recorded, optimized;

// Without the comparisons, which only serve to notice other branches at a replay.
void record(const Task& task, ADFun<double>& f) {
  // Memory given back stays with the allocator of this thread, for the next recording.
  CppAD::thread_alloc::hold_memory(true);
  std::vector<AD<double>> x(task.x, task.x + task.n), y(1);
  CppAD::Independent(x, 0, false);
  y[0] = with_program(task, [&](auto program) { return program(x.data()); });
  f.Dependent(x, y);
  f.check_for_nan(false);
}

void replay(const Task& task, ADFun<double>& f, double* gradient) {
  static const std::vector<double> seed(1, 1.0);
  std::vector<double> x(task.x, task.x + task.n);
  f.Forward(0, x);
  const std::vector<double> g = f.Reverse(1, seed);
  std::copy(g.begin(), g.end(), gradient);
}

}  // namespace

extern "C" void cppad_gradient(const Task* task, double* gradient) noexcept {
  record(*task, anew);
  replay(*task, anew, gradient);
}

extern "C" void cppad_record(const Task* task) noexcept { record(*task, as_recorded); }
extern "C" void cppad_replay(const Task* task, double* gradient) noexcept { replay(*task, as_recorded, gradient); }

extern "C" void cppad_record_optimized(const Task* task) noexcept {
  record(*task, optimized);
  optimized.optimize("no_compare_op");
}
extern "C" void cppad_replay_optimized(const Task* task, double* gradient) noexcept {
  replay(*task, optimized, gradient);
}
