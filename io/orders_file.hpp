// The input: records out of a CSV file, read twice, and the second time the same bytes.
//
// The first pass validates: it takes the SHA-256 of the whole and one of every block of 256 KiB,
// which stay in memory. The second pass orders: each block is read, compared with what was
// validated, and only then are records handed out that end in it. A block that differs, is missing
// or follows after the end makes the step `changed`, for good.
//
// What comes out is UTF-8, whatever went in: packed files and other encodings are decoded
// (io/decoder), and what is compared is the file's bytes as they are. The SHA-256 that names a
// batch is of the text, so that the same text in another encoding or packing is the same batch. For
// a file of plain UTF-8 the two are one, its byte order mark included.
//
// `-` is standard input; it is copied into a file without a name first, since it cannot be read
// twice. Memory is one block and one record, whatever the size of the file.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/csv.hpp"
#include "io/decoder.hpp"
#include "io/file.hpp"

namespace sagorder::io {

/// The input cannot be opened or read; the text names the file and the cause.
struct InputError : std::runtime_error {
  explicit InputError(const std::string& what, std::string what_to_do = {})
      : std::runtime_error(what), advice(std::move(what_to_do)) {}
  std::string advice;  ///< may be empty
};

/// How a file is to be read, where it does not show it itself.
struct Reading {
  std::string encoding;                     ///< as iconv names it; empty: by the file's first bytes
  std::optional<csv::Delimiter> delimiter;  ///< nullopt: by its header
};

class OrdersFile {
 public:
  static constexpr std::size_t kBlockBytes = 256 * 1024;

  enum class What : std::uint8_t {
    record,   ///< the header first, then the rows
    end,      ///< the file is over, and this pass saw all of it
    bad,      ///< not CSV; `bad` says where and why. The pass is over
    changed,  ///< second pass: not the bytes of the first. Nothing more is handed out
  };
  /// How far a pass is: bytes, of so many. Of a pipe nobody knows: 0; it is told also while nothing
  /// comes. May throw.
  using Watch = std::function<void(std::uint64_t bytes, std::uint64_t of)>;
  struct Step {
    What what = What::end;
    csv::Result bad;
  };

  /// @param path the file, or `-`
  /// @param spool_directory where standard input is copied to; empty: $TMPDIR, else /tmp
  /// @param watch told of each block that is read, here and by `next`
  explicit OrdersFile(std::string path, const std::string& spool_directory = {}, Watch watch = {},
                      Reading reading = {});
  /// Reads an open file, standing for standard input: for `-` and for tests.
  OrdersFile(std::string name, Fd stream, const std::string& spool_directory, Reading reading = {});

  /// Views in `record` are valid until the next call. Throws InputError if reading fails.
  Step next(csv::Record& record);

  void watch(Watch watch) { watch_ = std::move(watch); }

  /// Back to the start, for the second pass (or another one). Before the first pass came to its
  /// end there is nothing to compare with: then it begins the first pass anew.
  void rewind();

  /// What was recognised, for people: `gzip, UTF-16LE, tabs between columns`; empty: plain UTF-8
  /// with commas, or as `reading` says.
  [[nodiscard]] std::string recognised() const;

  /// Of the text, 64 hex digits; empty before the first pass came to its end.
  [[nodiscard]] const std::string& sha256() const { return sha256_; }
  /// Of the bytes as they stand in the file, likewise; empty if those are the text's.
  [[nodiscard]] const std::string& file_sha256() const { return file_sha256_; }
  /// Bytes of the input: at its opening, then those that the first pass has seen.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// For messages: the path, or `standard input`.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Fd& file() const { return file_; }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Hash = std::unique_ptr<EVP_MD_CTX, Free>;

  void spool(const Fd& stream, const std::string& directory);
  void begin_pass();
  Step close(What what, const csv::Result& bad);
  enum class Filled : std::uint8_t { more, changed, undecodable };
  Filled fill();  // one block behind the unread bytes
  Filled fill_decoded();
  bool read_block(std::string& into);  // behind what it holds; false: not what it was
  bool find_delimiter(std::string_view unread);
  bool take(std::string_view block);
  bool is_as_before(std::string_view block);
  Digest digest_of(std::string_view block);

  std::string name_;
  Watch watch_;
  Fd file_;
  std::uint64_t size_at_opening_ = 0;
  std::uint64_t size_ = 0;
  std::string sha256_;
  std::string file_sha256_;
  std::vector<Digest> blocks_;  // of the first pass
  Hash whole_;                  // of the first pass, under way
  Hash whole_file_;             // likewise, where the file is not its own text
  Hash block_;                  // reused from block to block
  bool comparing_ = false;      // a later pass

  const Reading reading_;
  std::optional<Decoder> decoder_;  // where the file is not its own text
  std::string raw_;                 // its last block, then
  std::optional<csv::Delimiter> delimiter_;
  csv::Reader reader_;
  std::string buffer_;
  std::size_t begin_ = 0;       // of the unread bytes in the buffer
  std::size_t next_block_ = 0;  // of the file, to be read
  bool raw_last_ = false;       // the last block was read
  bool last_ = false;           // the buffer holds the text's end
  bool over_ = false;
  Step final_;  // what every further call says
};

}  // namespace sagorder::io
