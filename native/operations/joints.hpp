// Written by `make operations` from src/maillon/engine/families/joints.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// out = a + b
template <class T> struct Add {
    const T* a; // r n
    const T* b; // r n
    T* out; // w n
    int64_t n;
};

// out = α a + β b, or α a
template <class T> struct ScaledSum {
    const T* a; // r n
    const T* b; // may be null; r n
    T* out; // w n
    int64_t n;
    double alpha, beta;
};

// out = a b
template <class T> struct Multiply {
    const T* a; // r n
    const T* b; // r n
    T* out; // w n
    int64_t n;
};

// da = b dy, db = a dy
template <class T> struct MultiplyGrad {
    const T* dy; // r n
    const T* a; // r n
    const T* b; // r n
    T* da; // may be null; w n
    T* db; // may be null; w n
    int64_t n;
};

// a row of y = the parts' rows one after the other
template <class T> struct Concat {
    const T* x0; // may be null; r outer * width0
    const T* x1; // may be null; r outer * width1
    const T* x2; // may be null; r outer * width2
    const T* x3; // may be null; r outer * width3
    const T* x4; // may be null; r outer * width4
    const T* x5; // may be null; r outer * width5
    const T* x6; // may be null; r outer * width6
    const T* x7; // may be null; r outer * width7
    T* y; // w outer * (width0 + width1 + width2 + width3 + width4 + width5 + width6 + width7)
    int64_t outer, width0, width1, width2, width3, width4, width5, width6, width7;
};

// the parts' rows = pieces of a row of x
template <class T> struct Split {
    const T* x; // r outer * (width0 + width1 + width2 + width3 + width4 + width5 + width6 + width7)
    T* y0; // may be null; w outer * width0
    T* y1; // may be null; w outer * width1
    T* y2; // may be null; w outer * width2
    T* y3; // may be null; w outer * width3
    T* y4; // may be null; w outer * width4
    T* y5; // may be null; w outer * width5
    T* y6; // may be null; w outer * width6
    T* y7; // may be null; w outer * width7
    int64_t outer, width0, width1, width2, width3, width4, width5, width6, width7;
};

// y[i…] = x[offset + Σ i stride]
template <class T> struct Take {
    const T* x; // r size
    T* y; // w n0 * n1 * n2 * n3 * n4
    int64_t size, offset, n0, n1, n2, n3, n4, stride0, stride1, stride2, stride3, stride4;
};

// y[offset + Σ i stride] = x[i…], 0 elsewhere
template <class T> struct Place {
    const T* x; // r n0 * n1 * n2 * n3 * n4
    T* y; // w size
    int64_t size, offset, n0, n1, n2, n3, n4, stride0, stride1, stride2, stride3, stride4;
};

// y = a + b or a b, b[Σ i stride] for a[i…]
template <class T> struct Spread {
    const T* a; // r n0 * n1 * n2 * n3
    const T* b; // r size
    T* y; // w n0 * n1 * n2 * n3
    int64_t size, n0, n1, n2, n3, stride0, stride1, stride2, stride3, multiply;
};

// y[m, i] (+)= Σ over leading and trailing of x, or of x times a factor; x as (leading, middle, trailing, last)
template <class T> struct SumOver {
    const T* x; // r leading * middle * trailing * last
    const T* factor; // may be null; r leading * middle * trailing * last
    T* y; // rw middle * last
    int64_t leading, middle, trailing, last, keep;
};

// y = value
template <class T> struct Fill {
    T* y; // w n
    int64_t n;
    double value;
};

} // namespace maillon::op
