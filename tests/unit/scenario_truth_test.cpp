// SPDX-License-Identifier: Apache-2.0
// Runs the scenario program and checks what its truth files say about every experiment and several
// sizes.
#ifdef SCENARIO_PATH
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

constexpr std::uint64_t kPage = 4096;

struct Finished {
  int status = -1;
  std::string output;
  std::string errors;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Scratch {
 public:
  Scratch() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/scenario_test.XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~Scratch() {
    for (const char* name : {"out", "err", "truth.json"}) unlink(file(name).c_str());
    rmdir(path_.c_str());
  }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

Finished run(const Scratch& scratch, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SCENARIO_PATH);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, scratch.file("out").c_str(),
                                   O_CREAT | O_TRUNC | O_WRONLY, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, scratch.file("err").c_str(),
                                   O_CREAT | O_TRUNC | O_WRONLY, 0600);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, SCENARIO_PATH, &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          contents(scratch.file("out")), contents(scratch.file("err"))};
}

// How many processes of each role there are, and which of them get a copy of every page.
struct Expected {
  bool parent_copies = false;
  bool children_copy = false;
  bool grandchildren = false;  // and they copy
};
const std::map<std::string, Expected> kExperiments = {
    {"read", {}},
    {"mutate", {.children_copy = true}},
    {"mutate-parent", {.parent_copies = true}},
    {"mutate-both", {.children_copy = true}},
    {"grandchild", {.grandchildren = true}},
    {"threads", {.children_copy = true}},
    {"syscall-write", {.children_copy = true}},
    {"storm", {.children_copy = true}},
};

class ScenarioTruth
    : public testing::TestWithParam<std::tuple<std::string, std::uint64_t, std::uint64_t>> {};

// Every page of the regions, which must be whole pages and lie apart.
std::set<std::uint64_t> pages_of(const nlohmann::json& regions) {
  std::set<std::uint64_t> pages;
  for (const auto& region : regions) {
    const std::uint64_t start = std::stoull(region.at("start").get<std::string>(), nullptr, 16);
    const auto size = region.at("size").get<std::uint64_t>();
    EXPECT_EQ(start % kPage, 0u);
    EXPECT_EQ(size % kPage, 0u);
    for (std::uint64_t offset = 0; offset < size; offset += kPage)
      EXPECT_TRUE(pages.insert(start + offset).second);
  }
  return pages;
}

TEST_P(ScenarioTruth, SaysWhoCopiedWhat) {
  const auto& [name, children, pages] = GetParam();
  const Expected& expected = kExperiments.at(name);
  const Scratch scratch;
  const Finished finished =
      run(scratch, {name, "--pages", std::to_string(pages), "--children", std::to_string(children),
                    "--truth", scratch.file("truth.json")});
  if (finished.status == 77) GTEST_SKIP() << finished.errors;
  ASSERT_EQ(finished.status, 0) << finished.errors;
  const auto truth = nlohmann::json::parse(contents(scratch.file("truth.json")));
  EXPECT_EQ(truth.at("scenario"), name);
  EXPECT_EQ(truth.at("page_size"), kPage);
  EXPECT_EQ(truth.at("regions").size(), 3u);
  EXPECT_EQ(truth.at("regions").at(0).at("size"), pages * kPage);
  const auto all = pages_of(truth.at("regions"));
  EXPECT_EQ(all.size(), pages + 2);

  std::map<std::string, std::uint64_t> roles;
  std::set<int> pids;
  std::uint64_t copies = 0;
  for (const auto& process : truth.at("processes")) {
    const auto role = process.at("role").get<std::string>();
    ++roles[role];
    EXPECT_TRUE(pids.insert(process.at("pid").get<int>()).second);
    const bool copied = role == "parent"  ? expected.parent_copies
                        : role == "child" ? expected.children_copy
                                          : expected.grandchildren;
    std::set<std::uint64_t> addresses;
    for (const auto& page : process.at("copied"))
      addresses.insert(std::stoull(page.get<std::string>(), nullptr, 16));
    EXPECT_EQ(addresses.size(), process.at("copied").size());
    EXPECT_EQ(addresses, copied ? all : std::set<std::uint64_t>{}) << role;
    copies += addresses.size();
  }
  EXPECT_EQ(roles["parent"], 1u);
  EXPECT_EQ(roles["child"], children);
  EXPECT_EQ(roles["grandchild"], expected.grandchildren ? children : 0);
  EXPECT_EQ(truth.at("copied_pages_expected"), copies);
  EXPECT_GE(truth.at("written_pages_expected").get<std::uint64_t>(), copies);
  EXPECT_EQ(copies == 0, name == "read");
}

// The experiments about one kind of memory: their truth names mechanisms.
std::vector<std::string> listed() {
  const Scratch scratch;
  std::istringstream lines(run(scratch, {"list"}).output);
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);)
    found.push_back(line.substr(0, line.find(' ')));
  return found;
}

const std::set<std::string> kMechanisms = {
    "copy",         "reuse",          "zero-fill", "file-copy", "huge-split",
    "hugetlb-copy", "huge-zero-fill", "ksm-copy",  "unshare",   "fork-copy"};

// Page addresses, ascending and of the regions.
std::set<std::uint64_t> check_pages(const nlohmann::json& pages,
                                    const std::set<std::uint64_t>& all) {
  std::set<std::uint64_t> addresses;
  for (const auto& text : pages) {
    const std::uint64_t page = std::stoull(text.get<std::string>(), nullptr, 16);
    EXPECT_TRUE(all.contains(page)) << text;
    EXPECT_TRUE(addresses.empty() || *addresses.rbegin() < page) << text;
    addresses.insert(page);
  }
  return addresses;
}

void check_breaks(const nlohmann::json& process, const std::set<std::uint64_t>& all) {
  const auto& breaks = process.at("breaks");
  for (const auto& [mechanism, pages] : breaks.items()) {
    EXPECT_TRUE(kMechanisms.contains(mechanism)) << mechanism;
    EXPECT_FALSE(check_pages(pages, all).empty()) << mechanism;
  }
  EXPECT_EQ(process.at("copied"), breaks.value("copy", nlohmann::json::array()));
  if (!process.contains("actor")) return;
  EXPECT_GT(process.at("actor").at("pid").get<int>(), 0);
  EXPECT_NE(process.at("actor").at("pid"), process.at("pid"));
  EXPECT_NE(process.at("actor").at("command"), "");
}

class ExperimentTruth : public testing::TestWithParam<std::tuple<std::string, std::uint64_t>> {};

TEST_P(ExperimentTruth, NamesMechanisms) {
  const auto& [name, pages] = GetParam();
  const Scratch scratch;
  const Finished finished =
      run(scratch, {name, "--pages", std::to_string(pages), "--truth", scratch.file("truth.json")});
  if (finished.status == 77) GTEST_SKIP() << finished.errors;
  ASSERT_EQ(finished.status, 0) << finished.errors;
  const auto truth = nlohmann::json::parse(contents(scratch.file("truth.json")));
  EXPECT_EQ(truth.at("scenario"), name);
  EXPECT_TRUE(truth.value("no_exception", true)) << "left out where it is false";
  const auto all = pages_of(truth.at("regions"));
  EXPECT_FALSE(all.empty());
  EXPECT_FALSE(truth.at("processes").empty());
  std::set<int> pids;
  std::uint64_t copies = 0;
  for (const auto& process : truth.at("processes")) {
    EXPECT_TRUE(pids.insert(process.at("pid").get<int>()).second);
    check_breaks(process, all);
    copies += process.at("copied").size();
  }
  EXPECT_EQ(truth.at("copied_pages_expected"), copies);
  EXPECT_GE(truth.at("written_pages_expected").get<std::uint64_t>(), copies);
}

std::vector<std::string> experiment_names() {
  std::vector<std::string> found = listed();
  std::erase_if(found, [](const std::string& name) { return kExperiments.contains(name); });
  return found;
}

std::string word_of(std::string text) {
  for (char& c : text) c = c == '-' ? '_' : c;
  return text;
}

INSTANTIATE_TEST_SUITE_P(All, ExperimentTruth,
                         testing::Combine(testing::ValuesIn(experiment_names()),
                                          testing::Values(1, 300)),
                         [](const auto& test) {
                           return word_of(std::get<0>(test.param) + "_" +
                                          std::to_string(std::get<1>(test.param)));
                         });

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& [name, expected] : kExperiments) found.push_back(name);
  return found;
}

INSTANTIATE_TEST_SUITE_P(All, ScenarioTruth,
                         testing::Combine(testing::ValuesIn(names()), testing::Values(1, 2, 8),
                                          testing::Values(1, 1000)),
                         [](const auto& test) {
                           return word_of(std::get<0>(test.param) + "_" +
                                          std::to_string(std::get<1>(test.param)) + "_" +
                                          std::to_string(std::get<2>(test.param)));
                         });

TEST(Scenario, ListsEveryExperiment) {
  const Scratch scratch;
  const Finished finished = run(scratch, {"list"});
  EXPECT_EQ(finished.status, 0);
  for (const auto& [name, expected] : kExperiments) {
    EXPECT_NE(("\n" + finished.output).find("\n" + name + " "), std::string::npos) << name;
  }
}

TEST(Scenario, RunsWithoutATruth) {
  const Scratch scratch;
  const Finished finished = run(scratch, {"mutate", "--pages", "10"});
  EXPECT_EQ(finished.status, 0) << finished.errors;
  EXPECT_NE(finished.output.find("wrote 12 pages"), std::string::npos) << finished.output;
  EXPECT_EQ(finished.output.find("copied"), std::string::npos) << finished.output;
}

TEST(Scenario, RefusesWhatItCannotDoInOneLine) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"bogus"},
      {"mutate", "--pages", "0"},
      {"mutate", "--pages", "-1"},
      {"mutate", "--pages", "1k"},
      {"mutate", "--pages", "99999999999999999999"},
      {"mutate", "--children", "0"},
      {"mutate", "--children", "1025"},
      {"mutate", "--bogus"},
      {"list", "--pages", "1"},
      {"mutate", "--pages", "1", "--truth", "/nonexistent/truth.json"}};
  const Scratch scratch;
  for (const auto& arguments : wrong) {
    const Finished finished = run(scratch, arguments);
    if (finished.status == 77) continue;  // no frames for this user: the last one gets no further
    EXPECT_EQ(finished.status, 1) << finished.errors;
    EXPECT_EQ(finished.errors.rfind("scenario: ", 0), 0u) << finished.errors;
    EXPECT_EQ(finished.errors.find('\n'), finished.errors.size() - 1) << finished.errors;
    EXPECT_EQ(finished.output, "");
  }
}

}  // namespace
#endif
