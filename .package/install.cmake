# What `cmake --install` puts where. Components:
#
#   program      the programs, bash and fish completions, documents and samples
#   manual       man pages and the zsh completion, where a local installation has them
#   development  the engine as a library: find_package(sagorder), target sagorder::engine
#   debian       what stands elsewhere, or is packed, in a Debian package (see package.cmake)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(pages ${CMAKE_BINARY_DIR}/pages)
add_custom_command(OUTPUT ${pages}/man/man1/sagorder.1
  COMMAND ${CMAKE_COMMAND} -D SAGORDER=$<TARGET_FILE:sagorder>
    -D GATEWAY=$<TARGET_FILE:sagorder-gateway> -D DATE=${SAGORDER_DATE} -D INTO=${pages}
    -P ${CMAKE_SOURCE_DIR}/.package/pages.cmake
  DEPENDS sagorder sagorder-gateway ${CMAKE_SOURCE_DIR}/.package/pages.cmake
  COMMENT "Man pages and completions")
add_custom_target(pages DEPENDS ${pages}/man/man1/sagorder.1)
if(NOT SAGORDER_SANITIZE AND NOT SAGORDER_FUZZ)  # those are installed by nobody
  add_custom_target(pages_are_built ALL DEPENDS pages)
endif()

# --- program
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME program)
install(TARGETS sagorder sagorder-gateway RUNTIME COMPONENT program)
install(FILES ${pages}/bash/sagorder
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${pages}/fish/sagorder.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES samples/orders.csv samples/bad.csv samples/first_hour.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY samples/systemd samples/kubernetes samples/compose samples/ci samples/benchmark samples/onboarding
  USE_SOURCE_PERMISSIONS
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)

# --- manual
install(DIRECTORY ${pages}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT manual)
install(FILES ${pages}/zsh/_sagorder DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
  COMPONENT manual)

# --- development
set(config_directory ${CMAKE_INSTALL_LIBDIR}/cmake/sagorder)
install(TARGETS engine EXPORT sagorder ARCHIVE COMPONENT development)
install(DIRECTORY engine/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sagorder/engine
  COMPONENT development FILES_MATCHING PATTERN "*.hpp")
install(EXPORT sagorder NAMESPACE sagorder:: FILE sagorderTargets.cmake
  DESTINATION ${config_directory} COMPONENT development)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/sagorderConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES .package/sagorderConfig.cmake
  ${CMAKE_BINARY_DIR}/generated/sagorderConfigVersion.cmake
  DESTINATION ${config_directory} COMPONENT development)
