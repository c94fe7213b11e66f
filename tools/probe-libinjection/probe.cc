// Answers what Debian's libmodsecurity3 finds in byte strings: the oracle of libs/waf/src/injection and the source its word lists are
// observed from. It asks the two entry points that @detectSQLi and @detectXSS call, and sees what those operators see: a verdict and a
// fingerprint. With --rule it asks through a rule with `capture` instead, which is what proves that both ways are one.
//
//   in:  frames of  kind (1 byte, 's' or 'x'), length (4 bytes, little-endian), that many bytes
//   out: frames of  verdict (1 byte, 0 or 1), fingerprint (8 bytes, padded with NUL)
//
//   probe --sweep 4    prints all words of SQL with four characters
//   probe --version
//
//   g++ -O2 -std=c++17 -o probe probe.cc -lmodsecurity

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
int libinjection_sqli(const char *value, size_t length, char fingerprint[]);
int libinjection_xss(const char *value, size_t length);
const char *libinjection_version(void);
}

namespace {

constexpr size_t kFingerprintBytes = 8;

struct Answer {
  bool positive = false;
  char fingerprint[kFingerprintBytes] = {};
};

Answer ask_entry_point(char kind, const std::string &value) {
  Answer answer;
  if (kind == 's') {
    char fingerprint[kFingerprintBytes * 2] = {};
    answer.positive = libinjection_sqli(value.data(), value.size(), fingerprint) != 0;
    if (answer.positive) std::memcpy(answer.fingerprint, fingerprint, kFingerprintBytes);
  } else {
    answer.positive = libinjection_xss(value.data(), value.size()) != 0;
  }
  return answer;
}

class Rules {
 public:
  Rules() {
    const char *text =
        "SecRuleEngine DetectionOnly\n"
        "SecRule ARGS:s \"@detectSQLi\" \"id:1,phase:1,pass,nolog,capture,setvar:'tx.found=1',setvar:'tx.fingerprint=%{tx.0}'\"\n"
        "SecRule ARGS:x \"@detectXSS\" \"id:2,phase:1,pass,nolog,setvar:'tx.found=1'\"\n";
    if (rules_.load(text) < 0) {
      std::fprintf(stderr, "%s\n", rules_.getParserError().c_str());
      std::exit(2);
    }
  }

  Answer ask(char kind, const std::string &value) {
    modsecurity::Transaction transaction(&library_, &rules_, nullptr);
    transaction.processConnection("127.0.0.1", 1, "127.0.0.1", 80);
    transaction.processURI("/", "GET", "1.1");
    transaction.addArgument("GET", std::string(1, kind), value, 0);
    transaction.processRequestHeaders();
    Answer answer;
    auto &variables = *transaction.m_collections.m_tx_collection;
    answer.positive = variables.resolveFirst("found") != nullptr;
    if (auto fingerprint = variables.resolveFirst("fingerprint")) {
      std::memcpy(answer.fingerprint, fingerprint->data(), std::min(fingerprint->size(), kFingerprintBytes));
    }
    return answer;
  }

 private:
  modsecurity::ModSecurity library_;
  modsecurity::RulesSet rules_;
};

bool read_exactly(void *into, size_t bytes) { return std::fread(into, 1, bytes, stdin) == bytes; }

/// Prints every string of `length` characters that is a word of SQL: in front of UNION it is not what any other name is.
void sweep(size_t length) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  constexpr size_t kLetters = sizeof kAlphabet - 1;
  constexpr size_t kFirstLetters = 27;  // a word begins with no digit
  std::vector<size_t> digits(length, 0);
  std::string value(length, 'A');
  value += " UNION SELECT 1";
  for (;;) {
    for (size_t at = 0; at < length; at++) value[at] = kAlphabet[digits[at]];
    const Answer answer = ask_entry_point('s', value);
    if (std::strcmp(answer.fingerprint, "nUE1") != 0) std::printf("%s\n", value.substr(0, length).c_str());
    size_t at = length;
    while (at > 0 && ++digits[at - 1] == (at == 1 ? kFirstLetters : kLetters)) digits[--at] = 0;
    if (at == 0) return;
  }
}

}  // namespace

int main(int count, char **arguments) {
  if (count > 1 && std::strcmp(arguments[1], "--version") == 0) {
    std::printf("libmodsecurity %s, libinjection %s\n", MODSECURITY_VERSION, libinjection_version());
    return 0;
  }
  if (count > 2 && std::strcmp(arguments[1], "--sweep") == 0) {
    sweep(std::stoul(arguments[2]));
    return 0;
  }
  const bool through_rules = count > 1 && std::strcmp(arguments[1], "--rule") == 0;
  std::unique_ptr<Rules> rules = through_rules ? std::make_unique<Rules>() : nullptr;

  char kind;
  unsigned char length_bytes[4];
  std::string value;
  while (read_exactly(&kind, 1) && read_exactly(length_bytes, sizeof length_bytes)) {
    const uint32_t length = length_bytes[0] | length_bytes[1] << 8 | length_bytes[2] << 16 | uint32_t{length_bytes[3]} << 24;
    value.resize(length);
    if (!read_exactly(value.data(), length)) return 1;
    const Answer answer = through_rules ? rules->ask(kind, value) : ask_entry_point(kind, value);
    std::fputc(answer.positive ? 1 : 0, stdout);
    std::fwrite(answer.fingerprint, 1, kFingerprintBytes, stdout);
  }
  return 0;
}
