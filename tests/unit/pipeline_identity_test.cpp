// SPDX-License-Identifier: Apache-2.0
#include "pipeline/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace cowtrace::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Users : public testing::Test {
 protected:
  Users()
      : users_(testing::TempDir() + "cowtrace-passwd"),
        groups_(testing::TempDir() + "cowtrace-group") {
    std::ofstream(users_) << "root:x:0:0:root:/root:/bin/bash\n"
                             "ada:x:1001:100:Ada:/home/ada:/bin/zsh\n"
                             "1001:x:7:8::/nowhere:/bin/false\n";
    std::ofstream(groups_) << "users:x:100:\nwheel:x:10:root,ada\nada:x:1001:adam\nmail:x:12:ada\n";
  }
  ~Users() override {
    std::remove(users_.c_str());
    std::remove(groups_.c_str());
  }
  Result<Identity> find(const std::string& user) {
    return find_user(user, users_.c_str(), groups_.c_str());
  }

  std::string users_, groups_;
};

TEST_F(Users, AreFoundByNameWithTheirGroups) {
  const auto ada = find("ada");
  ASSERT_TRUE(ada);
  EXPECT_EQ(ada->uid, 1001u);
  EXPECT_EQ(ada->gid, 100u);
  EXPECT_EQ(ada->home, "/home/ada");
  EXPECT_EQ(ada->shell, "/bin/zsh");
  EXPECT_THAT(ada->groups, ElementsAre(100, 10, 12));
}

TEST_F(Users, AreFoundByNumberUnlessItIsAName) {
  EXPECT_EQ(find("0").value().name, "root");
  EXPECT_EQ(find("7").value().name, "1001");
  EXPECT_EQ(find("1001").value().uid, 7u);
}

TEST_F(Users, WhoAreNotThereAreAnErrorThatNamesTheFile) {
  for (const char* user : {"eve", "", "-1", "4242", "ada "}) {
    const auto found = find(user);
    ASSERT_FALSE(found) << user;
    EXPECT_THAT(found.error().message(), HasSubstr(users_));
  }
}

TEST_F(Users, NeedTheirFileAndNoGroups) {
  std::remove(groups_.c_str());
  EXPECT_THAT(find("ada").value().groups, ElementsAre(100));
  std::remove(users_.c_str());
  EXPECT_FALSE(find("ada"));
}

}  // namespace
}  // namespace cowtrace::pipeline
