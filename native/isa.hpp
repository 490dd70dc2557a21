// Which of the compiled instruction sets this processor has.
#pragma once

#include "program.hpp"

namespace maillon {

inline constexpr int max_cores = 4;

// The cores that can run here, the best one first; returns how many.
int available_cores(const Core* (&cores)[max_cores]);

} // namespace maillon
