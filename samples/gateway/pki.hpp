// A throw-away certificate authority, for tests and demonstrations only.
//
// The directory holds ca.pem, ca-key.pem, server.pem and server-key.pem (EC P-256, keys 0600). The
// server's certificate names localhost, 127.0.0.1, ::1 and every smartag endpoint of the vendor,
// so that a client can keep verifying host names while it talks to the loopback.
#pragma once

#include <string>

namespace gateway {

struct PkiFiles {
  std::string ca;
  std::string cert;
  std::string key;
};

// Makes what is absent or expires within a day; otherwise leaves all as it is. Processes that
// share the directory take turns. Throws std::runtime_error or std::system_error.
PkiFiles prepare_pki(const std::string& directory);

}  // namespace gateway
