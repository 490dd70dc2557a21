// How many threads a step gets: all, or the caller alone, whichever is faster by the clock. Beside other programs
// threads wait for one another longer than they help; and for some steps they do not pay anywhere.
#pragma once

#include <atomic>
#include <cstdint>

#include "team.hpp"

namespace maillon {

class Pace {
  public:
    // crowded_until: when all threads are worth trying again, which the trainings of a process tell one another.
    explicit Pace(std::atomic<double>& crowded_until = everywhere) : crowded_until_(&crowded_until) {}
    // Whether the next step is for all threads. now: the clock's seconds. light: a step takes a millisecond or less, so
    // that a training may begin with one thread to see what that takes, and lose nothing.
    bool together(double now, bool light);
    // What that step took, and how long of it the caller waited for threads that were not running.
    void note(double now, double seconds, double waited);

  private:
    struct Recent { // steps done one way, the latest counting most
        double steps = 0, seconds = 0, waited = 0;
        void add(double seconds, double waited);
        double mean() const { return seconds / steps; }
        bool enough() const;
        bool hopeless(double alone_s) const;
        bool late() const;
    };

    static std::atomic<double> everywhere;

    void go(bool together);
    void rest(double now);

    std::atomic<double>* crowded_until_;
    bool fresh_ = true, together_ = true;
    bool trial_ = false;                  // alone to see what a step takes so
    double together_s_ = 0, alone_s_ = 0; // seconds a step either way; 0 for not known
    Recent recent_, last_;                // since the last change, and before it
    double stretch_ = 0;                  // seconds since the last change
    double rest_ = 0;                     // seconds alone before all threads are tried again
    int64_t steps_ = 0, trial_after_ = 300; // together, since the last trial
};

// Runs `work` with up to `threads` threads: paced, with as many as pay, otherwise with all. Its arithmetic costs so many
// operations.
void run_with(Pace& pace, bool paced, double operations, int threads, Work work, void* context);

} // namespace maillon
