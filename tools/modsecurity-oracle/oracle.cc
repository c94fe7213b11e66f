// Runs transactions through Debian's libmodsecurity3 and says what its rules found: the oracle of the whole engine.
//
//   oracle --rules FILE [FILE…] [--tx NAME,NAME…]
//
// Reads one transaction a line, as JSON, and answers each with one line. Every text stands for bytes: its characters are
// U+0000 to U+00FF, one a byte.
//
//   in:  {"method": "GET", "target": "/?a=1", "protocol": "1.1", "fields": [["Host", "a"]], "body": "…",
//         "response": {"status": 200, "fields": [["Content-Type", "text/html"]], "body": "…"}}
//   out: {"rules": [{"id": 942100, "phase": 2, "data": "…", "match": "…"}], "status": 403, "interrupted": true, "tx": {"0": "…"}}
//
// `rules` are those that logged, in the order they did; `tx` holds the variables that --tx names and that are set. What a
// rule decides is obeyed: only phase 5 follows. `oracle --version` says which library answers.
//
//   g++ -O2 -std=c++17 -o oracle oracle.cc -lmodsecurity

#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

namespace {

/// UTF-8 of U+0000 to U+00FF to bytes.
std::string bytes_of(const std::string &text) {
  std::string bytes;
  for (size_t at = 0; at < text.size(); at++) {
    const unsigned char lead = text[at];
    if (lead < 0x80) {
      bytes += static_cast<char>(lead);
    } else {
      bytes += static_cast<char>((lead & 0x03) << 6 | (text[++at] & 0x3f));
    }
  }
  return bytes;
}

std::string text_of(const std::string &bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    if (byte < 0x80) {
      text += static_cast<char>(byte);
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

std::string bytes_at(const json &object, const char *key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? std::string() : bytes_of(found->get<std::string>());
}

/// What rules log is read from the transaction; without a receiver the library would print it as well.
void ignore_log(void *, const void *) {}

json log_entry(const modsecurity::RuleMessage &rule) {
  return {
      {"id", rule.m_ruleId},
      {"phase", rule.m_phase},
      {"data", text_of(rule.m_data)},
      {"match", text_of(rule.m_match)},
  };
}

/// One transaction; each step says whether the next may follow.
class Exchange {
 public:
  Exchange(modsecurity::ModSecurity *library, modsecurity::RulesSet *rules)
      : transaction_(library, rules, nullptr) {}

  json run(const json &request, const std::vector<std::string> &names) {
    if (request_head(request) && request_body(request) && response_head(request)) response_body(request);
    transaction_.processLogging();
    for (const modsecurity::RuleMessage &rule : transaction_.m_rulesMessages) answer_["rules"].push_back(log_entry(rule));
    read_variables(names);
    return answer_;
  }

 private:
  bool request_head(const json &request) {
    transaction_.processConnection("127.0.0.1", 40000, "127.0.0.1", 80);
    transaction_.processURI(bytes_at(request, "target").c_str(), bytes_at(request, "method").c_str(),
                            bytes_at(request, "protocol").c_str());
    for (const json &field : request.at("fields")) {
      transaction_.addRequestHeader(bytes_of(field.at(0).get<std::string>()), bytes_of(field.at(1).get<std::string>()));
    }
    transaction_.processRequestHeaders();
    return goes_on();
  }

  bool request_body(const json &request) {
    const std::string body = bytes_at(request, "body");
    if (!body.empty()) {
      transaction_.appendRequestBody(reinterpret_cast<const unsigned char *>(body.data()), body.size());
    }
    transaction_.processRequestBody();
    return goes_on();
  }

  bool response_head(const json &request) {
    const auto response = request.find("response");
    if (response == request.end()) return false;
    for (const json &field : response->at("fields")) {
      transaction_.addResponseHeader(bytes_of(field.at(0).get<std::string>()),
                                     bytes_of(field.at(1).get<std::string>()));
    }
    transaction_.processResponseHeaders(response->at("status").get<int>(), "HTTP/1.1");
    return goes_on();
  }

  void response_body(const json &request) {
    const std::string body = bytes_at(request.at("response"), "body");
    transaction_.appendResponseBody(reinterpret_cast<const unsigned char *>(body.data()), body.size());
    transaction_.processResponseBody();
    goes_on();
  }

  bool goes_on() {
    modsecurity::ModSecurityIntervention intervention;
    modsecurity::intervention::clean(&intervention);
    transaction_.intervention(&intervention);
    const bool disruptive = intervention.disruptive != 0;
    if (disruptive) {
      answer_["interrupted"] = true;
      answer_["status"] = intervention.status;
    }
    modsecurity::intervention::free(&intervention);
    return !disruptive;
  }

  void read_variables(const std::vector<std::string> &names) {
    for (const std::string &name : names) {
      const auto value = transaction_.m_collections.m_tx_collection->resolveFirst(name);
      if (value) answer_["tx"][name] = text_of(*value);
    }
  }

  json answer_ = {{"rules", json::array()}, {"status", 200}, {"interrupted", false}, {"tx", json::object()}};
  modsecurity::Transaction transaction_;
};

std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= list.size();) {
    const size_t comma = std::min(list.find(',', start), list.size());
    if (comma > start) parts.push_back(list.substr(start, comma - start));
    start = comma + 1;
  }
  return parts;
}

}  // namespace

int main(int count, char **arguments) {
  std::vector<std::string> files, names;
  for (int at = 1; at < count; at++) {
    const std::string argument = arguments[at];
    if (argument == "--version") {
      std::printf("libmodsecurity %s\n", MODSECURITY_VERSION);
      return 0;
    }
    if (argument == "--rules") continue;
    if (argument == "--tx" && at + 1 < count) {
      names = split(arguments[++at]);
    } else {
      files.push_back(argument);
    }
  }

  modsecurity::ModSecurity library;
  library.setServerLogCb(ignore_log, modsecurity::RuleMessageLogProperty);
  modsecurity::RulesSet rules;
  for (const std::string &file : files) {
    if (rules.loadFromUri(file.c_str()) < 0) {
      std::fprintf(stderr, "%s: %s\n", file.c_str(), rules.getParserError().c_str());
      return 2;
    }
  }

  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    const json answer = Exchange(&library, &rules).run(json::parse(line), names);
    std::cout << answer.dump() << '\n';
  }
  return 0;
}
