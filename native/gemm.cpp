// The products, for all families.
#include "gemm.hpp"

namespace maillon::MAILLON_ISA {

MAILLON_PRODUCTS(, float)
MAILLON_PRODUCTS(, double)

} // namespace maillon::MAILLON_ISA
