// A first-in first-out queue with a limit that is asserted; no allocation after it is made.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/expect.hpp"

namespace sagorder {

template <class Item>
class Ring {
 public:
  explicit Ring(std::size_t limit) : items_(limit) {}

  void push(Item item) {
    expect(count_ < items_.size(), "a queue is over its limit");
    items_[(first_ + count_) % items_.size()] = item;
    ++count_;
  }
  Item pop() {
    expect(count_ > 0, "an empty queue was read");
    const Item item = items_[first_];
    first_ = (first_ + 1) % items_.size();
    --count_;
    return item;
  }
  [[nodiscard]] const Item& front() const { return items_[first_]; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::vector<Item> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace sagorder
