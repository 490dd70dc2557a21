#pragma once
#include "program.hpp"
namespace maillon {
template <class T> struct Dropout { const T* x; T* y; T* factor; int64_t count, places, alpha; double p; WordStream* words; };
template <class T> struct DropoutGrad { const T* dy; const T* factor; T* dx; int64_t count, places; };
}
