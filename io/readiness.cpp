#include "io/readiness.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

namespace sagorder::io {
namespace {

constexpr std::uint32_t kBytes = EPOLLIN;
constexpr std::uint32_t kRoom = EPOLLOUT;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int new_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) fail("epoll_create1");
  return set;
}

}  // namespace

Readiness::Readiness(boost::asio::io_context& context) : set_(context, new_set()) {}

void Readiness::watch(int socket, Waiter& waiter) {
  epoll_event event{};
  event.events = kBytes | kRoom | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &waiter;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
}

void Readiness::forget(Waiter& waiter) {
  take_back(waiter);
  for (std::size_t i = 0; i < batch_size_; ++i) {
    if (batch_[i].data.ptr == &waiter) batch_[i].data.ptr = nullptr;
  }
}

void Readiness::wait(Waiter& waiter) {
  if (std::exchange(waiter.waits_, true)) return;
  ++waiting_;
  if (!armed_ && !telling_) arm();
}

/// A loop has nothing to wait for where nobody waits.
void Readiness::take_back(Waiter& waiter) {
  if (!std::exchange(waiter.waits_, false)) return;
  --waiting_;
  if (waiting_ > 0 || !armed_) return;
  boost::system::error_code ignored;
  set_.cancel(ignored);
}

void Readiness::arm() {
  armed_ = true;
  set_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                  [self = shared_from_this()](const boost::system::error_code& error) {
                    self->armed_ = false;
                    if (!error) self->take_batch();
                    if (self->waiting_ > 0) self->arm();
                  });
}

bool Readiness::is_quiet(const Waiter& waiter, SteadyTime now) {
  if (!telling_) return false;  // nobody would tell what a look takes out of the set
  if (now - seen_all_ > kLookStands) look(now);
  return now - seen_all_ <= kLookStands && waiter.drained_ && !waiter.ended_;
}

/// Takes what is new of all sockets behind the batch.
void Readiness::look(SteadyTime now) {
  const std::size_t room = kBatch - batch_size_;
  if (room == 0) return;
  epoll_event* const news = batch_.data() + batch_size_;
  const int told = ::epoll_wait(set_.native_handle(), news, static_cast<int>(room), 0);
  if (told < 0) return;
  const auto count = static_cast<std::size_t>(told);
  batch_size_ += count;
  if (count < room) seen_all_ = now;  // else there may be more
  for (const epoll_event& one : std::span(news, count)) {
    auto& waiter = *static_cast<Waiter*>(one.data.ptr);
    if ((one.events & kBytes) != 0) waiter.drained_ = false;
    if ((one.events & ~(kBytes | kRoom)) != 0) waiter.ended_ = true;
  }
}

void Readiness::take_batch() {
  look(std::chrono::steady_clock::now());
  telling_ = true;
  for (std::size_t i = 0; i < batch_size_; ++i) {
    auto* const waiter = static_cast<Waiter*>(batch_[i].data.ptr);
    // What comes while nobody waits is found by whoever looks before the next use.
    if (waiter == nullptr || !waiter->waits_) continue;
    waiter->waits_ = false;
    --waiting_;
    waiter->ready();
  }
  telling_ = false;
  batch_size_ = 0;
}

}  // namespace sagorder::io
