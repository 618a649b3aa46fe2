#include "io/repeats.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace sagorder::io {

struct FingerprintMaker::Hash {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);  // once: looking it up takes long
  ~Hash() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
  }
};

FingerprintMaker::FingerprintMaker() : hash_(std::make_unique<Hash>()) {}
FingerprintMaker::~FingerprintMaker() = default;

Fingerprint FingerprintMaker::of(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  const bool done = EVP_DigestInit_ex2(hash_->context, hash_->sha256, nullptr) == 1 &&
                    EVP_DigestUpdate(hash_->context, text.data(), text.size()) == 1 &&
                    EVP_DigestFinal_ex(hash_->context, digest, nullptr) == 1;
  if (!done) throw std::runtime_error("SHA-256 is not to be had");
  Fingerprint fingerprint;
  std::memcpy(fingerprint.data(), digest, fingerprint.size());
  return fingerprint;
}

SortedSpill::SortedSpill(std::string directory, std::size_t in_memory)
    : directory_(std::move(directory)), in_memory_(in_memory) {}

void SortedSpill::add(const Placed& placed) {
  if (held_.size() == in_memory_) spill();
  held_.push_back(placed);
  ++size_;
}

void SortedSpill::spill() {
  std::ranges::sort(held_);
  if (!file_.open()) file_ = open_unnamed(directory_);
  const std::uint64_t begin = pieces_.empty() ? 0 : pieces_.back().end;
  write_all(file_, {reinterpret_cast<const char*>(held_.data()), held_.size() * sizeof(Placed)},
            directory_ + "/ (a file without a name)");
  Piece piece;
  piece.begin = begin;
  piece.end = begin + held_.size();
  pieces_.push_back(std::move(piece));
  held_.clear();
}

void SortedSpill::sort() {
  if (!pieces_.empty() && !held_.empty()) spill();
  std::ranges::sort(held_);
  sorted_ = true;
  if (!pieces_.empty()) std::vector<Placed>().swap(held_);  // its room is for the pieces now
  rewind();
}

void SortedSpill::rewind() {
  next_held_ = 0;
  heap_.clear();
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    pieces_[i].at = pieces_[i].begin;
    pieces_[i].read.clear();
    pieces_[i].next = 0;
    if (refill(pieces_[i])) heap_.push_back(i);
  }
  const auto later = [&](std::size_t a, std::size_t b) {
    return pieces_[a].read[pieces_[a].next] > pieces_[b].read[pieces_[b].next];
  };
  std::ranges::make_heap(heap_, later);
}

/// All pieces together get the memory that the list had while it was gathered.
bool SortedSpill::refill(Piece& piece) {
  constexpr std::size_t kLeast = 64;
  const std::size_t share = std::max(kLeast, in_memory_ / pieces_.size());
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(share, piece.end - piece.at));
  piece.read.resize(count);
  piece.next = 0;
  auto* const into = reinterpret_cast<char*>(piece.read.data());
  const std::size_t bytes = count * sizeof(Placed);
  for (std::size_t done = 0; done < bytes;) {
    const auto at = static_cast<off_t>(piece.at * sizeof(Placed) + done);
    const ssize_t got = ::pread(file_.get(), into + done, bytes - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw file_error(directory_, "read what was put aside there", errno);
    done += static_cast<std::size_t>(got);
  }
  piece.at += count;
  return count > 0;
}

std::optional<Placed> SortedSpill::next() {
  if (!sorted_) throw std::logic_error("a list is read before it is sorted");
  if (pieces_.empty()) {
    if (next_held_ == held_.size()) return std::nullopt;
    return held_[next_held_++];
  }
  if (heap_.empty()) return std::nullopt;
  const auto later = [&](std::size_t a, std::size_t b) {
    return pieces_[a].read[pieces_[a].next] > pieces_[b].read[pieces_[b].next];
  };
  std::ranges::pop_heap(heap_, later);
  Piece& piece = pieces_[heap_.back()];
  const Placed placed = piece.read[piece.next++];
  if (piece.next < piece.read.size() || refill(piece)) {
    std::ranges::push_heap(heap_, later);
  } else {
    heap_.pop_back();
  }
  return placed;
}

void Repeats::add(const Repeat& repeat) {
  ++count;
  const auto by_row = [](const Repeat& a, const Repeat& b) { return a.here.row < b.here.row; };
  if (first.size() == kNamed && !by_row(repeat, first.back())) return;
  first.insert(std::ranges::upper_bound(first, repeat, by_row), repeat);
  if (first.size() > kNamed) first.pop_back();
}

Repeats repeats_within(SortedSpill& texts) {
  Repeats repeats;
  std::optional<Placed> before;
  while (const auto here = texts.next()) {
    if (before && before->text == here->text) {
      repeats.add({*here, *before});
    } else {
      before = here;
    }
  }
  return repeats;
}

Repeats repeats_between(SortedSpill& texts, SortedSpill& others,
                        const std::function<bool(const Placed&)>& counts) {
  Repeats repeats;
  auto other = others.next();
  while (const auto here = texts.next()) {
    while (other && other->text < here->text) other = others.next();
    if (!other) break;
    if (other->text == here->text && counts(*here)) repeats.add({*here, *other});
  }
  return repeats;
}

}  // namespace sagorder::io
