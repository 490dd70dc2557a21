// The threads that carry out a piece of work together. Work is split so that no element's arithmetic depends on the
// split: each is computed whole by one thread.
#pragma once

#include <cstdint>

namespace maillon {

class Barrier; // pool.cpp
class Lookout;

struct Team {
    int rank = 0, size = 1; // rank 0 is the caller
    Barrier* barrier = nullptr;
    Lookout* lookout = nullptr; // of a long program, which may be left before its end
    void wait() const; // until every thread of the team is here; returns at once in a team of one
    bool leaving() const { return lookout != nullptr && asks_lookout(); } // see Lookout::leaving

  private:
    bool asks_lookout() const;
};

using Work = void (*)(void* context, const Team& team);

// Runs `work` in `threads` threads, the caller one of them, and returns when all have ended: the seconds that the
// caller waited for threads that were not running. One caller at a time has the pool's threads: another one meanwhile
// works alone, and so does one that the operating system gives no threads. Results do not depend on it.
double run_team(int threads, Work work, void* context);

struct Span {
    int64_t begin, end;
};

// This thread's part of n items, in whole grains (the last one may be short).
inline Span share(int64_t n, int64_t grain, const Team& team) {
    if (team.size == 1) return {0, n};
    const int64_t grains = (n + grain - 1) / grain;
    const int64_t begin = grains * team.rank / team.size * grain;
    const int64_t end = grains * (team.rank + 1) / team.size * grain;
    return {begin < n ? begin : n, end < n ? end : n};
}

} // namespace maillon
