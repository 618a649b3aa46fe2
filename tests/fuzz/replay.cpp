// Runs every input of the corpora through its target, once: what fuzzing found stays found, with
// any compiler. `fuzz_corpora DIRECTORY`, in which each target has a directory of inputs.
//
// The targets are compiled under their own names here (see CMakeLists.txt); a broken oracle ends
// the program, which then says with which input.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
int fuzz_answer(const std::uint8_t* data, std::size_t size);
int fuzz_configuration(const std::uint8_t* data, std::size_t size);
int fuzz_csv(const std::uint8_t* data, std::size_t size);
int fuzz_http(const std::uint8_t* data, std::size_t size);
int fuzz_ledger(const std::uint8_t* data, std::size_t size);
int fuzz_ledger_file(const std::uint8_t* data, std::size_t size);
int fuzz_listing(const std::uint8_t* data, std::size_t size);
int fuzz_settings(const std::uint8_t* data, std::size_t size);
int fuzz_signing_request(const std::uint8_t* data, std::size_t size);
}

namespace {

struct Target {
  std::string_view name;
  int (*run)(const std::uint8_t*, std::size_t);
};

constexpr std::array kTargets = {Target{"answer", fuzz_answer},
                                 Target{"configuration", fuzz_configuration},
                                 Target{"csv", fuzz_csv},
                                 Target{"http", fuzz_http},
                                 Target{"ledger", fuzz_ledger},
                                 Target{"ledger_file", fuzz_ledger_file},
                                 Target{"listing", fuzz_listing},
                                 Target{"settings", fuzz_settings},
                                 Target{"signing_request", fuzz_signing_request}};

std::array<char, 4096> input_name;  // what the handler may read

extern "C" void tell_input(int number) {
  constexpr std::string_view kWith = "with the input ";
  static_cast<void>(!::write(STDERR_FILENO, kWith.data(), kWith.size()));
  static_cast<void>(!::write(STDERR_FILENO, input_name.data(), std::strlen(input_name.data())));
  static_cast<void>(!::write(STDERR_FILENO, "\n", 1));
  std::signal(number, SIG_DFL);
  std::raise(number);
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(directory, error),
                                           {});
  std::ranges::sort(files);
  return files;
}

void run(const Target& target, const std::filesystem::path& path) {
  const std::string name = path.string();
  input_name.fill('\0');
  name.copy(input_name.data(), input_name.size() - 1);
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  target.run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_corpora DIRECTORY\n", stderr);
    return 2;
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    std::signal(number, tell_input);
  }
  int code = 0;
  for (const Target& target : kTargets) {
    const auto files = files_in(std::filesystem::path(argv[1]) / target.name);
    for (const auto& path : files) run(target, path);
    std::printf("%-16.*s %5zu inputs\n", static_cast<int>(target.name.size()), target.name.data(),
                files.size());
    if (files.empty()) code = 1;  // then nothing was tested
  }
  return code;
}
