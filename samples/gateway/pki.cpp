#include "pki.hpp"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "regions.hpp"

namespace gateway {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

constexpr long kValidDays = 365;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("cannot make the certificates: ") + what);
}

// Holds the directory's lock for its lifetime.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory)
      : file_(::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_ < 0 || ::flock(file_, LOCK_EX) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot lock " + directory);
  }
  ~DirectoryLock() { ::close(file_); }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int file_;
};

Key make_key() { return {EVP_EC_gen("P-256"), &EVP_PKEY_free}; }

void add_extension(X509* certificate, X509* issuer, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
  require(extension != nullptr, "an extension");
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  require(added == 1, "an extension");
}

// A certificate with everything but its extensions and its signature.
Certificate start_certificate(EVP_PKEY* key, const char* common_name) {
  Certificate certificate(X509_new(), &X509_free);
  require(certificate != nullptr, "a certificate");
  unsigned char serial[16];
  require(RAND_bytes(serial, sizeof serial) == 1, "a serial number");
  serial[0] = static_cast<unsigned char>((serial[0] & 0x7F) | 0x40);  // positive, of full length
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidDays * 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  return certificate;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "a signature");
}

Certificate make_ca(EVP_PKEY* key) {
  Certificate ca = start_certificate(key, "sagorder throw-away CA");
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  sign(ca.get(), ca.get(), key);
  return ca;
}

Certificate make_server(EVP_PKEY* key, X509* ca, EVP_PKEY* ca_key) {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  names.append(",DNS:business.aliyuncs.com,DNS:business.ap-southeast-1.aliyuncs.com");
  for (const std::string_view region : kRegions) {
    names.append(",DNS:smartag.").append(region).append(".aliyuncs.com");
    names.append(",DNS:smartag-vpc.").append(region).append(".aliyuncs.com");
  }
  Certificate server = start_certificate(key, "localhost");
  add_extension(server.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(server.get(), ca, NID_key_usage, "critical,digitalSignature");
  add_extension(server.get(), ca, NID_ext_key_usage, "serverAuth");
  add_extension(server.get(), ca, NID_subject_key_identifier, "hash");
  add_extension(server.get(), ca, NID_authority_key_identifier, "keyid");
  add_extension(server.get(), ca, NID_subject_alt_name, names);
  sign(server.get(), ca, ca_key);
  return server;
}

// Written beside its place and renamed, so that nobody reads half a file.
template <typename Write>
void write_file(const std::string& path, mode_t mode, Write write) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0)
    throw std::system_error(errno, std::generic_category(), "cannot write " + temporary);
  File file(::fdopen(descriptor, "w"), &std::fclose);
  require(file != nullptr && write(file.get()) == 1, path.c_str());
  require(std::fclose(file.release()) == 0, path.c_str());
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot rename " + temporary);
}

void write_key(const std::string& path, EVP_PKEY* key) {
  write_file(path, 0600, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void write_certificate(const std::string& path, X509* certificate) {
  write_file(path, 0644, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
}

bool is_fresh(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return false;
  const Certificate certificate(PEM_read_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  ERR_clear_error();
  if (!certificate) return false;
  std::time_t tomorrow = std::time(nullptr) + 86'400;
  return X509_cmp_time(X509_get0_notAfter(certificate.get()), &tomorrow) > 0;
}

}  // namespace

PkiFiles prepare_pki(const std::string& directory) {
  if (std::filesystem::create_directories(directory)) ::chmod(directory.c_str(), 0700);
  const DirectoryLock lock(directory);
  PkiFiles files{directory + "/ca.pem", directory + "/server.pem", directory + "/server-key.pem"};
  if (is_fresh(files.ca) && is_fresh(files.cert) && ::access(files.key.c_str(), R_OK) == 0)
    return files;

  const Key ca_key = make_key();
  const Key key = make_key();
  require(ca_key && key, "a key");
  const Certificate ca = make_ca(ca_key.get());
  const Certificate server = make_server(key.get(), ca.get(), ca_key.get());
  write_key(directory + "/ca-key.pem", ca_key.get());
  write_key(files.key, key.get());
  write_certificate(files.cert, server.get());
  write_certificate(files.ca, ca.get());  // last: whoever waits for ca.pem finds all of it
  return files;
}

}  // namespace gateway
