# SPDX-License-Identifier: Apache-2.0
# Read by cpack for each kind of package: what Debian asks of its packages is in those alone.
if(CPACK_GENERATOR STREQUAL "DEB")
  list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
  set(CPACK_INSTALL_CMAKE_PROJECTS "${build};cowtrace;ALL;/;${build};cowtrace;debian;/")
endif()
