#include "arena.hpp"

#include <cstring>
#include <stdexcept>

#include "operations/gradients.hpp"

namespace maillon {

namespace {

// Roughly half a microsecond of work: what sharing it among threads costs.
constexpr double worth_sharing = 20e3;

} // namespace

const Entry* entry_of(const Core& core, int64_t number) {
    for (int i = 0; i < core.family_count && number >= 0; ++i) {
        if (number < core.families[i]->count) return core.families[i]->entries + number;
        number -= core.families[i]->count;
    }
    return nullptr;
}

Arena::Arena(const Core& core, bool wide, int64_t rows) : core_(core) {
    program.rows = rows;
    program.wide = wide;
}

void* Arena::add(const Entry& entry, double work, bool alone, bool decides) {
    return add(&entry, entry.carry[program.wide], entry.words * 8, work, alone || work < worth_sharing, decides);
}

void* Arena::add(Carry carry, int64_t bytes) {
    program.calls = true;
    return add(nullptr, carry, bytes, 0, true, true);
}

void* Arena::add(const Entry* entry, Carry carry, int64_t bytes, double work, bool alone, bool decides) {
    const size_t head = sizeof(Operation) / 8, place = words_.size();
    const Part part = entry == nullptr ? nullptr : entry->part[program.wide];
    static_assert(sizeof(Operation) % 8 == 0);
    words_.resize(place + head + size_t(bytes) / 8);
    const int32_t stride = int32_t(8 * (words_.size() - place));
    new (&words_[place]) Operation{carry, part, stride, stride, alone, true, decides, true};
    rows_.push_back({entry, int64_t(place)});
    program.work += work;
    return &words_[place + head];
}

Operation& Arena::at(const Row& row) { return *reinterpret_cast<Operation*>(&words_[size_t(row.place)]); }

const Operation* Arena::operation(int64_t number) {
    return number < int64_t(rows_.size()) ? &at(rows_[size_t(number)]) : program.end;
}

void Arena::finish() {
    const bool wide = program.wide;
    program.begin = reinterpret_cast<Operation*>(words_.data());
    program.end = reinterpret_cast<Operation*>(words_.data() + words_.size());
    for (const Row& row : rows_) {
        Operation& op = at(row);
        if (row.entry == nullptr) continue;
        if (const auto pick = row.entry->pick[wide])
            if (const Carry other = pick(&op + 1)) op.carry = other;
        if (std::strcmp(row.entry->name, "clear") == 0) program.clear = &op;
        if (std::strcmp(row.entry->name, "divide") == 0 && program.clear != nullptr) {
            program.divide = &op;
            program.divisor = wide ? op.as<op::Divide<double>>().divisor : op.as<op::Divide<float>>().divisor;
        }
    }
    if (program.divide == nullptr) program.clear = nullptr;
    for (size_t i = rows_.size(); i-- > 1;) { // small operations in a row are one call
        Operation &op = at(rows_[i]), &before = at(rows_[i - 1]);
        const Entry *entry = rows_[i].entry;
        if (entry != nullptr && entry == rows_[i - 1].entry && entry->joined[wide] != nullptr &&
            op.carry == entry->joined[wide] && before.carry == op.carry)
            before.skip += op.skip;
    }
    for (size_t i = 0; i < rows_.size(); ++i) {
        Operation& op = at(rows_[i]);
        const Entry* entry = rows_[i].entry;
        if (entry == nullptr || entry->through[wide] == nullptr || op.carry != entry->through[wide]) continue;
        if (i + 1 == rows_.size() || at(rows_[i + 1]).part == nullptr)
            throw std::invalid_argument("a gradient passes to an operation that is no rule");
        op.skip += at(rows_[i + 1]).stride;
    }
    for (size_t i = 0; i < rows_.size(); ++i) {
        Operation& op = at(rows_[i]);
        const Operation* next = op.after(op.skip);
        const bool last = next == program.end; // `run_team` waits for all
        op.wait_after = (!last && !(op.alone && next->alone)) || (op.alone && op.decides);
    }
}

} // namespace maillon
