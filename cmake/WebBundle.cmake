# SPDX-License-Identifier: Apache-2.0
# cowtrace_web_bundle(SOURCE): the page of the HTML report, made from src/report/web by node and embedded by SOURCE.
# Packages and page are in build/web for all presets of a tree; a preset has a copy, so that its own build knows when it has changed.
find_program(COWTRACE_NODE NAMES node nodejs DOC "makes the page of the HTML report; scripts/setup.sh web installs it" REQUIRED)
set(COWTRACE_WEB_CACHE ${CMAKE_SOURCE_DIR}/build/web CACHE PATH "where npm packages and the bundled page are kept")

function(cowtrace_web_bundle source)
  set(web ${CMAKE_CURRENT_SOURCE_DIR}/web)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/web)
  file(GLOB sources CONFIGURE_DEPENDS ${web}/*.sh ${web}/*.mjs ${web}/*.json ${web}/*.html ${web}/src/*.ts ${web}/src/*/*.ts ${web}/src/*.css)
  add_custom_command(
    OUTPUT ${out}/report.head.html ${out}/report.tail.html ${out}/third-party.txt
    COMMAND sh ${web}/build.sh ${COWTRACE_WEB_CACHE} ${out}
    COMMAND ${CMAKE_COMMAND} -E touch ${out}/report.head.html ${out}/report.tail.html ${out}/third-party.txt
    DEPENDS ${sources} COMMENT "Page of the HTML report" VERBATIM)
  set_source_files_properties(${source} PROPERTIES
    OBJECT_DEPENDS "${out}/report.head.html;${out}/report.tail.html"
    COMPILE_DEFINITIONS "COWTRACE_WEB_DIR=\"${out}\"")
endfunction()
