# SPDX-License-Identifier: Apache-2.0
# Every library that cowtrace links; docs/dependencies.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
if(COWTRACE_TESTS)
  find_package(GTest REQUIRED)
endif()
# Decodes x86 instructions only.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  find_package(zydis REQUIRED)
endif()
pkg_check_modules(BPF REQUIRED IMPORTED_TARGET libbpf>=1.1)
pkg_check_modules(ELF REQUIRED IMPORTED_TARGET libelf)
pkg_check_modules(DW REQUIRED IMPORTED_TARGET libdw)
