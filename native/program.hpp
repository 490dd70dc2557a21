// What the core is given: operations over buffers, all addresses known, all sizes checked by the verifier in Python.
#pragma once

#include <cstdint>

#include "lookout.hpp"
#include "pace.hpp"
#include "team.hpp"

namespace maillon {

// numpy/random/bitgen.h: what the capsule of every NumPy bit generator points to.
struct BitGenerator {
    void* state;
    uint64_t (*next_uint64)(void*);
    uint32_t (*next_uint32)(void*);
    double (*next_double)(void*);
    uint64_t (*next_raw)(void*);
};

inline constexpr int twister_words = 624;

// A stream of words, and how many of them were drawn. Others may draw from it too, so that it is locked from a block of
// words on until somebody else wants it; the next block locks it again.
struct WordStream {
    BitGenerator* source = nullptr;
    uint32_t* key = nullptr;     // where it is known: the words of the Mersenne Twister,
    int32_t* position = nullptr; // and how many of them are used up
    uint64_t drawn = 0;
    uint64_t begun = 0; // `drawn` at the beginning of a step that may be left
    bool held = false;
    const uint32_t* wanted = nullptr; // not 0 while another thread waits for the lock
    void (*lock)(WordStream&) = nullptr;
    void (*unlock)(WordStream&) = nullptr;

    uint32_t next() {
        ++drawn;
        return source->next_uint32(source->state);
    }
    void begin() {
        if (!held) lock(*this);
    }
    void end() {
        if (__atomic_load_n(wanted, __ATOMIC_RELAXED) != 0) unlock(*this);
    }
};

inline constexpr int64_t block_words = 8192; // some 50 µs

struct Operation;
// Carries out an operation; false when the numbers went wrong (a loss that is not finite), the same for all threads.
using Carry = bool (*)(const Operation&, const Team&);
// Carries out a rule for some of a parameter's elements: those from `begin` on, whose gradient lies at `grad`.
using Part = void (*)(const Operation&, const void* grad, int64_t begin, int64_t count);

// What a family's file offers to the core: one operation, for float and for double.
struct Entry {
    const char* name;
    int64_t words; // of its struct in native/operations/, 8 bytes each
    Carry carry[2];
    Carry (*pick[2])(const void* fields); // another function for some sizes, or null: then always `carry`
    Carry joined[2];                      // a function that also carries out those after it that it serves, or null
    Carry through[2];                     // a function that also carries out the rule after it, part by part, or null
    Part part[2];                         // of a rule, otherwise null
};

struct Family {
    const Entry* entries;
    int64_t count;
};

// One operation in a program: this head, and after it the fields of its struct in native/operations/.
struct Operation {
    Carry carry;
    Part part;
    int32_t stride; // bytes to the next operation
    int32_t skip;   // bytes to the next one that is not carried out by this one as well
    bool alone;      // too small to share: the first thread does it
    bool wait_after; // the others' next operation may read what this one wrote
    bool decides;    // it may end the step
    mutable bool fine; // what the first thread found, where it does it alone

    template <class Fields> const Fields& as() const { return *reinterpret_cast<const Fields*>(this + 1); }
    const Operation* after(int32_t bytes) const {
        return reinterpret_cast<const Operation*>(reinterpret_cast<const char*>(this) + bytes);
    }
};

struct Kept { // memory that a step changes before its last operations, and a copy from its beginning
    char* place;
    char* copy;
    int64_t bytes;
};

struct Program { // the operations of one step on so many rows
    const Operation *begin = nullptr, *end = nullptr;
    int64_t rows = 0;
    double work = 0;   // what a step costs, roughly, in floating-point operations: whether threads and clocks pay
    bool wide = false; // float64
    bool calls = false; // functions in Python, and nobody knows what these cost
    // Where its gradients are those of several mini-batches: its one `clear`, which the first of them alone carries
    // out, its `divide`, from which on the last one alone goes, and what is divided by. Otherwise null.
    const Operation *clear = nullptr, *divide = nullptr;
    double* divisor = nullptr;
    // Where it may be left before its end: the operation from which on it is not, and what is put back then. Otherwise
    // null and nothing.
    const Operation* until = nullptr;
    const Kept *kept = nullptr, *kept_end = nullptr;
    WordStream *const *streams = nullptr, *const *streams_end = nullptr;

    bool gathers() const { return divide != nullptr; }
};

struct Feed { // rows of data, copied to where the program reads its batch
    const char* data;
    int64_t row_bytes;
    char* batch;
};

enum class Ending : int { steps, epochs, time, trouble, left };

struct Timetable { // a rule's options in the steps to come
    enum class Turns : int { none, updates, epochs };

    Turns turns = Turns::none; // when they change: after each update, or between two epochs
    const double* rows = nullptr;
    int64_t count = 0, width = 0;
    double* options = nullptr;
    int64_t taken = 0;
    bool missing = false; // they were to change, and there was no row left

    // The next row, if there is one.
    bool take() {
        missing = taken == count;
        if (missing) return false;
        for (int64_t i = 0; i < width; ++i) options[i] = rows[taken * width + i];
        ++taken;
        return true;
    }
};

struct Training {
    const Program* whole = nullptr; // a full mini-batch
    const Program* rest = nullptr;  // the last, shorter one of an epoch; null when there is none
    const Feed* feeds = nullptr;
    int feed_count = 0;
    int64_t rows = 0, batch_size = 0;
    bool shuffle = false;
    int64_t* order = nullptr; // of the rows in this epoch; null when not shuffled
    WordStream* words = nullptr;   // for the order
    const double* result = nullptr; // the last step's loss, and what its mean was divided by (1 for sums)
    const char* prediction = nullptr;
    int64_t prediction_row_bytes = 0;
    char* record = nullptr; // every step's prediction, one after the other; null when nobody wants them

    int64_t position = 0; // rows of this epoch already seen
    double total = 0, size = 0; // of the epoch: Σ loss · its denominator, Σ denominators
    int64_t accumulate = 1; // how many mini-batches move the parameters once, where the programs gather
    int64_t gathered = 0;   // mini-batches whose gradients have not moved the parameters yet

    Timetable timetable;
    Pace pace;
};

struct Slice { // how far to go, and how far it went
    int64_t max_steps, max_epochs;
    double seconds, begun;
    double* epoch_totals; // total, size, seconds since the slice began: three for each epoch that ended
    int threads;          // at most
    bool paced;           // fewer where more do not pay; otherwise always as many
    double (*clock)();
    Lookout* lookout; // null for programs that are not left

    int64_t steps = 0, epochs = 0;
    Ending ending = Ending::steps;
};

enum class Evaluated : int { trouble, fine, left };

template <class T> struct TwoLoops { // of LBFGS: q holds -g and becomes -H g
    const T *const *changes, *const *steps; // y and s of each pair, the oldest first
    const double* weights;                  // 1 / (s · y)
    // Of each pair i, a row with its products with those up to it: s_k · y_i and y_k · y_i. They are worked out here
    // from the row `known` on, and for the last one in any case.
    double *const *between, *const *among;
    double *by_step, *by_change; // room for a number for each pair
    int64_t pairs, known;        // pairs > 0
    double scale;                // of the H in the middle
    T* q;
    int64_t n;
};

struct Core { // the same functions, compiled for one instruction set
    const char* name;
    const Family* const* families;
    int family_count;
    bool (*run)(const Program&, const Team&);
    void (*begin)(const Program&, Lookout&);
    bool (*put_back)(const Program&, Lookout*);
    void (*train)(Training&, Slice&);
    void (*flush)(Training&);
    Evaluated (*evaluate)(Training&, int threads, bool paced, Lookout*);
    void (*two_loops_float)(const TwoLoops<float>&, const Team&);
    void (*two_loops_double)(const TwoLoops<double>&, const Team&);
    void (*matmul_float)(const float* a, const float* b, float* c, float* workspace, int64_t m, int64_t n, int64_t k,
                         bool transposed, const Team&);
    void (*matmul_double)(const double* a, const double* b, double* c, double* workspace, int64_t m, int64_t n,
                          int64_t k, bool transposed, const Team&);
    bool (*elementary_float)(const char* name, const float* x, float* y, int64_t n);
    bool (*elementary_double)(const char* name, const double* x, double* y, int64_t n);
};

} // namespace maillon
