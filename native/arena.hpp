// A program's operations, one behind the other in one piece of memory, each followed by its fields.
#pragma once

#include <cstdint>
#include <vector>

#include "program.hpp"

namespace maillon {

class Arena {
  public:
    Arena(const Core& core, bool wide, int64_t rows);

    // An operation more: its entry, how many bytes its fields are, and what it costs.
    void* add(const Entry& entry, double work, bool alone, bool decides);
    // One that calls into Python: one thread does it, and it may end the program.
    void* add(Carry carry, int64_t bytes);
    // To be called once all are there.
    void finish();
    // By its number, or the end.
    const Operation* operation(int64_t number);

    Program program;

  private:
    struct Row {
        const Entry* entry;
        int64_t place;
    };

    Operation& at(const Row& row);
    void* add(const Entry* entry, Carry carry, int64_t bytes, double work, bool alone, bool decides);

    const Core& core_;
    std::vector<Row> rows_;
    std::vector<uint64_t> words_;
};

// By its number among all operations of a core, or null.
const Entry* entry_of(const Core& core, int64_t number);

} // namespace maillon
