# SPDX-License-Identifier: Apache-2.0
# cowtrace_bpf_skeleton(NAME SOURCES a b DEFINES x y): compiles BPF C with clang, links the objects into one and makes NAME.skel.h from it.
# Types come from the vmlinux.h in the tree, never from the build host.
find_program(COWTRACE_CLANG NAMES clang-14 clang REQUIRED)
find_program(COWTRACE_LLVM_STRIP NAMES llvm-strip-14 llvm-strip REQUIRED)
find_program(COWTRACE_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(cowtrace_bpf_skeleton name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEFINES" ${ARGN})
  list(TRANSFORM arg_DEFINES PREPEND -D)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  file(MAKE_DIRECTORY ${out})
  # The kernel's word for the architecture, and libbpf's.
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    set(arch x86_64)
    set(target x86)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    set(arch arm64)
    set(target arm64)
  else()
    message(FATAL_ERROR "cowtrace: ${CMAKE_SYSTEM_PROCESSOR} is not supported yet: it needs a part of bpf/lib/arch.h and a vmlinux.h "
                        "(vmlinux/generate.sh)")
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h ${CMAKE_SOURCE_DIR}/bpf/*.c)
  set(objects)
  foreach(source ${arg_SOURCES})
    get_filename_component(stem ${source} NAME_WE)
    set(object ${out}/${name}.${stem}.bpf.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${COWTRACE_CLANG} -g -O2 -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror
              -Wno-unused-parameter -D__TARGET_ARCH_${target} ${arg_DEFINES}
              -I ${CMAKE_SOURCE_DIR}/bpf -I ${CMAKE_SOURCE_DIR}/vmlinux/${arch}
              -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      COMMAND ${COWTRACE_LLVM_STRIP} -g ${object}
      DEPENDS ${source} ${headers} ${CMAKE_SOURCE_DIR}/vmlinux/${arch}/vmlinux.h
      COMMENT "BPF ${source} for ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_custom_command(
    OUTPUT ${out}/${name}.skel.h
    COMMAND ${COWTRACE_BPFTOOL} gen object ${out}/${name}.linked.o ${objects}
    COMMAND ${COWTRACE_BPFTOOL} gen skeleton ${out}/${name}.linked.o name ${name}_bpf > ${out}/${name}.skel.h
    DEPENDS ${objects} COMMENT "BPF skeleton ${name}" VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${out}/${name}.skel.h)
  add_library(${name}_bpf INTERFACE)
  target_include_directories(${name}_bpf SYSTEM INTERFACE ${out})
  add_dependencies(${name}_bpf ${name}_skeleton)
endfunction()
