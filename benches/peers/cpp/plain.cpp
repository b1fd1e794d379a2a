// The programs on plain doubles.
#include "programs.hpp"

extern "C" double plain_value(const Task* task) {
  return with_program(*task, [&](auto program) { return program(task->x); });
}
