#include "isa.hpp"

namespace maillon {

#if MAILLON_HAS_BASELINE
namespace baseline { extern const Core core; }
#endif
#if MAILLON_HAS_AVX2
namespace avx2 { extern const Core core; }
#endif
#if MAILLON_HAS_AVX512
namespace avx512 { extern const Core core; }
#endif
#if MAILLON_HAS_NEON
namespace neon { extern const Core core; }
#endif

int available_cores(const Core* (&cores)[max_cores]) {
    int count = 0;
#if MAILLON_HAS_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        cores[count++] = &avx512::core;
#endif
#if MAILLON_HAS_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) cores[count++] = &avx2::core;
#endif
#if MAILLON_HAS_NEON
    cores[count++] = &neon::core;
#endif
#if MAILLON_HAS_BASELINE
    cores[count++] = &baseline::core;
#endif
    return count;
}

} // namespace maillon
