# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, and packages of it (scripts/package.sh). Programs and headers are installed by their own folders.
# cpack and `cmake --install` take what is there; building the tests for it would be for nothing.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(COWTRACE_MAINTAINER "cowtrace maintainers <maintainers@cowtrace.example>" CACHE STRING "who answers for the packages that are built here")
set(COWTRACE_HOMEPAGE "" CACHE STRING "where cowtrace is published, for the packages that are built here")

install(TARGETS cowtrace)

# Compressed without names and times, so that equal sources make equal packages.
find_program(COWTRACE_GZIP gzip REQUIRED)
set(packaging ${CMAKE_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${packaging})
set(prepared)

# Its functions keep their names, or the first report that somebody sees would have none in its stacks.
add_custom_command(OUTPUT ${packaging}/scenario COMMAND ${CMAKE_OBJCOPY} --strip-debug $<TARGET_FILE:scenario> ${packaging}/scenario DEPENDS scenario
                   COMMENT "scenario without debug information" VERBATIM)
list(APPEND prepared ${packaging}/scenario)
install(PROGRAMS ${packaging}/scenario DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cowtrace)

function(cowtrace_compressed from to)
  add_custom_command(OUTPUT ${packaging}/${to} COMMAND sh -c "\"$1\" -9nc <\"$2\" >\"$3\"" sh ${COWTRACE_GZIP} ${from} ${packaging}/${to}
                     DEPENDS ${from} COMMENT "${to}" VERBATIM)
  set(prepared ${prepared} ${packaging}/${to} PARENT_SCOPE)
endfunction()
file(GLOB manuals CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.1)
foreach(manual ${manuals})
  get_filename_component(name ${manual} NAME)
  cowtrace_compressed(${manual} ${name}.gz)
  install(FILES ${packaging}/${name}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endforeach()
cowtrace_compressed(${CMAKE_SOURCE_DIR}/CHANGELOG.md changelog.gz)
cowtrace_compressed(${CMAKE_SOURCE_DIR}/packaging/debian/changelog changelog.Debian.gz)

install(FILES ${CMAKE_SOURCE_DIR}/README.md ${packaging}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/packaging/systemd/cowtrace-attach@.service ${CMAKE_SOURCE_DIR}/packaging/container/Containerfile
        DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

if(NOT CMAKE_CROSSCOMPILING)
  install(FILES ${CMAKE_BINARY_DIR}/completions/bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME cowtrace)
  install(FILES ${CMAKE_BINARY_DIR}/completions/fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME cowtrace.fish)
  # Debian's zsh looks into another folder for what packages bring than for what was built here.
  install(CODE "if(CMAKE_INSTALL_PREFIX MATCHES \"/usr/*$\")\nset(folder vendor-completions)\nelse()\nset(folder site-functions)\nendif()
file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\" TYPE FILE RENAME _cowtrace FILES \"${CMAKE_BINARY_DIR}/completions/zsh\")")
endif()

# The notices of all that the linker and the compiler have taken from others.
foreach(program cowtrace scenario)
  # What runs as root and reads foreign memory has no table of functions that could be written to.
  target_link_options(${program} PRIVATE -Wl,-Map=${packaging}/${program}.map -Wl,-z,relro -Wl,-z,now)
  list(APPEND maps --map ${packaging}/${program}.map)
endforeach()
set(built)
if(COWTRACE_STATIC)
  set(built --built libfmt_archive.a=${COWTRACE_FMT_SOURCE})
  if(TARGET zydis_decoder)
    list(APPEND built --built libzydis_decoder.a=${COWTRACE_ZYDIS_SOURCE})
  endif()
endif()
set(notices ${packaging}/notices.txt)
add_custom_command(
  OUTPUT ${notices}
  COMMAND sh -c "\"$1\" -t deps >\"$2\"" sh ${CMAKE_MAKE_PROGRAM} ${packaging}/deps
  COMMAND ${CMAKE_SOURCE_DIR}/packaging/notices.py --tree ${CMAKE_SOURCE_DIR} ${maps} --deps ${packaging}/deps ${built}
          --made-by bpftool --made-by protobuf-compiler --web ${CMAKE_BINARY_DIR}/src/report/web/third-party.txt -o ${notices}
  DEPENDS cowtrace scenario ${CMAKE_SOURCE_DIR}/packaging/notices.py WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
  COMMENT "Notices of what is in cowtrace" VERBATIM)
install(FILES ${notices} DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

# All that is installed besides cowtrace itself.
add_custom_target(packaging_files ALL DEPENDS ${prepared})
if(TARGET completions)
  add_dependencies(packaging_files completions)
endif()
add_custom_target(package_contents DEPENDS ${notices})
add_dependencies(package_contents cowtrace scenario packaging_files)

set(CPACK_PACKAGE_CONTACT "${COWTRACE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "record and explain copy-on-write breaks after fork")
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/packaging/cpack.cmake)
set(COWTRACE_TRIPLE ${CMAKE_SYSTEM_PROCESSOR}-linux)
if(COWTRACE_STATIC)
  string(APPEND COWTRACE_TRIPLE -static)
endif()
set(CPACK_PACKAGE_FILE_NAME cowtrace-${PROJECT_VERSION}-${COWTRACE_TRIPLE})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE ${COWTRACE_HOMEPAGE})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Loaded where DEBUGINFOD_URLS asks for it, by src/pipeline/debuginfod_helper.cpp.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS libdebuginfod1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Parent and child share their memory after fork until one of them writes. This
tool uses eBPF to record every such write that cost a copy: which process,
which code, what the kernel did, and which object lives there, with Python
objects by name. It compares the result with the page tables and says whether
anything is missing.
.
Programs are traced from their start or while they run, reports are text, JSON,
HTML and the formats of other profilers, and traces can be compared.")
# The Debian changelog speaks of the version that is built.
file(STRINGS ${CMAKE_SOURCE_DIR}/packaging/debian/changelog newest LIMIT_COUNT 1 REGEX "^cowtrace ")
if(NOT newest MATCHES "\\(${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}\\)")
  message(FATAL_ERROR "cowtrace: packaging/debian/changelog begins with '${newest}', but the version is ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
endif()
install(FILES ${packaging}/changelog.Debian.gz ${CMAKE_SOURCE_DIR}/packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT debian
        EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/debian/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME cowtrace
        COMPONENT debian EXCLUDE_FROM_ALL)
include(CPack)
