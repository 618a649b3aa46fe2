#include "io/tls.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cctype>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "io/connection.hpp"
#include "tests/io/pool_client.hpp"
#include "tests/io/temporary_directory.hpp"
#include "tests/io/tls_server.hpp"

namespace sagorder::io {
namespace {

using namespace sagorder::io::testing;

ServerWish with_certificate(const Identity& identity, int version_max = TLS1_3_VERSION) {
  ServerWish wish;
  wish.identity = identity;
  wish.version_max = version_max;
  return wish;
}

struct BadCertificate {
  const char* words;  ///< of the fault
  Identity identity;
};

std::vector<BadCertificate> bad_certificates() {
  const TrustedAuthority& trusted = TrustedAuthority::get();
  const Identity stranger = make_authority("stranger");
  return {
      {"authority that is not trusted", make_identity({}, &stranger)},
      {"self-signed", make_identity({}, nullptr)},
      {"is not for 127.0.0.1", trusted.issue({.alternatives = "DNS:other.example,IP:127.0.0.2"})},
      {"is not for 127.0.0.1", trusted.issue({.alternatives = "DNS:127.0.0.1"})},
      {"has expired", trusted.issue({.valid_from_s = -7200, .valid_to_s = -3600})},
      {"not valid yet", trusted.issue({.valid_from_s = 3600, .valid_to_s = 7200})},
  };
}

void expect_refused(const Ending& ending, const std::string& words) {
  EXPECT_EQ(ending.times, 1);
  ASSERT_TRUE(ending.fault.has_value());
  EXPECT_EQ(ending.fault->kind, FaultKind::certificate_refused);
  EXPECT_NE(ending.fault->detail.find(words), std::string::npos) << ending.fault->detail;
  EXPECT_EQ(ending.fault->bytes_accepted, 0U);
}

TEST(Tls, ABadCertificateIsRefusedBeforeAByteOfTheRequest) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const BadCertificate& bad : bad_certificates()) {
      TlsServer server(with_certificate(bad.identity, version));
      PoolClient client(options_of(1));
      expect_refused(client.exchange(1, at(server)), bad.words);
      client.run_for(5ms);
      EXPECT_EQ(server.seen().bytes(), 0U) << bad.words;
    }
  }
}

TEST(Tls, ABadCertificateIsRefusedWithASessionInHandToo) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const BadCertificate& bad : bad_certificates()) {
      TlsServer server(with_certificate(TrustedAuthority::get().issue(), version));
      PoolClient client(options_of(1));
      ASSERT_EQ(client.exchange(1, at(server)).status, 200);
      server.use(bad.identity);
      server.end_connections();
      client.run_for(5ms);
      const std::uint64_t bytes_before = server.seen().bytes();
      expect_refused(client.exchange(2, at(server)), bad.words);
      expect_refused(client.exchange(3, at(server)), bad.words);
      EXPECT_EQ(server.seen().bytes(), bytes_before) << bad.words;
    }
  }
}

TEST(Tls, ACertificateThatExpiresIsRefusedEvenWhenItsSessionResumes) {
  const Identity brief = TrustedAuthority::get().issue({.valid_to_s = 2});
  TlsServer server(with_certificate(brief));
  PoolClient client(options_of(1, 5000ms, 5000ms, 50ms));
  ASSERT_EQ(client.exchange(1, at(server)).status, 200);
  client.run_for(2500ms);  // the connection goes, the session stays
  const std::uint64_t bytes_before = server.seen().bytes();
  expect_refused(client.exchange(2, at(server)), "has expired");
  EXPECT_EQ(client.counters().handshakes_resumed, 1U);
  EXPECT_EQ(server.seen().bytes(), bytes_before);
}

TEST(Tls, ResumesSessions) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ServerWish wish = with_certificate(TrustedAuthority::get().issue(), version);
    wish.script = [](Peer& peer) {
      if (peer.read_request() != 0) peer.write(answer_of("", "Connection: close\r\n"));
      peer.read_request();
    };
    TlsServer server(wish);
    PoolClient client(options_of(1));
    for (std::uint32_t id = 1; id <= 5; ++id) {
      ASSERT_EQ(client.exchange(id, at(server)).status, 200);
    }
    EXPECT_EQ(client.counters().connects, 5U);
    EXPECT_EQ(client.counters().handshakes_resumed, 4U);
  }
}

TEST(Tls, ASessionIsNeverOfferedToAnotherName) {
  TlsServer server(with_certificate(TrustedAuthority::get().issue()));
  PoolClient client(options_of(1));
  ASSERT_EQ(client.exchange(1, at(server)).status, 200);
  // The same server, under a name that its certificate does not bear.
  expect_refused(client.exchange(2, at(server, "localhost")), "is not for localhost");
  EXPECT_EQ(client.counters().handshakes_resumed, 0U);
}

TEST(Tls, NamesAreMatchedWholeAndByTheirKind) {
  const TrustedAuthority& trusted = TrustedAuthority::get();
  TlsServer by_name(with_certificate(trusted.issue({.alternatives = "DNS:localhost"})));
  TlsServer partial(with_certificate(trusted.issue({.alternatives = "DNS:local*"})));
  PoolClient client(options_of(1));
  EXPECT_EQ(client.exchange(1, at(by_name, "localhost")).status, 200);
  expect_refused(client.exchange(2, at(by_name, "127.0.0.1")), "is not for 127.0.0.1");
  expect_refused(client.exchange(3, at(partial, "localhost")), "is not for localhost");
}

TEST(Tls, SendsTheNameAndNeverAnAddress) {
  std::string name = "nothing";
  ServerWish wish = with_certificate(
      TrustedAuthority::get().issue({.alternatives = "DNS:localhost,IP:127.0.0.1"}));
  wish.script = [&](Peer& peer) {
    const char* sent = SSL_get_servername(peer.ssl(), TLSEXT_NAMETYPE_host_name);
    name = sent == nullptr ? "" : sent;
    answer_all(peer);
  };
  TlsServer server(wish);
  PoolClient client(options_of(1));
  ASSERT_EQ(client.exchange(1, at(server, "localhost")).status, 200);
  EXPECT_EQ(name, "localhost");
  ASSERT_EQ(client.exchange(2, at(server)).status, 200);
  EXPECT_EQ(name, "");
}

void expect_tls_failed(const Ending& ending, const std::string& words) {
  EXPECT_EQ(ending.times, 1);
  ASSERT_TRUE(ending.fault.has_value());
  EXPECT_EQ(ending.fault->kind, FaultKind::tls_failed);
  EXPECT_EQ(ending.fault->bytes_accepted, 0U);
  EXPECT_NE(ending.fault->detail.find(words), std::string::npos) << ending.fault->detail;
  for (const char byte : ending.fault->detail) {
    EXPECT_TRUE(std::isprint(static_cast<unsigned char>(byte)) != 0);
  }
}

TEST(Tls, AServerThatOnlySpeaksTls11IsToldSo) {
  ServerWish wish;
  wish.version_min = TLS1_1_VERSION;
  wish.version_max = TLS1_1_VERSION;
  TlsServer server(wish);
  PoolClient client(options_of(1));
  expect_tls_failed(client.exchange(1, at(server)), "no TLS 1.2 or later");
}

TEST(Tls, AServerThatSpeaksNoTlsIsToldSo) {
  ServerWish wish;
  wish.handshake = false;
  wish.script = [](Peer& peer) {
    peer.raw("HTTP/1.1 400 Bad Request\r\n\x1b[31m\r\n");
    peer.wait_for_end();
  };
  TlsServer server(wish);
  PoolClient client(options_of(1));
  expect_tls_failed(client.exchange(1, at(server)), "does not speak TLS");
}

TEST(Tls, TrustAnchorsThatCannotBeLoadedNameTheirFile) {
  const auto words_for = [](const std::string& file) -> std::string {
    try {
      const TlsContext context(file);
    } catch (const TlsError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(words_for("/no/such/ca.pem").find("/no/such/ca.pem"), std::string::npos);
  const std::string empty_file = TrustedAuthority::get().ca_file + ".empty";
  std::ofstream(empty_file).put('\n');
  EXPECT_NE(words_for(empty_file).find(empty_file), std::string::npos);
  std::remove(empty_file.c_str());
  EXPECT_NO_THROW(TlsContext(""));
}

TEST(Tls, WithoutACaFileTheTestsAuthorityIsNotTrusted) {
  TlsServer server;
  PoolClient client(options_of(1), "");
  expect_refused(client.exchange(1, at(server)), "not trusted");
}

TEST(Tls, AHostThatCannotBeANameIsAnError) {
  const TlsContext context(TrustedAuthority::get().ca_file);
  EXPECT_THROW(static_cast<void>(context.new_ssl({"", 443})), TlsError);
  EXPECT_THROW(static_cast<void>(context.new_ssl({std::string("a\0b", 3), 443})), TlsError);
}

// ---- our own certificate -----------------------------------------------------------------------

/// A certificate and its key in files of their own.
class OwnCertificate {
  TemporaryDirectory directory_;

 public:
  explicit OwnCertificate(const Identity& identity, const char* passphrase = nullptr) {
    std::FILE* const file = open(files.certificate_file);
    PEM_write_X509(file, identity.certificate.get());
    std::fclose(file);
    std::FILE* const key = open(files.key_file);
    ::fchmod(::fileno(key), 0600);
    const EVP_CIPHER* const cipher = passphrase == nullptr ? nullptr : EVP_aes_256_cbc();
    PEM_write_PKCS8PrivateKey(key, identity.key.get(), cipher, passphrase,
                              passphrase == nullptr ? 0 : static_cast<int>(std::strlen(passphrase)),
                              nullptr, nullptr);
    std::fclose(key);
  }

  ClientCertificate files{directory_ / "own.pem", directory_ / "own-key.pem", Secret()};

 private:
  static std::FILE* open(const std::string& path) { return std::fopen(path.c_str(), "w"); }
};

int let_pass(int /*good*/, X509_STORE_CTX* /*store*/) { return 1; }
int refuse_late(int /*good*/, X509_STORE_CTX* /*store*/) {
  std::this_thread::sleep_for(kIdentityProofMax + 300ms);
  return 0;
}

/// A server that asks who calls.
ServerWish asking(SSL_verify_cb verify, std::size_t tickets = 2, int version = TLS1_3_VERSION) {
  ServerWish wish;
  wish.version_max = version;
  wish.prepare = [verify, tickets](SSL_CTX* context) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
    SSL_CTX_set_num_tickets(context, tickets);
    constexpr unsigned char kName = 't';
    SSL_CTX_set_session_id_context(context, &kName, 1);
  };
  return wish;
}

TEST(OwnCertificate, IsShownToAServerThatAsks) {
  const OwnCertificate own(TrustedAuthority::get().issue());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server(asking(let_pass, 2, version));
    PoolClient client(options_of(1), TrustedAuthority::get().ca_file, own.files);
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      EXPECT_EQ(client.exchange(id, at(server)).status, 200);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, kIdentityProofMax);
  }
}

TEST(OwnCertificate, ThatIsMissingOrRefusedCostsNoRowItsCertainty) {
  const OwnCertificate own(TrustedAuthority::get().issue());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsServer server(asking(nullptr, 2, version));  // it trusts nobody
    for (const bool missing : {false, true}) {
      PoolClient client(options_of(1), TrustedAuthority::get().ca_file,
                        missing ? ClientCertificate{} : own.files);
      const Ending& ending = client.exchange(1, at(server));
      ASSERT_TRUE(ending.fault.has_value());
      EXPECT_EQ(ending.fault->kind, FaultKind::identity_refused) << ending.fault->detail;
      EXPECT_EQ(ending.fault->bytes_accepted, 0U);
      const char* const words =
          missing ? "wants a client certificate" : "does not accept the client";
      EXPECT_NE(ending.fault->detail.find(words), std::string::npos) << ending.fault->detail;
    }
    EXPECT_EQ(server.seen().bytes(), 0U);
  }
}

TEST(OwnCertificate, IsTakenAsAcceptedByAServerThatSaysNothing) {
  const OwnCertificate own(TrustedAuthority::get().issue());
  TlsServer server(asking(let_pass, 0));
  PoolClient client(options_of(1), TrustedAuthority::get().ca_file, own.files);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.exchange(1, at(server)).status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kIdentityProofMax);
  EXPECT_EQ(client.exchange(2, at(server)).status, 200);
}

TEST(OwnCertificate, ThatIsRefusedLateLeavesADoubtAndSaysWhy) {
  const OwnCertificate own(TrustedAuthority::get().issue());
  TlsServer server(asking(refuse_late));
  PoolClient client(options_of(1), TrustedAuthority::get().ca_file, own.files);
  const Ending& ending = client.exchange(1, at(server));
  ASSERT_TRUE(ending.fault.has_value());
  EXPECT_EQ(ending.fault->kind, FaultKind::identity_refused) << ending.fault->detail;
  EXPECT_GT(ending.fault->bytes_accepted, 0U);
}

TEST(OwnCertificate, ATicketInTwoPartsIsWaitedFor) {
  const OwnCertificate own(TrustedAuthority::get().issue());
  ServerWish wish = asking(let_pass, 0);
  wish.script = [](Peer& peer) {
    peer.new_ticket_in_parts([] { std::this_thread::sleep_for(50ms); });
    answer_all(peer);
  };
  TlsServer server(wish);
  PoolClient client(options_of(1), TrustedAuthority::get().ca_file, own.files);
  EXPECT_EQ(client.exchange(1, at(server)).status, 200);
}

TEST(OwnCertificate, FilesThatCannotBeUsedAreNamed) {
  const auto words_for = [](const ClientCertificate& client) -> std::string {
    try {
      const TlsContext context("", client);
    } catch (const TlsError& error) {
      return error.what();
    }
    return "";
  };
  const Identity identity = TrustedAuthority::get().issue();
  const OwnCertificate own(identity);
  const OwnCertificate other(TrustedAuthority::get().issue());
  const OwnCertificate locked(identity, "sesame");
  const std::string& file = own.files.certificate_file;
  EXPECT_EQ(words_for(own.files), "");
  EXPECT_EQ(words_for({file, locked.files.key_file, Secret("sesame")}), "");
  EXPECT_NE(words_for({file, locked.files.key_file, Secret()}).find("is encrypted"),
            std::string::npos);
  const std::string wrong = words_for({file, locked.files.key_file, Secret("simsim")});
  EXPECT_NE(wrong.find("does not open it"), std::string::npos);
  EXPECT_EQ(wrong.find("simsim"), std::string::npos);
  EXPECT_NE(words_for({file, other.files.key_file, Secret()}).find("is not the key"),
            std::string::npos);
  EXPECT_NE(words_for({file, "/no/such", Secret()}).find("/no/such"), std::string::npos);
  EXPECT_NE(words_for({"/no/such", own.files.key_file, Secret()}).find("/no/such"),
            std::string::npos);
  ::chmod(own.files.key_file.c_str(), 0644);
  EXPECT_NE(words_for(own.files).find("others may read"), std::string::npos);
}

}  // namespace
}  // namespace sagorder::io
