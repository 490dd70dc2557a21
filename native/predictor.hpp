// A prepared forward pass that Python calls like a function: for one sample the way in and out must cost less than the
// network. What does not fit (another shape, a list, another dtype) is Python's to handle: NotImplemented says so.
#pragma once

#include <cstring>

namespace maillon {

namespace {

// What a plan was made from, as far as Python can replace it: links by their type, attributes and arrays by identity.
class Watch {
  public:
    // types: (object, its type). attributes: (dictionary, key, value). absent: (dictionary, key that is not in it, how
    // many keys it has, or -1 when one of them may go and leave its place to this one). arrays: (Parameter, its data).
    Watch(nb::list types, nb::list attributes, nb::list absent, nb::list arrays) {
        for (nb::handle row : types) types_.push_back({row[0], row[1]});
        for (nb::handle row : attributes) attributes_.push_back({row[0], row[1], row[2]});
        for (nb::handle row : absent) absent_.push_back({row[0], row[1], nb::cast<Py_ssize_t>(row[2])});
        for (nb::handle row : arrays) arrays_.push_back({row[0], row[1], slot(row[0], row[1])});
        data_ = nb::steal(PyUnicode_InternFromString("data"));
    }

    bool same() const {
        for (const Typed& typed : types_)
            if (reinterpret_cast<PyObject*>(Py_TYPE(typed.object.ptr())) != typed.type.ptr()) return false;
        for (const Attribute& attribute : attributes_)
            if (found(attribute.dictionary, attribute.key) != attribute.value.ptr()) return false;
        for (const Absent& absent : absent_)
            if (PyDict_Size(absent.dictionary.ptr()) != absent.size && found(absent.dictionary, absent.key) != nullptr)
                return false;
        for (const Data& data : arrays_)
            if (now(data) != data.array.ptr()) return false;
        return true;
    }

  private:
    struct Typed {
        nb::object object, type;
    };
    struct Attribute {
        nb::object dictionary, key, value;
    };
    struct Absent {
        nb::object dictionary, key;
        Py_ssize_t size;
    };
    struct Data {
        nb::object parameter, array;
        Py_ssize_t slot; // where in the Parameter the array stands, in pointers; 0: not known
    };

    static PyObject* found(const nb::object& dictionary, const nb::object& key) {
        PyObject* value = PyDict_GetItemWithError(dictionary.ptr(), key.ptr());
        if (value == nullptr && PyErr_Occurred()) throw nb::python_error();
        return value;
    }

    // A Parameter has nothing but slots: the one that holds the array, if one alone does, is read without a look-up.
    static Py_ssize_t slot(nb::handle parameter, nb::handle array) {
        const nb::object size = nb::steal(PyObject_GetAttrString((PyObject*)Py_TYPE(parameter.ptr()), "__basicsize__"));
        if (!size.is_valid()) throw nb::python_error();
        const auto* words = reinterpret_cast<PyObject* const*>(parameter.ptr());
        const Py_ssize_t end = nb::cast<Py_ssize_t>(size) / Py_ssize_t(sizeof(PyObject*));
        Py_ssize_t place = 0;
        for (Py_ssize_t i = sizeof(PyObject) / sizeof(PyObject*); i < end; ++i) {
            if (words[i] != array.ptr()) continue;
            if (place != 0) return 0;
            place = i;
        }
        return place;
    }

    PyObject* now(const Data& data) const {
        if (data.slot != 0) return reinterpret_cast<PyObject* const*>(data.parameter.ptr())[data.slot];
        PyObject* array = PyObject_GetAttr(data.parameter.ptr(), data_.ptr());
        if (array == nullptr) throw nb::python_error();
        Py_DECREF(array); // the Parameter still holds it
        return array;
    }

    std::vector<Typed> types_;
    std::vector<Attribute> attributes_;
    std::vector<Absent> absent_;
    std::vector<Data> arrays_;
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
        if (!run_program(operations_, threads_)) { // NumPy will say why
            PyBuffer_Release(&made);
            PyBuffer_Release(&given);
            return not_implemented();
        }
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
        .def("__call__", &Predictor::call, nb::arg("x").none());
}

} // namespace

} // namespace maillon
