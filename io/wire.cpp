#include "io/wire.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "io/tls.hpp"

namespace sagorder::io {
namespace {

Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

int bio_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  ssize_t sent = 0;
  do {
    sent = ::send(wire.fd, bytes, size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    *written = static_cast<std::size_t>(sent);
    wire.accepted += *written;
    return 1;
  }
  wire.error = errno;
  *written = 0;
  if (is_temporary(wire.error)) BIO_set_retry_write(bio);
  return 0;
}

int bio_read(BIO* bio, char* bytes, std::size_t size, std::size_t* read) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  if (wire.received >= wire.pause_at) {
    // The rest stays in the kernel, where readiness for it is told again.
    wire.error = EAGAIN;
    *read = 0;
    BIO_set_retry_read(bio);
    return 0;
  }
  ssize_t received = 0;
  do {
    received = ::recv(wire.fd, bytes, size, 0);
  } while (received < 0 && errno == EINTR);
  *read = received > 0 ? static_cast<std::size_t>(received) : 0;
  wire.drained = received > 0 && *read < size;
  if (received > 0) {
    wire.received += *read;
    wire.records.see(std::span(reinterpret_cast<const unsigned char*>(bytes), *read));
    return 1;
  }
  if (received == 0) {
    wire.ended = true;
    wire.error = 0;
    return 0;
  }
  wire.error = errno;
  if (is_temporary(wire.error)) BIO_set_retry_read(bio);
  return 0;
}

long bio_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return wire_of(bio).ended ? 1 : 0;
  return 0;
}

}  // namespace

bool is_temporary(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

BIO* new_counting_bio(Wire& wire) {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "counted socket");
    if (made == nullptr) return made;
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  BIO* bio = kMethod == nullptr ? nullptr : BIO_new(kMethod);
  if (bio == nullptr) throw TlsError("OpenSSL has no memory for a connection");
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  return bio;
}

void RecordFollower::see(std::span<const unsigned char> bytes) {
  while (!bytes.empty()) {
    std::size_t taken = 1;
    if (header_bytes_ < header_.size()) {
      header_[header_bytes_++] = bytes.front();
      if (header_bytes_ == header_.size()) {
        body_left_ = static_cast<std::size_t>(header_[3]) << 8 | header_[4];
      }
    } else {
      taken = std::min(body_left_, bytes.size());
      body_left_ -= taken;
    }
    unfinished_ += taken;
    bytes = bytes.subspan(taken);
    if (header_bytes_ == header_.size() && body_left_ == 0) {
      header_bytes_ = 0;
      unfinished_ = 0;
    }
  }
}

}  // namespace sagorder::io
