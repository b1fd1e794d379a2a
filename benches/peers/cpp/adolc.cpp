// ADOL-C (Griewank, Walther and others): a recording in buffers of operations, locations and values.
#include <adolc/adolc.h>
#include <malloc.h>

#include "programs.hpp"

template <>
inline double number(const adouble& x) {
  return x.value();
}

namespace {

constexpr short ANEW = 1, RECORDED = 2;

// With `keep`, the values needed by a reverse sweep are kept while recording, so that no forward sweep is needed before it.
void record(const Task& task, short tape, int keep) {
  // Each recording allocates its buffers. Without this the system would take them back every time, and hand out fresh pages:
  // a tenth to a quarter of the time of a gradient.
  static const bool kept = mallopt(M_MMAP_MAX, 0) && mallopt(M_TRIM_THRESHOLD, -1);
  static_cast<void>(kept);
  // Enough for each of the programs, so that nothing goes to a file.
  constexpr unsigned OPERATIONS = 1 << 24, LOCATIONS = 1 << 26, VALUES = 1 << 24, TAYLORS = 1 << 25;
  trace_on(tape, keep, OPERATIONS, LOCATIONS, VALUES, TAYLORS);
  {
    std::vector<adouble> x(task.n);
    for (size_t i = 0; i < task.n; i++) x[i] <<= task.x[i];
    adouble y = with_program(task, [&](auto program) { return program(x.data()); });
    double value;
    y >>= value;
  }
  trace_off();
}

}  // namespace

extern "C" void adolc_gradient(const Task* task, double* gradient) noexcept {
  record(*task, ANEW, 1);
  double seed = 1.0;
  fos_reverse(ANEW, 1, int(task->n), &seed, gradient);
}

extern "C" void adolc_record(const Task* task) noexcept { record(*task, RECORDED, 0); }
extern "C" void adolc_replay(const Task* task, double* gradient) noexcept {
  ::gradient(RECORDED, int(task->n), task->x, gradient);
}
