# `cpack` in the build directory, after a build with CMAKE_BUILD_TYPE=Release: a Debian package of
# the programs. What it depends on is computed of what the programs are linked with.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_NAME sagorder)
set(CPACK_PACKAGE_VENDOR "the sagorder authors")
set(CPACK_PACKAGE_CONTACT "the sagorder authors <sagorder@sagorder.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "batch ordering of Smart Access Gateway software")
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program debian)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)  # the system's trust anchors, if no --ca-file
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3, systemd")  # examples/benchmark/measure; the units
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${CMAKE_SOURCE_DIR}/.package/postinst;${CMAKE_SOURCE_DIR}/.package/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Places a CSV of orders: each row once, signed, over TLS, with the results in a
file as they come. No row is ever ordered twice, and no order that may have
been placed is forgotten, through lost answers, kills, power loss, full disks
and batches that are started again.
.
sagorder-gateway is a simulated gateway on loopback, to try it with.")

# --- what only the package has
set(package ${CMAKE_BINARY_DIR}/generated/package)
execute_process(COMMAND date -u -R -d ${SAGORDER_DATE} OUTPUT_VARIABLE date_written
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(CONFIGURE OUTPUT ${package}/changelog.Debian CONTENT
"sagorder (@PROJECT_VERSION@-1) unstable; urgency=medium

  * What is new stands in changelog.gz.

 -- @CPACK_PACKAGE_CONTACT@  @date_written@
" @ONLY)
file(READ LICENSE licence)
string(REGEX REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REGEX REPLACE "\n([^\n])" "\n \\1" licence "${licence}")
string(REGEX REPLACE "^MIT License\n [.]\n Copyright [(]c[)] ([^\n]*)\n [.]\n" "" licence
  "${licence}")
set(holder "${CMAKE_MATCH_1}")
file(STRINGS io/report/uplot/LICENSE uplot_holder REGEX "^Copyright")
string(REGEX REPLACE "^Copyright [(]c[)] " "" uplot_holder "${uplot_holder}")
file(CONFIGURE OUTPUT ${package}/copyright CONTENT
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: sagorder

Files: *
Copyright: @holder@
License: Expat
@licence@

Files: io/report/uplot/*
Comment: The charts of `sagorder report`, inside the program and in every page that it writes.
Copyright: @uplot_holder@
License: Expat" @ONLY)
foreach(packed CHANGELOG.md=changelog.gz ${package}/changelog.Debian=changelog.Debian.gz)
  string(REGEX MATCH "^(.*)=(.*)$" both ${packed})
  execute_process(COMMAND gzip -9nc ${CMAKE_MATCH_1} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    OUTPUT_FILE ${package}/${CMAKE_MATCH_2} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS CHANGELOG.md LICENSE)

install(FILES ${package}/copyright ${package}/changelog.gz ${package}/changelog.Debian.gz
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES samples/systemd/sagorder@.service samples/systemd/sagorder@.timer
  DESTINATION lib/systemd/system COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES samples/systemd/sagorder.sysusers RENAME sagorder.conf
  DESTINATION lib/sysusers.d COMPONENT debian EXCLUDE_FROM_ALL)
install(DIRECTORY ${pages}/gz/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT debian
  EXCLUDE_FROM_ALL)
install(FILES ${pages}/zsh/_sagorder DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
  COMPONENT debian EXCLUDE_FROM_ALL)
include(CPack)
