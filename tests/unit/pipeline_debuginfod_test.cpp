// SPDX-License-Identifier: Apache-2.0
// The test is the helper, or asks one: what either may say, and what is believed.
#include "pipeline/debuginfod.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "pipeline/debuginfod_helper.h"
#include "process/elf_file.h"

namespace cowtrace::pipeline {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A helper that answers has all the time that it takes beside other tests; only one that never does
// is given up.
constexpr DebuginfodLimits kPatient{std::chrono::minutes(2), std::chrono::minutes(4), 1 << 30};
constexpr DebuginfodLimits kShort{std::chrono::milliseconds(200), std::chrono::milliseconds(500),
                                  1 << 30};

std::pair<Fd, Fd> make_sockets() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd scenario() {
  return Fd(open(SCENARIO_PATH, O_RDONLY | O_CLOEXEC));
}

std::string build_id_of_scenario() {
  const auto elf = process::ElfFile::open(scenario(), SCENARIO_PATH);
  return elf ? (*elf)->build_id() : "";
}

// Asked by `debuginfod`, does what a test says with each request.
class FakeHelper {
 public:
  using Answering = std::function<void(int socket, const std::string& request)>;

  explicit FakeHelper(Answering answering, const DebuginfodLimits& limits = kPatient) {
    auto [ours, theirs] = make_sockets();
    debuginfod = std::make_unique<Debuginfod>(Result<Fd>(std::move(ours)), false, limits);
    thread_ = std::thread([answering = std::move(answering), socket = std::move(theirs)] {
      char request[256];
      for (ssize_t got = 0; (got = recv(socket.get(), request, sizeof(request), 0)) > 0;)
        answering(socket.get(), std::string(request, static_cast<std::size_t>(got)));
    });
  }
  ~FakeHelper() {
    debuginfod.reset();
    thread_.join();
  }

  std::unique_ptr<Debuginfod> debuginfod;

 private:
  std::thread thread_;
};

TEST(Debuginfod, IsNotStartedWithoutServers) {
  unsetenv("DEBUGINFOD_URLS");
  EXPECT_EQ(Debuginfod::start_if_wanted(false), nullptr);
  setenv("DEBUGINFOD_URLS", "", 1);
  EXPECT_EQ(Debuginfod::start_if_wanted(false), nullptr);
  unsetenv("DEBUGINFOD_URLS");
}

TEST(Debuginfod, GivesTheFileThatWasAskedFor) {
  const std::string build_id = build_id_of_scenario();
  ASSERT_FALSE(build_id.empty());
  std::string asked;
  FakeHelper helper([&](int socket, const std::string& request) {
    asked = request;
    send_answer(socket, Said::Progress, {});
    send_answer(socket, Said::Found, {}, scenario().get());
  });
  const auto elf = helper.debuginfod->find(build_id);
  ASSERT_NE(elf, nullptr);
  EXPECT_EQ(asked, build_id);
  EXPECT_EQ(elf->build_id(), build_id);
  EXPECT_EQ(helper.debuginfod->found(), 1u);
  EXPECT_THAT(helper.debuginfod->notes(), IsEmpty());
}

TEST(Debuginfod, AsksForNothingThatIsNoBuildId) {
  FakeHelper helper([](int, const std::string&) { ADD_FAILURE(); });
  for (const std::size_t size : {0, 1, 65, 70'000})
    EXPECT_EQ(helper.debuginfod->find(std::string(size, 'x')), nullptr);
  EXPECT_EQ(helper.debuginfod->asked(), 0u);
}

TEST(Debuginfod, RefusesWhatWasNotAskedFor) {
  const auto note_of = [](int file) {
    FakeHelper helper(
        [file](int socket, const std::string&) { send_answer(socket, Said::Found, {}, file); });
    EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
    EXPECT_EQ(helper.debuginfod->failed(), 1u);
    const auto notes = helper.debuginfod->notes();
    return notes.size() == 1 ? notes.front() : "";
  };
  EXPECT_EQ(note_of(scenario().get()),
            "debuginfod: 1 of 1 debug file asked for could not be had: what came has another build "
            "ID (1)");
  EXPECT_THAT(note_of(Fd(open("/etc/passwd", O_RDONLY)).get()), HasSubstr("no 64-bit ELF file"));
  EXPECT_THAT(note_of(Fd(open("/dev/zero", O_RDONLY)).get()), HasSubstr("no regular file"));
  EXPECT_THAT(note_of(Fd(open("/", O_RDONLY)).get()), HasSubstr("no regular file"));
  EXPECT_THAT(note_of(Fd(open(SCENARIO_PATH, O_PATH)).get()), HasSubstr("no 64-bit ELF file"));
  const Fd huge(memfd_create("huge", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(huge.get(), (1 << 30) + 1), 0);
  EXPECT_THAT(note_of(huge.get()), HasSubstr("too large"));
}

TEST(Debuginfod, CountsFailuresByTheirReasons) {
  int request = 0;
  FakeHelper helper([&](int socket, const std::string&) {
    ++request;
    if (request == 1)
      send_answer(socket, Said::NotFound, {});
    else
      send_answer(socket, Said::Failed, request == 2 ? "no\nroute" : "refused");
  });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
  EXPECT_EQ(helper.debuginfod->asked(), 4u);
  EXPECT_EQ(helper.debuginfod->failed(), 3u);
  const auto notes = helper.debuginfod->notes();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_THAT(notes.front(), AllOf(HasSubstr("3 of 4 debug files"), HasSubstr("refused (2)"),
                                   HasSubstr("route (1)")));
  EXPECT_EQ(notes.front().find('\n'), std::string::npos);
}

TEST(Debuginfod, HoldsHowManyReasonsThereAre) {
  int request = 0;
  FakeHelper helper([&](int socket, const std::string&) {
    send_answer(socket, Said::Failed, std::to_string(++request) + std::string(1000, '.'));
  });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
  EXPECT_EQ(helper.debuginfod->failed(), 200u);
  EXPECT_LT(helper.debuginfod->notes().front().size(), 18 * (kMostReason + 10));
  EXPECT_THAT(helper.debuginfod->notes().front(), HasSubstr("other reasons (184)"));
}

TEST(Debuginfod, GivesUpAHelperThatIsSilent) {
  FakeHelper helper([](int, const std::string&) {}, kShort);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
  // One wait, and the others were spared it: the test itself may be slow.
  EXPECT_GE(std::chrono::steady_clock::now() - began, kShort.still);
  EXPECT_EQ(helper.debuginfod->asked(), 1u);
  EXPECT_EQ(helper.debuginfod->not_asked(), 2u);
  EXPECT_THAT(helper.debuginfod->notes(), ElementsAre(HasSubstr("no answer in time (1)"),
                                                      HasSubstr("not asked for 2 debug files")));
}

TEST(Debuginfod, ProgressDoesNotGoOnForEver) {
  FakeHelper helper(
      [](int socket, const std::string&) {
        while (send_answer(socket, Said::Progress, {})) usleep(10'000);
      },
      kShort);
  EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
  EXPECT_THAT(helper.debuginfod->notes(), ElementsAre(HasSubstr("no answer in time")));
}

TEST(Debuginfod, GivesUpAHelperThatSaysWhatIsNoAnswer) {
  const Fd file = scenario();
  const std::function<void(int)> sayings[] = {
      [](int socket) { send(socket, "", 0, 0); },
      [](int socket) { send(socket, "\0", 1, 0); },
      [](int socket) { send(socket, "\x07 what", 6, 0); },
      [](int socket) { send_answer(socket, Said::Found, "without a file"); },
      [&](int socket) { send_answer(socket, Said::NotFound, {}, file.get()); },
      [](int socket) {
        const std::string long_one = "\x03" + std::string(kMostReason + 1, 'x');
        send(socket, long_one.data(), long_one.size(), 0);
      },
  };
  for (const auto& say : sayings) {
    FakeHelper helper([&](int socket, const std::string&) { say(socket); });
    EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
    EXPECT_EQ(helper.debuginfod->find("0123456789"), nullptr);
    EXPECT_EQ(helper.debuginfod->not_asked(), 2u);
    EXPECT_THAT(
        helper.debuginfod->notes(),
        ElementsAre("debuginfod was not asked for 2 debug files: the process that asks has ended"));
  }
}

TEST(Debuginfod, KeepsNoDescriptorOfAnAnswerThatItRefuses) {
  const auto count = [] {
    int open_ones = 0;
    for (int fd = 0; fd < 256; ++fd) open_ones += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return open_ones;
  };
  auto [ours, theirs] = make_sockets();
  const Fd file = scenario();
  const int before = count();
  // Two at once.
  char byte = static_cast<char>(Said::Found);
  iovec bytes{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(2 * sizeof(int));
  const int two[2] = {file.get(), file.get()};
  std::memcpy(CMSG_DATA(part), two, sizeof(two));
  ASSERT_EQ(sendmsg(theirs.get(), &message, 0), 1);
  EXPECT_FALSE(receive_answer(ours.get()));
  ASSERT_TRUE(send_answer(theirs.get(), Said::Failed, {}, file.get()));
  EXPECT_FALSE(receive_answer(ours.get()));
  EXPECT_EQ(count(), before);
}

Result<Fd> helper_with(const std::string& library) {
  HelperOptions options;
  options.library = library;
  options.most_bytes = 1 << 20;
  return start_debuginfod_helper(options);
}

TEST(Debuginfod, SaysWhichLibraryIsMissing) {
  Debuginfod debuginfod(helper_with("libno-such-library.so.1"), false);
  EXPECT_EQ(debuginfod.find("0123456789"), nullptr);
  EXPECT_EQ(debuginfod.find("0123456789"), nullptr);
  EXPECT_THAT(debuginfod.notes(), ElementsAre(AllOf(HasSubstr("not asked for 2 debug files"),
                                                    HasSubstr("libno-such-library.so.1"),
                                                    HasSubstr("install libdebuginfod1"))));
}

TEST(Debuginfod, OtherLibrariesAreNotUsed) {
  Debuginfod debuginfod(helper_with("libc.so.6"), false);
  EXPECT_EQ(debuginfod.find("0123456789"), nullptr);
  EXPECT_THAT(debuginfod.notes(), ElementsAre(HasSubstr("libc.so.6 is not elfutils' library")));
}

TEST(Debuginfod, TheHelperEndsAtWhatIsNoRequest) {
  for (const std::size_t size : {1, 65, 1000}) {
    const auto socket = helper_with("libdebuginfod.so.1");
    ASSERT_TRUE(socket);
    ASSERT_EQ(send(socket->get(), std::string(size, 'x').data(), size, 0),
              static_cast<ssize_t>(size));
    char byte;
    EXPECT_EQ(recv(socket->get(), &byte, 1, 0), 0);  // waits for its end
  }
}

}  // namespace
}  // namespace cowtrace::pipeline
