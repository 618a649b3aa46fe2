// A server of plain HTTP on loopback for tests: takes one connection after the other, reads a
// request's header and sends the bytes that the test gives it, or nothing.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace sagorder::io {

class PlainServer {
 public:
  using Tcp = boost::asio::ip::tcp;
  /// What is sent for a request; empty: nothing, and the connection stays open to the end.
  using Answer = std::function<std::string(const std::string& request)>;

  explicit PlainServer(Answer answer)
      : answer_(std::move(answer)),
        acceptor_(context_, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        thread_([this] { serve(); }) {}
  ~PlainServer() {
    closing_ = true;
    boost::system::error_code ignored;
    Tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);  // wakes it up
    thread_.join();
  }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void serve() {
    while (!closing_) {
      boost::system::error_code error;
      Tcp::socket socket = acceptor_.accept(error);
      if (error || closing_) continue;
      std::string request;
      std::array<char, 1024> bytes{};
      while (!error && request.find("\r\n\r\n") == std::string::npos) {
        request.append(bytes.data(), socket.read_some(boost::asio::buffer(bytes), error));
      }
      ++requests_;
      const std::string answer = answer_(request);
      if (answer.empty()) {
        held_.push_back(std::move(socket));
      } else {
        boost::asio::write(socket, boost::asio::buffer(answer), error);
      }
    }
  }

  Answer answer_;
  boost::asio::io_context context_;
  Tcp::acceptor acceptor_;
  std::atomic<bool> closing_ = false;
  std::atomic<int> requests_ = 0;
  std::vector<Tcp::socket> held_;
  std::thread thread_;
};

/// The bytes of an answer.
inline std::string http_answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace sagorder::io
