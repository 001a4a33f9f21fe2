#include "http_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace neurolens::cli {
namespace {

/// A server on a free loopback port, for as long as this lives.
class Running {
 public:
  Running() {
    std::map<std::string, Handler> paths;
    paths["/"] = [](const Query&) {
      return Result<Reply>(
          Reply{"text/html", "<p>page</p>", "", "default-src 'none'; img-src data:"});
    };
    paths["/api/echo"] = [](const Query& query) -> Result<Reply> {
      const auto found = query.find("run");
      if (found == query.end()) return Error{Errc::bad_request, "No run was named.", "run"};
      return Reply{"application/json", found->second, "", ""};
    };
    paths["/api/run"] = [](const Query&) {
      return Result<Reply>(Reply{"application/zstd", "bytes", "x.run.json.zst", ""});
    };
    auto opened = HttpServer::open(std::move(paths), {});
    EXPECT_TRUE(opened.ok()) << opened.error();
    server_ = std::move(opened).value();
    thread_ = std::thread([this] { server_->run(cancel_); });
  }
  ~Running() {
    cancel_.cancel();
    thread_.join();
  }
  [[nodiscard]] int port() const { return server_->port(); }

  /// Sends `request` as it is and returns everything that comes back.
  [[nodiscard]] std::string ask(const std::string& request) const {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::send(socket, request.data(), request.size(), MSG_NOSIGNAL), std::ssize(request));
    std::string reply;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
      reply.append(buffer, static_cast<std::size_t>(n));
    ::close(socket);
    return reply;
  }
  [[nodiscard]] std::string get(const std::string& path,
                                const std::string& host = "127.0.0.1") const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  }

 private:
  CancelToken cancel_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

bool has(const std::string& reply, std::string_view text) {
  return reply.find(text) != std::string::npos;
}

TEST(HttpServer, AnswersWithTheHandlersBodyAndPolicy) {
  const Running server;
  const std::string page = server.get("/");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200")) << page;
  EXPECT_TRUE(has(page, "Content-Security-Policy: default-src 'none'; img-src data:\r\n")) << page;
  EXPECT_TRUE(page.ends_with("<p>page</p>"));
  EXPECT_TRUE(server.get("/api/echo?run=%40latest").ends_with("@latest"));
  EXPECT_TRUE(has(server.get("/api/run"), "attachment; filename=\"x.run.json.zst\""));
}

TEST(HttpServer, EveryAnswerCarriesOneStrictPolicy) {
  const Running server;
  for (const std::string& reply :
       {server.get("/"), server.get("/api/echo?run=1"), server.get("/api/echo"),
        server.get("/nothing"), server.get("/", "evil.example"),
        server.ask(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        server.ask("nonsense\r\n\r\n")}) {
    const auto first = reply.find("Content-Security-Policy: default-src 'none'");
    EXPECT_NE(first, std::string::npos) << reply;
    EXPECT_EQ(reply.find("Content-Security-Policy", first + 10), std::string::npos) << reply;
    EXPECT_TRUE(has(reply, "X-Content-Type-Options: nosniff")) << reply;
    EXPECT_FALSE(has(reply, "Access-Control-Allow-Origin")) << reply;
  }
}

TEST(HttpServer, ServesNothingByItsPath) {
  const Running server;
  for (const char* path : {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/api",
                           "/api/", "/api/run/../echo", "/index.html", "/.", "/%00"}) {
    EXPECT_TRUE(server.get(path).starts_with("HTTP/1.1 404")) << path;
  }
}

TEST(HttpServer, RefusesOtherHosts) {
  const Running server;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "",
                           "192.168.1.5", "localhost:80:80", "127.0.0.1:x", "[::1", "0.0.0.0"}) {
    EXPECT_TRUE(server.get("/", host).starts_with("HTTP/1.1 403")) << host;
  }
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:99", "127.1.2.3"}) {
    EXPECT_TRUE(server.get("/", host).starts_with("HTTP/1.1 200")) << host;
  }
  EXPECT_TRUE(server.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 403"));
  EXPECT_TRUE(server
                  .ask("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: "
                       "close\r\n\r\n")
                  .starts_with("HTTP/1.1 403"));
}

TEST(HttpServer, BeyondLoopbackTakesAddressesButNoNames) {
  EXPECT_TRUE(host_is_ours("192.168.1.5:8080", "0.0.0.0"));
  EXPECT_TRUE(host_is_ours("[fe80::1]:8080", "::"));
  EXPECT_FALSE(host_is_ours("evil.example", "0.0.0.0"));
}

TEST(HttpServer, AnswersGetOnly) {
  const Running server;
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    EXPECT_TRUE(
        server
            .ask(std::string(method) +
                 " / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 405"))
        << method;
  }
}

TEST(HttpServer, ErrorsAreSentences) {
  const Running server;
  const std::string reply = server.get("/api/echo");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 400")) << reply;
  EXPECT_TRUE(has(reply, R"({"error":"run: No run was named."})")) << reply;
}

TEST(HttpServer, ListensOnLoopbackOnly) {
  const Running server;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in everywhere{};
  everywhere.sin_family = AF_INET;
  everywhere.sin_port = htons(static_cast<std::uint16_t>(server.port()));
  // Another loopback address is free to take only when the server did not take all of them.
  ASSERT_EQ(inet_pton(AF_INET, "127.0.0.2", &everywhere.sin_addr), 1);
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&everywhere), sizeof everywhere), 0);
  ::close(socket);
}

TEST(HttpServer, SaysWhenAPortIsTaken) {
  const Running server;
  ServeOptions options;
  options.port = 70'000;
  EXPECT_FALSE(HttpServer::open({}, options).ok());
  options.port = 0;
  options.address = "203.0.113.7";  // documentation: no machine has it
  EXPECT_FALSE(HttpServer::open({}, options).ok());
}

}  // namespace
}  // namespace neurolens::cli
