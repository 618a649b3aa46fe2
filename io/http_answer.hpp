// Bytes to one whole HTTP/1.x answer, or the word why there is none. Beast's parser inside.
//
// Words: an answer is *whole* when its end is certain: by Content-Length, by the last chunk, by a
// status that has no body, or, with `Connection: close` and neither length, by an end of file that
// TLS vouches for. *Interim* answers (1xx) are skipped. *Surplus* are bytes behind the end.
//
// Strict where leniency would mistake one answer for another: Content-Length together with
// Transfer-Encoding or given twice, any Transfer-Encoding but `chunked`, either of them in an
// interim answer, a folded line, and an answer that could only end by a close it does not announce
// are malformed. Of a header sent twice the first stays; trailers are
// parsed and not kept.
//
// Life: `restart`, then `room` and `take` in turn until it is not `need_more`. Storage is reused
// from answer to answer; on the steady path nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "engine/response.hpp"

namespace sagorder::io {

inline constexpr std::size_t kAnswerHeaderBytesMax = 16 * 1024;   ///< status line and fields
inline constexpr std::size_t kAnswerBodyBytesMax = 256 * 1024;    ///< without chunk framing
inline constexpr std::size_t kAnswerBytesMax = 1024 * 1024;       ///< all, framing and 1xx included
inline constexpr std::size_t kAnswerBufferBytesFirst = 4 * 1024;  ///< holds a usual answer
inline constexpr std::size_t kAnswerBufferBytesMax = 32 * 1024;   ///< bytes not yet understood
inline constexpr int kInterimAnswersMax = 8;

class HttpAnswer {
 public:
  enum class Progress : std::uint8_t {
    need_more,  ///< so far so good
    whole,      ///< `reply` may be asked
    malformed,  ///< not HTTP, or its end cannot be told; `complaint` says why
    too_large,  ///< over a limit; `complaint` says which
  };

  HttpAnswer();
  ~HttpAnswer();
  HttpAnswer(const HttpAnswer&) = delete;
  HttpAnswer& operator=(const HttpAnswer&) = delete;

  /// Forgets the last answer; its views end here.
  void restart();

  /// Where the next bytes go: never empty while the answer needs more.
  [[nodiscard]] std::span<char> room();
  /// `count` bytes were put there.
  [[nodiscard]] Progress take(std::size_t count);
  /// The peer said that no byte will follow. @return true: that made the answer whole.
  [[nodiscard]] bool take_end();

  /// A whole answer. Views are valid until `restart`.
  [[nodiscard]] Reply reply() const;
  /// A whole answer: it did not ask to close.
  [[nodiscard]] bool keeps_alive() const;
  [[nodiscard]] std::string_view complaint() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sagorder::io
