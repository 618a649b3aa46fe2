// sagorder-gateway: options, server, counts. Exit 0 after a signal, 1 on a failure, 2 on usage.
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include "options.hpp"
#include "server.hpp"

namespace {

// Complete or absent, never half written: whoever waits for the file may read it at once.
void write_whole(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << text << '\n';
    file.close();
    if (!file) throw std::runtime_error("cannot write " + temporary);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0)
    throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
  gateway::Options options;
  if (const auto code = gateway::parse_options(argc, argv, options)) return *code;
  try {
    gateway::Server server(options);
    if (!options.key_port_file.empty())
      write_whole(options.key_port_file, std::to_string(server.key_port()));
    if (!options.port_file.empty()) write_whole(options.port_file, std::to_string(server.port()));
    std::fprintf(stderr, "sagorder-gateway: listening on %s port %u\n", options.listen_host.c_str(),
                 static_cast<unsigned>(server.port()));
    server.run();
    const std::string counts = server.counts_json();
    std::printf("%s\n", counts.c_str());
    if (!options.counts_file.empty()) write_whole(options.counts_file, counts);
    return 0;
  } catch (const boost::system::system_error& error) {
    // Its own words end with a place in asio's source.
    std::fprintf(stderr, "sagorder-gateway: cannot listen on %s port %u: %s\n%s",
                 options.listen_host.c_str(), static_cast<unsigned>(options.listen_port),
                 error.code().message().c_str(),
                 "  end what listens there, or choose another port; 0 takes any that is free\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sagorder-gateway: %s\n", error.what());
    return 1;
  }
}
