// SPDX-License-Identifier: Apache-2.0
// Functions that take a program apart. A stack that holds one of them was made while the program
// ended.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cowtrace::analysis {

// What ends. The advice end-at-once has a call for each that can end without taking itself apart.
enum class EndingRuntime : std::uint8_t { C, Python, Ruby, Perl, Php, PostgreSql };

struct EndingFunction {
  std::string_view function;  // as the symbol table has it
  bool returns;               // the program may go on afterwards (an embedded interpreter)
  EndingRuntime runtime = EndingRuntime::C;
};

// exit() runs the handlers of atexit(), destructors of C++ and the dynamic linker's _dl_fini(), and
// never returns (C11 7.22.4.4). The others are the public functions by which programs end an
// interpreter or themselves.
inline constexpr std::array kEndingFunctions = {
    EndingFunction{"exit", false},                 // C library
    EndingFunction{"quick_exit", false},           // C library: handlers of at_quick_exit()
    EndingFunction{"__run_exit_handlers", false},  // glibc, where exit() jumps to it
    EndingFunction{"_dl_fini", false},             // glibc's dynamic linker
    EndingFunction{"Py_Exit", false, EndingRuntime::Python},
    EndingFunction{"Py_FinalizeEx", true, EndingRuntime::Python},
    EndingFunction{"Py_Finalize", true, EndingRuntime::Python},
    EndingFunction{"ruby_stop", false,
                   EndingRuntime::Ruby},  // CRuby: the end of a block that fork() runs
    EndingFunction{"ruby_cleanup", true, EndingRuntime::Ruby},
    EndingFunction{"ruby_finalize", true, EndingRuntime::Ruby},
    EndingFunction{"ruby_vm_destruct", true, EndingRuntime::Ruby},
    EndingFunction{"Perl_my_exit", false,
                   EndingRuntime::Perl},  // Perl's exit: unwinds, then perl_destruct() and exit()
    EndingFunction{"Perl_my_failure_exit", false, EndingRuntime::Perl},
    EndingFunction{"perl_destruct", true, EndingRuntime::Perl},
    EndingFunction{"php_module_shutdown", true, EndingRuntime::Php},
    EndingFunction{"proc_exit", false,
                   EndingRuntime::PostgreSql},         // PostgreSQL: its callbacks, then exit()
    EndingFunction{"ngx_worker_process_exit", false},  // nginx: gives its pools back, then exit()
    EndingFunction{"ngx_master_process_exit", false},
};

// A function that takes a program apart where another one called it with nothing between them but
// functions without a name: those of stripped programs that their symbol table for the dynamic
// linker leaves out. None of these returns.
struct EndingCall {
  std::string_view function, caller;
};
inline constexpr std::array kEndingCalls = {
    // nginx: through ngx_worker_process_cycle() and ngx_worker_process_exit(). A request's pool
    // goes through ngx_http_*().
    EndingCall{"ngx_destroy_pool", "ngx_spawn_process"},
    // Perl: when exit has unwound the stack to the program's end.
    EndingCall{"Perl_free_tmps", "perl_run"},
};

// CPython's main functions. A forked process that is in one of them and in no Python code has left
// the program that it was forked in: it gives back what it had compiled, and ends.
inline constexpr std::array<std::string_view, 2> kPythonMainFunctions = {"Py_RunMain",
                                                                         "Py_BytesMain"};

// Python functions of the standard library that run exit handlers, for processes that
// multiprocessing forked end without the interpreter's own end.
struct EndingPythonFunction {
  std::string_view function;
  std::string_view file;  // the end of its path
};
inline constexpr std::array kEndingPythonFunctions = {
    EndingPythonFunction{"_exit_function", "/multiprocessing/util.py"},
    EndingPythonFunction{"_shutdown", "/threading.py"},
    EndingPythonFunction{"shutdown", "/logging/__init__.py"},
    EndingPythonFunction{"_python_exit", "/concurrent/futures/thread.py"},
    EndingPythonFunction{"_python_exit", "/concurrent/futures/process.py"},
    EndingPythonFunction{"finalize._exitfunc", "/weakref.py"},
};

}  // namespace cowtrace::analysis
