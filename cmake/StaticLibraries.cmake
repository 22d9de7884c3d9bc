# SPDX-License-Identifier: Apache-2.0
# Where COWTRACE_STATIC finds its libraries as archives. Debian has none of fmt and of Zydis: these are compiled from its source packages, which
# scripts/setup.sh puts into build/sources.
enable_language(C)
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
add_link_options(-static)

# fmt's headers alone would do, and take twice as long to compile everything.
set(COWTRACE_FMT_SOURCE ${CMAKE_SOURCE_DIR}/build/sources/fmt CACHE PATH "the source tree of fmt")
if(NOT EXISTS ${COWTRACE_FMT_SOURCE}/src/format.cc)
  message(FATAL_ERROR "cowtrace: no source of fmt in ${COWTRACE_FMT_SOURCE}: run scripts/setup.sh static")
endif()
add_library(fmt_archive STATIC ${COWTRACE_FMT_SOURCE}/src/format.cc ${COWTRACE_FMT_SOURCE}/src/os.cc)
target_include_directories(fmt_archive SYSTEM PUBLIC ${COWTRACE_FMT_SOURCE}/include)
set(COWTRACE_FMT fmt_archive)

# It decodes x86 instructions only.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  set(COWTRACE_ZYDIS_SOURCE ${CMAKE_SOURCE_DIR}/build/sources/zydis CACHE PATH "the source tree of Zydis")
  if(NOT EXISTS ${COWTRACE_ZYDIS_SOURCE}/src/Decoder.c)
    message(FATAL_ERROR "cowtrace: no source of Zydis in ${COWTRACE_ZYDIS_SOURCE}: run scripts/setup.sh static")
  endif()
  find_path(COWTRACE_ZYCORE_INCLUDE Zycore/Types.h REQUIRED)
  # What decoding needs; the rest of Zydis prints and encodes.
  set(files Decoder DecoderData MetaInfo Mnemonic Register Segment SharedData Utils Zydis)
  list(TRANSFORM files PREPEND ${COWTRACE_ZYDIS_SOURCE}/src/)
  list(TRANSFORM files APPEND .c)
  add_library(zydis_decoder STATIC ${files})
  target_include_directories(zydis_decoder SYSTEM PUBLIC ${COWTRACE_ZYDIS_SOURCE}/include ${COWTRACE_ZYCORE_INCLUDE})
  target_include_directories(zydis_decoder PRIVATE ${COWTRACE_ZYDIS_SOURCE}/src)
  target_compile_definitions(zydis_decoder PUBLIC ZYDIS_STATIC_BUILD ZYCORE_STATIC_BUILD ZYDIS_DISABLE_FORMATTER ZYDIS_DISABLE_ENCODER)
  add_library(Zydis::Zydis ALIAS zydis_decoder)
endif()

# What the archives themselves need, which a shared library would say of itself.
function(cowtrace_link_archives)
  foreach(name z lzma bz2)
    find_library(COWTRACE_ARCHIVE_${name} ${name} REQUIRED)
  endforeach()
  target_link_libraries(PkgConfig::ELF INTERFACE ${COWTRACE_ARCHIVE_z})
  target_link_libraries(PkgConfig::DW INTERFACE PkgConfig::ELF ${COWTRACE_ARCHIVE_lzma} ${COWTRACE_ARCHIVE_bz2})
  target_link_libraries(PkgConfig::BPF INTERFACE PkgConfig::ELF)
endfunction()
