// io/http_answer: however the bytes are cut, the answer or the refusal is the same; the limits
// hold; what has two lengths is refused; what is cut short is never whole.
//
// Input: how it is cut (one byte), where it is cut short (two bytes), the answer. If the first
// byte is 7 mod 8, 0xFE in the answer stands before a count and a byte that is repeated 64 x count
// times; if it is 255, up to the largest limit and beyond.
#include <charconv>
#include <optional>
#include <string>

#include "engine/ascii.hpp"
#include "engine/reuse.hpp"
#include "io/http_answer.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder::io {
namespace {

using fuzz::Chunks;
using fuzz::Digest;
using fuzz::Draw;
using fuzz::require;
using Progress = HttpAnswer::Progress;

// Enough for every limit there is, and, since that takes long, mostly for the header's alone.
constexpr std::size_t kBytesMax = 700 * 1024;
constexpr std::size_t kBytesUsual = 20 * 1024;

std::string bytes;

/// @param most bytes that repetitions may make
void lay_out(std::string_view text, std::size_t most) {
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool repeat = text[i] == '\xFE' && i + 2 < text.size();
    const std::size_t count =
        repeat ? std::size_t{64} * static_cast<unsigned char>(text[i + 1]) : 0;
    if (!repeat || bytes.size() + count > most) {
      bytes += text[i];
    } else {
      bytes.append(count, text[i + 2]);
      i += 2;
    }
  }
}

struct Reading {
  Progress progress = Progress::need_more;
  std::size_t fed = 0;
};

/// @param chunks nullptr: as much as there is room for
Reading feed(HttpAnswer& answer, std::string_view from, Chunks* chunks) {
  Reading reading;
  while (reading.fed < from.size() && reading.progress == Progress::need_more) {
    const std::span<char> room = answer.room();
    require(!room.empty() && room.size() <= kAnswerBufferBytesMax, "there is room, and a limit");
    std::size_t count = std::min(room.size(), from.size() - reading.fed);
    // A long answer comes in longer chunks, or it would take the time of a thousand short ones.
    if (chunks != nullptr) count = std::min(count, chunks->next() * (1 + from.size() / 256));
    std::memcpy(room.data(), from.data() + reading.fed, count);
    reading.fed += count;
    reading.progress = answer.take(count);
  }
  return reading;
}

Digest parts_of(const Reply& reply) {
  Digest digest;
  digest.add(static_cast<std::uint64_t>(reply.status));
  for (const std::string_view text : {reply.body, reply.content_type, reply.date, reply.retry_after,
                                      reply.rate_limit_user, reply.rate_limit_user_api}) {
    digest.add(text);
  }
  return digest;
}

/// What a plain look at the lines of a single message's header finds.
struct Header {
  std::size_t size = 0;  // with the empty line
  int lengths = 0;
  int codings = 0;
  bool one_length = true;  // all of them are numbers, and the same one
  std::uint64_t length = 0;

  /// A list of equal numbers is a length too (RFC 9110, 8.6), and 05 is 5.
  void take_length(std::string_view list) {
    while (one_length) {
      const std::string_view text = trimmed(list.substr(0, list.find(',')));
      std::uint64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      const bool whole = error == std::errc() && end == text.data() + text.size();
      one_length = whole && (lengths == 0 || number == length);
      length = number;
      ++lengths;
      if (list.find(',') == std::string_view::npos) return;
      list.remove_prefix(list.find(',') + 1);
    }
  }
};

std::optional<Header> header_of(std::string_view text) {
  Header header;
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || text.find("HTTP/", 1) < end) return std::nullopt;
  header.size = end + 4;
  std::string_view lines = text.substr(0, end);
  lines.remove_prefix(std::min(lines.find("\r\n"), lines.size()));
  while (lines.size() > 2) {
    lines.remove_prefix(2);
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size());
    if (line.starts_with(' ') || line.starts_with('\t')) return std::nullopt;  // a folded line
    const std::string_view name = line.substr(0, line.find(':'));
    if (equal_ignoring_case(name, "transfer-encoding")) ++header.codings;
    if (equal_ignoring_case(name, "content-length")) {
      header.take_length(line.substr(std::min(name.size() + 1, line.size())));
    }
  }
  return header;
}

void check_whole(const HttpAnswer& answer, std::size_t fed) {
  const Reply reply = answer.reply();
  require(reply.status >= 200 && reply.status <= 999, "a whole answer is a final one");
  require(reply.body.size() <= kAnswerBodyBytesMax, "the body keeps its limit");
  require(fed <= kAnswerBytesMax + kAnswerBufferBytesMax, "the answer keeps its limit");
  const Reuse reuse = after({{}, !answer.keeps_alive(), reply.surplus});
  require(!(reply.surplus && reuse == Reuse::again), "with surplus no connection is kept");
  const std::optional<Header> header = header_of(bytes);
  if (!header || std::string_view(bytes).starts_with("HTTP/1.1 1") ||
      std::string_view(bytes).starts_with("HTTP/1.0 1")) {
    return;
  }
  require(header->size <= kAnswerHeaderBytesMax, "the header keeps its limit");
  require(header->lengths == 0 || header->codings == 0, "two kinds of length are refused");
  require(header->one_length, "two lengths that differ are refused");
  const bool bodiless = reply.status == 204 || reply.status == 304;
  if (header->lengths == 0 || bodiless) return;
  require(reply.body.size() == header->length &&
              reply.body == std::string_view(bytes).substr(header->size, reply.body.size()),
          "the body is as long as the header says, and its own bytes");
}

HttpAnswer used;  // for every input: `restart` must make it as good as new

/// What is both malformed and too large is refused for either, as the cuts make it.
bool refused(const Reading& reading) {
  return reading.progress == Progress::malformed || reading.progress == Progress::too_large;
}

/// @param name in lower case
bool has(std::string_view name) {
  const auto same = [](char a, char b) { return lower(a) == b; };
  return std::search(bytes.begin(), bytes.end(), name.begin(), name.end(), same) != bytes.end();
}

bool may_be_chunked() { return has("\r\ntransfer-encoding:"); }

/// @return how many bytes the answer took, if that can be told
std::optional<std::size_t> compare(HttpAnswer& fresh, const Reading& at_once, Chunks& chunks) {
  used.restart();
  const Reading in_chunks = feed(used, bytes, &chunks);
  require((at_once.progress == Progress::whole) == (in_chunks.progress == Progress::whole),
          "no cutting makes an answer whole");
  if (refused(at_once) || refused(in_chunks)) {
    // Beast reads a header that comes in pieces only when its end is there, or its limit; and in
    // the extension of a chunk's header a quote that is not closed hides the end.
    HttpAnswer& waiting = refused(at_once) ? used : fresh;
    if (refused(at_once) && refused(in_chunks)) return std::nullopt;
    Reading more = feed(waiting, "\r\n\r\n", nullptr);
    if (!refused(more) && may_be_chunked()) more = feed(waiting, "\"\r\n\r\n", nullptr);
    require(may_be_chunked() ? more.progress != Progress::whole : refused(more),
            "what one cutting refuses every cutting refuses, by the header's end");
    return std::nullopt;
  }
  if (at_once.progress == Progress::need_more) return std::nullopt;
  require(parts_of(fresh.reply()) == parts_of(used.reply()), "any cutting gives the same answer");
  const bool surplus = fresh.reply().surplus;
  if (surplus && used.reply().surplus) return std::nullopt;
  const std::size_t end = surplus ? in_chunks.fed : at_once.fed;
  require(at_once.fed >= end && in_chunks.fed >= end, "no cutting ends an answer earlier");
  require(surplus == (at_once.fed > end) && used.reply().surplus == (in_chunks.fed > end),
          "surplus is what is behind the one end");
  return end;
}

/// What is announced to end with the connection, and by nothing else.
bool may_end_by_close() {
  return has("close") &&
         !(has("\r\ncontent-length:") && header_of(bytes) && header_of(bytes)->lengths > 0 &&
           bytes.find("HTTP/", 1) == std::string::npos);
}

void cut_short(std::size_t size) {
  used.restart();
  const Reading reading = feed(used, std::string_view(bytes).substr(0, size), nullptr);
  require(reading.progress == Progress::need_more, "a part of an answer is not whole");
  require(!used.take_end(), "an answer with a length is not ended by the connection");
}

}  // namespace
}  // namespace sagorder::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder::io;
  Draw draw(data, size);
  const std::uint8_t how = draw.byte();
  const std::size_t where = draw.number();
  Chunks chunks(how / 8);
  lay_out(draw.rest(), how == 255 ? kBytesMax : how % 8 == 7 ? kBytesUsual : 0);

  HttpAnswer fresh;
  const Reading at_once = feed(fresh, bytes, nullptr);
  if (at_once.progress == Progress::whole) check_whole(fresh, at_once.fed);
  const std::optional<std::size_t> end = compare(fresh, at_once, chunks);
  if (end) cut_short(where % *end);
  const bool waits = at_once.progress == Progress::need_more && fresh.complaint().empty();
  if (waits && fresh.take_end()) {
    require(may_end_by_close(), "only what is announced to end by a close ends by it");
    require(fresh.reply().status >= 200 && !fresh.keeps_alive(), "and then nothing follows");
  }
  return 0;
}
