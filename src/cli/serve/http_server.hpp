/// \file
/// A small HTTP server for people at this machine: GET only, fixed paths, no file is ever served by
/// its name. Every answer carries a strict content security policy; a request whose Host header
/// names another machine is refused, which is what stops a web site from reaching in by DNS
/// rebinding.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::cli {

/// What a path answers with.
struct Reply {
  std::string type;  ///< "application/json", ...
  std::string body;
  std::string file_name;  ///< Not empty: offered as a download under this name.
  std::string policy;     ///< Content security policy; empty: nothing at all is allowed.
};

using Query = std::map<std::string, std::string>;
/// Called from several threads at once. An Error becomes a status and {"error": sentence}.
using Handler = std::function<Result<Reply>(const Query& query)>;

/// Where to listen.
struct ServeOptions {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6 address of an interface of this machine.
  int port = 0;                       ///< In [0, 65535]; 0: any free one.
};

/// Whether a request with this Host header may come in to a server listening on `address`: names of
/// this machine's loopback, and, beyond loopback, addresses in digits (a name could be anybody's).
[[nodiscard]] bool host_is_ours(std::string_view host, std::string_view address);

/// "127.0.0.1", "::1", "localhost".
[[nodiscard]] bool is_loopback(std::string_view host);

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  /// Binds. `paths` such as "/" and "/api/runs"; anything else is 404. Errors: bad_request when the
  /// address cannot be had or the port is in use.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> open(
      std::map<std::string, Handler> paths, const ServeOptions& options);
  /// The port listened on.
  [[nodiscard]] virtual int port() const = 0;
  /// Answers until `cancel` is set. Once.
  virtual void run(const CancelToken& cancel) = 0;
};

}  // namespace neurolens::cli
