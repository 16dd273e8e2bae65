// Runs the commands of a *.test file in its own directory and checks their effects.
// Usage: e2e_runner BIN_DIR SOURCE_DIR FILE.test
//
// A test file is a list of steps; "#" begins a comment line.
//   file NAME          the lines up to "----" become the file NAME
//   run COMMAND        a bash command line; spanforge is on the PATH, $SOURCE is the checkout
// followed by what must hold (without "exit", the exit code must be 0):
//   exit N             its exit code
//   error REGEX        standard error is exactly one line that is not empty, and matches
//   stdout REGEX       matches somewhere (^ and $ at each line)   stdout! REGEX   nowhere
//   stderr REGEX       the same for standard error; stderr! REGEX
//   lines N            standard output has N lines
//   json [N] POINTER == VALUE | is TYPE | size N | has KEY... | >= X
//                      of standard output (of its line N, from 0); "" is the whole document
//   exists PATH, absent PATH, same PATH PATH
// Prints every failed check with file and line; the exit code is then 1.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "spanforge/base/json.h"

namespace fs = std::filesystem;
using spanforge::ErrorCode;
using spanforge::Json;
using spanforge::parse_json;

namespace {

struct Outcome {
  int exit = 0;
  std::string out, err;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class Runner {
 public:
  Runner(fs::path test, fs::path work) : test_(std::move(test)), work_(std::move(work)) {}

  int run() {
    const std::vector<std::string> lines = split_lines(read(test_));
    if (lines.empty()) return fail("is empty or cannot be read"), 1;
    for (size_t i = 0; i < lines.size() && failures_ < kMostFailures; ++i) {
      line_ = i + 1;
      const std::string& line = lines[i];
      if (line.empty() || line[0] == '#') continue;
      const size_t space = line.find(' ');
      const std::string verb = line.substr(0, space);
      const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
      if (verb == "file") {
        std::ofstream file(work_ / rest, std::ios::binary);
        for (++i; i < lines.size() && lines[i] != "----"; ++i) file << lines[i] << '\n';
      } else if (verb == "run") {
        finish_step();
        execute(rest);
      } else {
        check(verb, rest);
      }
    }
    finish_step();
    std::cout << test_.filename().string() << ": " << steps_ << " commands, " << checks_
              << " checks, " << failures_ << " failures\n";
    return failures_ == 0 && steps_ > 0 ? 0 : 1;
  }

 private:
  void fail(const std::string& what) {
    ++failures_;
    std::cout << test_.string() << ":" << line_ << ": " << what << "\n  command: " << command_
              << "\n  exit " << outcome_.exit << "\n  stdout: " << outcome_.out.substr(0, 2000)
              << "\n  stderr: " << outcome_.err.substr(0, 2000) << "\n";
  }

  void expect(bool holds, const std::string& what) {
    ++checks_;
    if (!holds) fail(what);
  }

  void execute(const std::string& command) {
    command_ = command;
    ++steps_;
    exit_checked_ = false;
    const std::string line = "cd '" + work_.string() + "' && (" + command + "\n) >'" +
                             (work_ / ".stdout").string() + "' 2>'" + (work_ / ".stderr").string() +
                             "' </dev/null";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execlp("bash", "bash", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    outcome_ = {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                read(work_ / ".stdout"), read(work_ / ".stderr")};
  }

  // A command whose exit code no line checks must have succeeded.
  void finish_step() {
    if (steps_ > 0 && !exit_checked_) expect(outcome_.exit == 0, "the command before failed");
    exit_checked_ = true;
  }

  bool matches(const std::string& text, const std::string& pattern) {
    return std::regex_search(text,
                             std::regex(pattern, std::regex::ECMAScript | std::regex::multiline));
  }

  void check(const std::string& verb, const std::string& rest) {
    if (verb == "exit") {
      exit_checked_ = true;
      expect(outcome_.exit == std::stoi(rest), "exit code is not " + rest);
    } else if (verb == "error") {
      const std::vector<std::string> lines = split_lines(outcome_.err);
      expect(lines.size() == 1 && !lines[0].empty(), "standard error is not exactly one line");
      expect(matches(outcome_.err, rest), "standard error does not match " + rest);
    } else if (verb == "stdout" || verb == "stderr") {
      expect(matches(verb == "stdout" ? outcome_.out : outcome_.err, rest),
             verb + " does not match " + rest);
    } else if (verb == "stdout!" || verb == "stderr!") {
      expect(!matches(verb == "stdout!" ? outcome_.out : outcome_.err, rest),
             verb + " matches " + rest);
    } else if (verb == "lines") {
      expect(split_lines(outcome_.out).size() == std::stoul(rest),
             "standard output has not " + rest + " lines");
    } else if (verb == "json") {
      check_json(rest);
    } else if (verb == "exists" || verb == "absent") {
      expect(fs::exists(work_ / rest) == (verb == "exists"), rest + " is not " + verb);
    } else if (verb == "same") {
      const size_t space = rest.find(' ');
      const fs::path one = work_ / rest.substr(0, space), other = work_ / rest.substr(space + 1);
      expect(fs::exists(one) && fs::exists(other) && read(one) == read(other),
             "the files differ: " + rest);
    } else {
      expect(false, "unknown word in the test: " + verb);
    }
  }

  void check_json(const std::string& text) {
    std::istringstream words(text);
    std::string first, pointer, op, value;
    words >> first;
    std::string document = outcome_.out;
    if (!first.empty() && std::isdigit(static_cast<unsigned char>(first[0])) != 0) {
      const std::vector<std::string> lines = split_lines(outcome_.out);
      const size_t index = std::stoul(first);
      if (index >= lines.size()) return expect(false, "there is no line " + first);
      document = lines[index];
      words >> first;
    }
    pointer = first == "\"\"" ? "" : first;
    words >> op;
    std::getline(words >> std::ws, value);
    try {
      const Json root = parse_json(document, "the output", ErrorCode::kBadData);
      expect(json_holds(value_at(root, pointer), op, value), "JSON check fails: " + text);
    } catch (const std::runtime_error& error) {  // Error or Json::Mismatch
      expect(false, "JSON check fails: " + text + ": " + error.what());
    }
  }

  // The value at a JSON pointer (RFC 6901).
  static const Json& value_at(const Json& root, const std::string& pointer) {
    const Json* at = &root;
    std::istringstream parts(pointer.substr(pointer.empty() ? 0 : 1));
    for (std::string part; std::getline(parts, part, '/');) {
      part = std::regex_replace(part, std::regex("~1"), "/");
      part = std::regex_replace(part, std::regex("~0"), "~");
      at = at->is_array() ? &at->at(std::stoul(part)) : &at->at(part);
    }
    return *at;
  }

  static bool json_holds(const Json& found, const std::string& op, const std::string& value) {
    if (op == "==") return found == parse_json(value, "the test", ErrorCode::kBadData);
    if (op == "is") return found.type_name() == value;
    if (op == "size") return found.size() == std::stoul(value);
    if (op == ">=") return found.get<double>() >= std::stod(value);
    if (op == "<=") return found.get<double>() <= std::stod(value);
    if (op == "has") {
      std::istringstream keys(value);
      for (std::string key; keys >> key;) {
        if (!found.contains(key)) return false;
      }
      return true;
    }
    return false;
  }

  static constexpr size_t kMostFailures = 10;
  fs::path test_, work_;
  std::string command_;
  Outcome outcome_;
  size_t line_ = 0, steps_ = 0, checks_ = 0, failures_ = 0;
  bool exit_checked_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: e2e_runner BIN_DIR SOURCE_DIR FILE.test\n";
    return 2;
  }
  std::string pattern = (fs::temp_directory_path() / "spanforge-e2e-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return 2;
  const fs::path work = pattern;
  ::setenv("PATH", (fs::absolute(argv[1]).string() + ":" + std::getenv("PATH")).c_str(), 1);
  ::setenv("SOURCE", fs::absolute(argv[2]).c_str(), 1);
  ::setenv("HOME", work.c_str(), 1);
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  for (const char* name :
       {"HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "XDG_CACHE_HOME", "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "http_proxy", "HTTP_PROXY",
        "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
    ::unsetenv(name);
  }
  const int code = Runner(fs::absolute(argv[3]), work).run();
  std::error_code ignored;
  fs::remove_all(work, ignored);
  return code;
}
