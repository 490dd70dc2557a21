// A prepared forward pass that Python calls like a function: for one sample the way in and out must cost less than the
// network. What does not fit (another shape, a list, another dtype) is Python's to handle: NotImplemented says so.
#pragma once

#include <cstring>

namespace maillon {

namespace {

// What a plan was made from, as far as Python can replace it: links by their type, attributes and arrays by identity.
class Watch {
  public:
    // types: (object, its type). attributes: (dictionary, key, value). absent: (dictionary, key that is not in it).
    // arrays: (Parameter, its data).
    Watch(nb::list types, nb::list attributes, nb::list absent, nb::list arrays) {
        for (nb::handle row : types) types_.push_back({row[0], row[1]});
        for (nb::handle row : attributes) attributes_.push_back({row[0], row[1], row[2]});
        for (nb::handle row : absent) attributes_.push_back({row[0], row[1], nb::object()});
        for (nb::handle row : arrays) arrays_.push_back({row[0], row[1]});
        data_ = nb::steal(PyUnicode_InternFromString("data"));
    }

    bool same() const {
        for (const Pair& pair : types_)
            if (reinterpret_cast<PyObject*>(Py_TYPE(pair.owner.ptr())) != pair.value.ptr()) return false;
        for (const Attribute& attribute : attributes_) {
            PyObject* now = PyDict_GetItemWithError(attribute.dictionary.ptr(), attribute.key.ptr());
            if (now == nullptr && PyErr_Occurred()) throw nb::python_error();
            if (now != attribute.value.ptr()) return false;
        }
        for (const Pair& pair : arrays_) {
            PyObject* now = PyObject_GetAttr(pair.owner.ptr(), data_.ptr());
            if (now == nullptr) throw nb::python_error();
            const bool same = now == pair.value.ptr();
            Py_DECREF(now);
            if (!same) return false;
        }
        return true;
    }

  private:
    struct Pair {
        nb::object owner, value;
    };
    struct Attribute {
        nb::object dictionary, key, value;
    };

    std::vector<Pair> types_, arrays_;
    std::vector<Attribute> attributes_;
    nb::object data_;
};

class Predictor {
  public:
    // watch: what the program was made from; plan: whatever owns the memory that the program works on, alive as long
    // as this.
    Predictor(Operations& operations, uint64_t input, nb::tuple shape, uint64_t output, nb::object empty,
              nb::tuple empty_arguments, const Watch& watch, nb::object plan, int threads)
        : operations_(operations), watch_(watch), input_(at<char>(input)), output_(at<const char>(output)),
          empty_(std::move(empty)), empty_arguments_(std::move(empty_arguments)), plan_(std::move(plan)),
          threads_(threads) {
        item_ = operations.program.wide ? 8 : 4;
        for (nb::handle size : shape) shape_.push_back(nb::cast<Py_ssize_t>(size));
    }

    nb::object call(nb::handle x) {
        if (!watch_.same()) return not_implemented();
        // Nothing of Python runs between the first look at `given` and the last: another thread may call this too.
        nb::object result = nb::steal(PyObject_Call(empty_.ptr(), empty_arguments_.ptr(), nullptr));
        if (!result.is_valid()) throw nb::python_error();
        Py_buffer given, made;
        if (PyObject_GetBuffer(x.ptr(), &given, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
            PyErr_Clear();
            return not_implemented();
        }
        if (!matches(given)) {
            PyBuffer_Release(&given);
            return not_implemented();
        }
        if (PyObject_GetBuffer(result.ptr(), &made, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) != 0) {
            PyBuffer_Release(&given);
            throw nb::python_error();
        }
        std::memcpy(input_, given.buf, size_t(given.len));
        run_program(operations_, threads_);
        std::memcpy(made.buf, output_, size_t(made.len));
        PyBuffer_Release(&made);
        PyBuffer_Release(&given);
        return result;
    }

  private:
    static nb::object not_implemented() { return nb::borrow(Py_NotImplemented); }

    bool matches(const Py_buffer& given) const {
        if (given.itemsize != item_ || given.ndim != int(shape_.size())) return false;
        if (given.format == nullptr || given.format[0] != (item_ == 8 ? 'd' : 'f') || given.format[1] != 0) return false;
        for (int i = 0; i < given.ndim; ++i)
            if (given.shape[i] != shape_[size_t(i)]) return false;
        return true;
    }

    Operations& operations_;
    const Watch& watch_;
    char* input_;
    const char* output_;
    nb::object empty_;
    nb::tuple empty_arguments_;
    nb::object plan_;
    std::vector<Py_ssize_t> shape_;
    Py_ssize_t item_;
    int threads_;
};

void bind_predictor(nb::module_& m) {
    nb::class_<Watch>(m, "Watch")
        .def(nb::init<nb::list, nb::list, nb::list, nb::list>(), "types"_a, "attributes"_a, "absent"_a, "arrays"_a)
        .def("same", &Watch::same);
    nb::class_<Predictor>(m, "Predictor")
        .def(nb::init<Operations&, uint64_t, nb::tuple, uint64_t, nb::object, nb::tuple, const Watch&, nb::object,
                      int>(),
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 8>())
        .def("__call__", &Predictor::call, "x"_a.none());
}

} // namespace

} // namespace maillon
