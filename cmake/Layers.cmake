# SPDX-License-Identifier: Apache-2.0
# cowtrace_layer(NAME LAYERS a b LIBRARIES x y): one folder of src as one static library. LAYERS are the folders it may include;
# a target sees no header of any other, so a wrong #include does not compile. Each folder's headers are reached as "folder/file.h"
# through a forwarding root of its own that holds nothing but that folder.
function(cowtrace_layer name)
  cmake_parse_arguments(arg "" "" "LAYERS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set(root ${CMAKE_BINARY_DIR}/layers/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)
  if(sources)
    add_library(cowtrace_${name} STATIC ${sources})
    set(scope PUBLIC)
    cowtrace_warnings(cowtrace_${name})
  else()
    add_library(cowtrace_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(cowtrace_${name} ${scope} ${root})
  foreach(layer ${arg_LAYERS})
    target_link_libraries(cowtrace_${name} ${scope} cowtrace_${layer})
  endforeach()
  target_link_libraries(cowtrace_${name} ${scope} ${arg_LIBRARIES})
endfunction()

# Our own code: every warning is an error. The scenario program stays free of sanitizers: it compares its own page tables.
function(cowtrace_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion
                                           -fno-omit-frame-pointer)
  cowtrace_sanitize(${target})
  if(COWTRACE_TIDY)
    set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY clang-tidy)
  endif()
endfunction()

function(cowtrace_sanitize target)
  if(COWTRACE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${COWTRACE_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${COWTRACE_SANITIZE})
  endif()
endfunction()
