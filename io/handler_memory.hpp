// Room for the one handler that an object has waiting in Asio, kept with the object: Asio's own
// reuse of memory keeps two pieces a thread, and a group of requests needs one for each.
//
//   socket.async_wait(readiness, boost::asio::bind_allocator(HandlerAllocator<void>(memory_), ...))
//
// The object must outlive its handlers: let them share in its ownership. A second handler at the
// same time, or one that is too large, gets memory from operator new. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace sagorder::io {

class HandlerMemory {
 public:
  HandlerMemory() = default;
  HandlerMemory(const HandlerMemory&) = delete;
  HandlerMemory& operator=(const HandlerMemory&) = delete;

  void* allocate(std::size_t size) {
    if (used_ || size > room_.size()) return ::operator new(size);
    used_ = true;
    return room_.data();
  }
  void deallocate(void* memory) {
    if (memory != room_.data()) return ::operator delete(memory);
    used_ = false;
  }

 private:
  alignas(std::max_align_t) std::array<std::byte, 256> room_;
  bool used_ = false;
};

/// The memory as the standard's allocator.
template <class T>
class HandlerAllocator {
 public:
  using value_type = T;
  explicit HandlerAllocator(HandlerMemory& memory) : memory_(&memory) {}
  template <class U>
  HandlerAllocator(const HandlerAllocator<U>& other) : memory_(other.memory_) {}

  T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t /*count*/) { memory_->deallocate(memory); }
  bool operator==(const HandlerAllocator&) const = default;

 private:
  template <class>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

}  // namespace sagorder::io
