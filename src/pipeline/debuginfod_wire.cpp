// SPDX-License-Identifier: Apache-2.0
#include "pipeline/debuginfod_wire.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cowtrace::pipeline {
namespace {

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

Fd descriptor_in(msghdr& message) {
  Fd file;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS ||
        part->cmsg_len < CMSG_LEN(sizeof(int)))
      continue;
    int number = -1;
    std::memcpy(&number, CMSG_DATA(part), sizeof(number));
    file.reset(number);
  }
  return file;
}

}  // namespace

bool send_answer(int socket, Said said, std::string_view reason, int file) {
  std::string text(1, static_cast<char>(said));
  text += reason.substr(0, kMostReason);
  iovec bytes{text.data(), text.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (file >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &file, sizeof(file));
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::optional<Answer> receive_answer(int socket) {
  std::array<char, 1 + kMostReason> text{};
  iovec bytes{text.data(), text.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  // One descriptor: with its padding there is room for two. The kernel keeps others from us.
  message.msg_controllen = CMSG_LEN(sizeof(int));
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return std::nullopt;
  Answer answer;
  answer.file = descriptor_in(message);
  const auto said = static_cast<std::uint8_t>(text[0]);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return std::nullopt;
  if (said < static_cast<std::uint8_t>(Said::Found) ||
      said > static_cast<std::uint8_t>(Said::Progress))
    return std::nullopt;
  answer.said = static_cast<Said>(said);
  if ((answer.said == Said::Found) != static_cast<bool>(answer.file)) return std::nullopt;
  answer.reason.assign(text.data() + 1, static_cast<std::size_t>(got) - 1);
  return answer;
}

}  // namespace cowtrace::pipeline
