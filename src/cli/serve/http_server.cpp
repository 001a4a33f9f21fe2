#include "http_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "neurolens/base/json.hpp"

namespace neurolens::cli {
namespace {

constexpr const char* kNothingAllowed =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
constexpr const char* kPolicyHeader = "Content-Security-Policy";
constexpr std::size_t kThreads = 8;

bool is_address(std::string_view text) {
  const std::string name(text);
  unsigned char room[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), room) == 1 ||
         inet_pton(AF_INET6, name.c_str(), room) == 1;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

/// "example:80" -> "example", "[::1]:80" -> "::1". Empty when it is neither.
std::string_view without_port(std::string_view host) {
  std::string_view port;
  std::string_view name = host;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return {};
    name = host.substr(1, end - 1);
    port = host.substr(end + 1);
  } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  const bool fine =
      port.empty() || (port.front() == ':' && port.size() <= 6 &&
                       port.find_first_not_of("0123456789", 1) == std::string_view::npos);
  return fine ? name : std::string_view{};
}

int status_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return 404;
    case Errc::bad_request:
    case Errc::out_of_range:
    case Errc::unknown_metric:
    case Errc::not_comparable:
    case Errc::too_few_samples:
      return 400;
    default:
      return 500;
  }
}

std::string sentence(std::string_view text) {
  json::Writer w;
  w.begin_object().member("error", text).end_object();
  return std::move(w).take() + "\n";
}

void refuse(httplib::Response& response, int status, std::string_view text) {
  response.status = status;
  response.set_content(sentence(text), "application/json");
}

void answer(const Handler& handler, const httplib::Request& request, httplib::Response& response) {
  Query query;
  for (const auto& [key, value] : request.params) query.emplace(key, value);
  auto reply = handler(query);
  if (!reply.ok()) {
    refuse(response, status_of(reply.error().code), reply.error().text());
    return;
  }
  if (!reply->policy.empty()) {
    response.headers.erase(kPolicyHeader);
    response.set_header(kPolicyHeader, reply->policy);
  }
  if (!reply->file_name.empty()) {
    response.set_header("Content-Disposition",
                        fmt::format("attachment; filename=\"{}\"", reply->file_name));
  }
  response.set_content(std::move(reply->body), reply->type.c_str());
}

class Httplib final : public HttpServer {
 public:
  Httplib(std::map<std::string, Handler> paths, std::string address)
      : paths_(std::move(paths)), address_(std::move(address)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_payload_max_length(0);
    server_.set_keep_alive_timeout(2);
    server_.set_default_headers({{kPolicyHeader, kNothingAllowed},
                                 {"X-Content-Type-Options", "nosniff"},
                                 {"Referrer-Policy", "no-referrer"},
                                 {"Cross-Origin-Resource-Policy", "same-origin"},
                                 {"Cache-Control", "no-store"}});
    // All of it happens before routing: httplib would answer other methods by rules of its own.
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          route(request, response);
          return httplib::Server::HandlerResponse::Handled;
        });
  }

  Status bind(const ServeOptions& options) {
    port_ = options.port == 0 ? server_.bind_to_any_port(options.address)
            : server_.bind_to_port(options.address, options.port) ? options.port
                                                                  : -1;
    if (port_ > 0) return {};
    return Error{Errc::bad_request,
                 "Nothing can listen there: the port is in use or the address is not of this "
                 "machine. Try --port 0.",
                 fmt::format("{}:{}", options.address, options.port)};
  }

  [[nodiscard]] int port() const override { return port_; }

  void run(const CancelToken& cancel) override {
    constexpr auto kLook = std::chrono::milliseconds(50);
    std::atomic<bool> ended = false;
    std::thread watch([&] {
      // Stopping before it listens does nothing: wait for that, or it would listen for ever.
      while (!ended && !(cancel.cancelled() && server_.is_running()))
        std::this_thread::sleep_for(kLook);
      if (!ended) server_.stop();
    });
    server_.listen_after_bind();
    ended = true;
    watch.join();
  }

 private:
  void route(const httplib::Request& request, httplib::Response& response) const {
    if (request.get_header_value_count("Host") != 1 ||
        !host_is_ours(request.get_header_value("Host"), address_)) {
      refuse(response, 403,
             "The Host header names another machine; open the address that was printed.");
      return;
    }
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      refuse(response, 405, "Only GET is answered.");
      return;
    }
    const auto found = paths_.find(request.path);
    if (found == paths_.end()) {
      refuse(response, 404, "There is nothing under this path.");
      return;
    }
    answer(found->second, request, response);
  }

  std::map<std::string, Handler> paths_;
  std::string address_;
  httplib::Server server_;
  int port_ = 0;
};

}  // namespace

bool is_loopback(std::string_view host) {
  const std::string name = lower(host);
  return name == "localhost" || name == "::1" || (name.starts_with("127.") && is_address(name));
}

bool host_is_ours(std::string_view host, std::string_view address) {
  const std::string_view name = without_port(host);
  if (name.empty()) return false;
  return is_loopback(name) || (!is_loopback(address) && is_address(name));
}

Result<std::unique_ptr<HttpServer>> HttpServer::open(std::map<std::string, Handler> paths,
                                                     const ServeOptions& options) {
  constexpr int kMostPort = 65535;
  if (options.port < 0 || options.port > kMostPort)
    return Error{Errc::out_of_range, "A port is a number from 0 to 65535.", "--port"};
  auto server = std::make_unique<Httplib>(std::move(paths), options.address);
  NEUROLENS_TRY(server->bind(options));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace neurolens::cli
