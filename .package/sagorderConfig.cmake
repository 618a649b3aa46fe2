# find_package(sagorder) gives the target sagorder::engine. Its headers are included as
# "engine/csv.hpp" and the like. The engine computes and never waits; it has no network and no files.
include(CMakeFindDependencyMacro)
find_dependency(OpenSSL 3.0)
find_dependency(simdjson)
include("${CMAKE_CURRENT_LIST_DIR}/sagorderTargets.cmake")
