#include "io/unpacker.hpp"

#include <zlib.h>
#include <zstd.h>

#include <new>

namespace sagorder::io {
namespace {

class Gunzip final : public Unpacker {
 public:
  Gunzip() {
    constexpr int kGzipAlone = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kGzipAlone) != Z_OK) throw std::bad_alloc();
  }
  ~Gunzip() override { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  Step unpack(std::string_view packed, std::span<char> into) override {
    // The cast is zlib's: it takes no const, and changes nothing.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = static_cast<uInt>(into.size());
    std::string complaint;
    while (stream_.avail_out > 0 && complaint.empty()) {
      if (whole_ && stream_.avail_in == 0) break;
      if (whole_) inflateReset(&stream_);  // another member
      const int result = inflate(&stream_, Z_NO_FLUSH);
      whole_ = result == Z_STREAM_END;
      if (result == Z_BUF_ERROR) break;  // it wants more bytes
      if (result != Z_OK && !whole_)
        complaint = "its gzip data is damaged, or followed by something else";
    }
    return {packed.size() - stream_.avail_in, into.size() - stream_.avail_out, complaint};
  }
  [[nodiscard]] bool is_whole() const override { return whole_; }

 private:
  z_stream stream_{};
  bool whole_ = false;
};

class Unzstd final : public Unpacker {
 public:
  Unzstd() : stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (!stream_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }

  Step unpack(std::string_view packed, std::span<char> into) override {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos < out.size) {
      if (whole_ && in.pos == in.size) break;
      const std::size_t before = in.pos + out.pos;
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(result) != 0) {
        return {in.pos, out.pos,
                std::string("its zstd data cannot be read: ") + ZSTD_getErrorName(result)};
      }
      whole_ = result == 0;
      if (in.pos + out.pos == before) break;  // it wants more bytes
    }
    return {in.pos, out.pos, {}};
  }
  [[nodiscard]] bool is_whole() const override { return whole_; }

 private:
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  bool whole_ = false;
};

}  // namespace

std::string_view name_of(Packing packing) {
  switch (packing) {
    case Packing::none:
      break;
    case Packing::gzip:
      return "gzip";
    case Packing::zstd:
      return "zstd";
  }
  return "";
}

Packing packing_of(std::string_view bytes) {
  if (bytes.starts_with("\x1F\x8B\x08")) return Packing::gzip;
  if (bytes.starts_with("\x28\xB5\x2F\xFD")) return Packing::zstd;
  return Packing::none;
}

std::unique_ptr<Unpacker> make_unpacker(Packing packing) {
  switch (packing) {
    case Packing::none:
      break;
    case Packing::gzip:
      return std::make_unique<Gunzip>();
    case Packing::zstd:
      return std::make_unique<Unzstd>();
  }
  return nullptr;
}

}  // namespace sagorder::io
