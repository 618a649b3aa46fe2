#include "key_server.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>

namespace gateway {
namespace {

using boost::asio::ip::tcp;

constexpr auto kPatience = std::chrono::seconds(10);

// One client. Held by the handlers that wait for it.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Socket socket, KeyDesk& desk, const std::function<Now()>& now)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), desk_(desk), now_(now) {}

  void start() {
    timer_.expires_after(kPatience);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) self->socket_.close(ignored);
    });
    read();
  }

 private:
  void read() {
    socket_.async_read_some(
        boost::asio::buffer(room_),
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t count) {
          if (error) return self->end();
          self->input_.append(self->room_.data(), count);
          self->take();
        });
  }

  void take() {
    const Parse outcome = parser_.parse({input_.data(), input_.size()}, request_);
    if (outcome == Parse::need_more && input_.size() < kRequestBytesMax) return read();
    if (outcome != Parse::complete) return end();
    desk_.answer(request_, now_(), output_);
    boost::asio::async_write(socket_, boost::asio::buffer(output_),
                             [self = shared_from_this()](const boost::system::error_code&,
                                                         std::size_t) { self->end(); });
  }

  void end() {
    boost::system::error_code ignored;
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  Socket socket_;
  Timer timer_;
  KeyDesk& desk_;
  const std::function<Now()>& now_;
  std::array<char, 4096> room_{};
  std::string input_;
  std::string output_;
  RequestParser parser_;
  Request request_;
};

}  // namespace

KeyServer::KeyServer(boost::asio::io_context& io, const Options& options, KeyDesk& desk,
                     std::function<Now()> now)
    : desk_(desk),
      now_(std::move(now)),
      acceptor_(io.get_executor(), tcp::endpoint(boost::asio::ip::make_address(options.key_host),
                                                 options.key_port.value_or(0))),
      port_(acceptor_.local_endpoint().port()) {}

void KeyServer::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, Socket socket) {
    if (!error) std::make_shared<Client>(std::move(socket), desk_, now_)->start();
    accept();
  });
}

}  // namespace gateway
