// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include "pipeline/recorder.h"
#include "report/formats.h"
#include "support/memory_file.h"
#include "support/reported.h"
#include "support/story.h"
#include "trace/facts_codec.h"
#include "trace/reader.h"
#include "trace/resolution_columns.h"

namespace cowtrace {
namespace {

using ::testing::HasSubstr;

using test::MemoryFile;

template <typename Each>
void for_each_event(const model::Session& session, Each&& each) {
  for (const auto& [hash, mapping] : session.mappings) each(model::Event(mapping));
  for (const auto& [hash, stack] : session.stacks) each(model::Event(stack));
  for (const auto& [pid, command] : session.visitors)
    each(model::Event(model::Visitor{pid, command}));
  for (const model::AddressSpace& space : session.spaces)
    for (const model::Resolution& resolution : space.resolutions) each(model::Event(resolution));
}

std::string record(const model::Session& session, model::Resolver& resolver) {
  MemoryFile file;
  pipeline::Recorder recorder;
  recorder.add_file(file.writer(), "memory", "1.2.3");
  recorder.begin(session.capture);
  for_each_event(session, [&](const model::Event& event) { recorder.add(event); });
  EXPECT_TRUE(recorder.finish(session, analysis::resolve(session, resolver)));
  return file.content();
}

std::string rendered(const report::Format& format, const analysis::Report& report) {
  std::ostringstream out;
  EXPECT_TRUE(format.write(report, {}, out));
  return out.str();
}
std::string rendered(const report::Format& format, const model::Session& session,
                     model::Resolver& resolver) {
  return rendered(format, test::reported(session, resolver));
}
std::string rendered(const report::Format& format, const trace::Trace& trace) {
  return rendered(format, analysis::join(*trace.session, trace.facts));
}

TEST(Trace, GivesTheSameReports) {
  test::Story story;
  story.session().visitors[99] = "visitor\x1b";
  const std::string bytes = record(story.session(), story.resolver);
  auto trace = trace::read_bytes(bytes, "memory");
  ASSERT_TRUE(trace) << trace.error().message();
  EXPECT_TRUE(trace->complete);
  int formats = 0;
  for (const report::Format& format : report::formats()) {
    if (format.write == nullptr) continue;
    ++formats;
    EXPECT_EQ(rendered(format, *trace), rendered(format, story.session(), story.resolver))
        << format.name;
  }
  EXPECT_GE(formats, 2);
}

// What lived at an address when it was written first, and what lives there now.
class Reborn : public test::FakeResolver {
 public:
  model::Write write_at(model::SpaceId space, std::uint64_t address,
                        std::uint64_t time_ns) override {
    const model::Object* object = object_at(space, address, time_ns);
    if (object == nullptr) return {};
    return {object, object->name == "late" ? model::Cause::Refcount : model::Cause::Container,
            object->name + ".field"};
  }
};

// A trace that is the only output holds what reports beside it would have asked: it gives what they
// give.
TEST(Trace, AloneAnswersWhatAnyFormatAsks) {
  test::SessionBuilder builder;
  Reborn resolver;
  builder.session.capture.allocators = true;
  const auto process = builder.process(1, "p");
  const auto child = builder.process(2, "c", process);
  constexpr std::uint64_t kFirst = 0x30'0040, kWord = 0x30'0080;
  for (const auto& [name, born, died] :
       {std::tuple("early", 0, 100), std::tuple("late", 100, 1000)}) {
    model::Object object;
    object.kind = model::ObjectKind::Python;
    object.address = 0x30'0000;
    object.size = kPageSize;
    object.name = name;
    object.born_ns = test::SessionBuilder::kStarted + born;
    object.died_ns = test::SessionBuilder::kStarted + died;
    resolver.add(object);
  }
  model::Resolution first;
  first.mechanism = model::Mechanism::FirstWrite;
  builder.write(process, 10, kWord, first);
  builder.write(process, 20, kFirst, first);
  builder.write(process, 30, 0x40'0000, first);
  builder.write(child, 200, kWord);
  builder.write(process, 300, kWord);
  builder.finish();
  auto trace = trace::read_bytes(record(builder.session, resolver), "memory");
  ASSERT_TRUE(trace) << trace.error().message();
  for (const report::Format& format : report::formats()) {
    if (format.write == nullptr) continue;
    const std::string live = rendered(format, builder.session, resolver);
    EXPECT_EQ(rendered(format, *trace), live) << format.name;
    if (format.name == "jsonl") {
      EXPECT_THAT(live, HasSubstr("early.field"));
    }
  }
}

// Nothing is asked twice, and nothing at all when reports are written.
TEST(Trace, EachQuestionIsAskedOnce) {
  class Counting : public test::FakeResolver {
   public:
    model::Write write_at(model::SpaceId space, std::uint64_t address,
                          std::uint64_t time_ns) override {
      EXPECT_TRUE(writes.emplace(space, address, time_ns).second) << std::hex << address;
      return FakeResolver::write_at(space, address, time_ns);
    }
    std::vector<const model::Object*> objects_in(model::SpaceId space, std::uint64_t start,
                                                 std::uint64_t end,
                                                 std::uint64_t time_ns) override {
      EXPECT_TRUE(ranges.emplace(space, start, time_ns).second) << std::hex << start;
      return FakeResolver::objects_in(space, start, end, time_ns);
    }
    std::vector<model::StackFrame> frames_at(model::SpaceId space, std::uint64_t ip,
                                             bool is_return_address,
                                             std::uint64_t time_ns) override {
      EXPECT_TRUE(frames.emplace(space, ip, is_return_address).second) << std::hex << ip;
      return FakeResolver::frames_at(space, ip, is_return_address, time_ns);
    }
    std::set<std::tuple<model::SpaceId, std::uint64_t, std::uint64_t>> writes, ranges;
    std::set<std::tuple<model::SpaceId, std::uint64_t, bool>> frames;
  };
  test::Story story;
  Counting resolver;
  const model::Facts facts = analysis::resolve(story.session(), resolver);
  std::size_t resolutions = 0;
  for (const model::AddressSpace& space : story.session().spaces)
    resolutions += space.resolutions.size();
  EXPECT_EQ(resolver.writes.size(), resolutions);
  EXPECT_FALSE(resolver.frames.empty());
}

TEST(Trace, KeepsRowsOfCounts) {
  test::Story story;
  story.session().capture.detail = "counts";
  auto& rows = story.session().spaces.back().page_counts;
  for (std::uint64_t i = 1; i < 50; ++i)
    rows.push_back({i * kPageSize, i, i * 10, i * 20, i * kPageSize + 8, i << 40, UINT64_MAX - i,
                    model::MappingHash(i), kPageSize, model::Mechanism::KsmCopy});
  auto trace = trace::read_bytes(record(story.session(), story.resolver), "memory");
  ASSERT_TRUE(trace) << trace.error().message();
  const auto& read = trace->session->spaces.back().page_counts;
  ASSERT_EQ(read.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(read[i].page, rows[i].page);
    EXPECT_EQ(read[i].count, rows[i].count);
    EXPECT_EQ(read[i].first_ns, rows[i].first_ns);
    EXPECT_EQ(read[i].last_ns, rows[i].last_ns);
    EXPECT_EQ(read[i].last_address, rows[i].last_address);
    EXPECT_EQ(read[i].old_frame, rows[i].old_frame);
    EXPECT_EQ(read[i].new_frame, rows[i].new_frame);
    EXPECT_EQ(read[i].mapping, rows[i].mapping);
    EXPECT_EQ(read[i].size, rows[i].size);
    EXPECT_EQ(read[i].mechanism, rows[i].mechanism);
  }
}

// Whoever writes it is killed: without the end, what was flushed is there.
TEST(Trace, WithoutItsEndHasTheEvents) {
  test::Story story;
  MemoryFile file;
  trace::Writer writer(file.writer(), "memory", "1.2.3");
  writer.begin(story.session().capture);
  model::Fork fork;
  fork.parent_pid = 4711;
  fork.child_pid = 4712;
  fork.parent_space = story.session().spaces[0].id;
  fork.child_space = story.session().spaces[1].id;
  fork.command = "worker";
  writer.add(fork);
  for_each_event(story.session(), [&](const model::Event& event) { writer.add(event); });
  EXPECT_EQ(trace::read_bytes(file.content(), "memory")->session->spaces.size(), 0U);
  writer.flush_if_due(500'000'000);
  EXPECT_EQ(trace::read_bytes(file.content(), "memory")->session->spaces.size(), 0U) << "too early";
  writer.flush_if_due(1'600'000'000);
  auto trace = trace::read_bytes(file.content(), "memory");
  ASSERT_TRUE(trace) << trace.error().message();
  EXPECT_FALSE(trace->complete);
  EXPECT_THAT(trace->session->capture.notes.back(), HasSubstr("incomplete"));
  EXPECT_EQ(trace->session->capture.command, story.session().capture.command);
  std::size_t events = 0;
  for (const auto& space : story.session().spaces) events += space.resolutions.size();
  EXPECT_EQ(trace->session->capture.events, events);
  ASSERT_NE(trace->session->find_pid(4712), nullptr);
  EXPECT_EQ(trace->session->find_pid(4712)->command, "worker");
}

TEST(Trace, RefusesWhatItIsNot) {
  test::Story story;
  for (const std::string& bytes : {std::string(), std::string("{}"), std::string(1000, '\0')}) {
    const auto trace = trace::read_bytes(bytes, "some\x1b[2J.cow");
    ASSERT_FALSE(trace);
    EXPECT_THAT(trace.error().message(), HasSubstr("some\\x1b[2J.cow"));
  }
  EXPECT_THAT(trace::read_file("/nowhere/x.cow").error().message(), HasSubstr("No such file"));
  EXPECT_THAT(trace::read_file("/tmp").error().message(), HasSubstr("/tmp"));
}

TEST(Trace, SaysThatItIsOfANewerProgram) {
  // Block.header.format = 7, writer "9.0".
  const std::string header =
      "\x08\x07\x12\x03"
      "9.0";
  const std::string block = std::string("\x0a") + static_cast<char>(header.size()) + header;
  const auto trace = trace::read_messages(static_cast<char>(block.size()) + block, "new.cow");
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().message(),
            "cannot read new.cow: it has format 7, of a newer cowtrace (9.0): read it with that "
            "one; this one knows formats up to 2");
}

// Mechanisms, causes and kinds of objects that came later.
TEST(Trace, NumbersOfANewerProgramAreShownAsSuch) {
  // Block.header.format = 7, writer "9.0", readable_since = 2.
  const std::string header =
      "\x08\x07\x12\x03"
      "9.0\x20\x02";
  const std::string block = std::string("\x0a") + static_cast<char>(header.size()) + header;
  EXPECT_TRUE(trace::read_messages(static_cast<char>(block.size()) + block, "new.cow"));

  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const auto process = builder.process(1, "p");
  resolver.add("later", 0x5000, 0x100, "", static_cast<model::ObjectKind>(9));
  model::Resolution event;
  event.mechanism = static_cast<model::Mechanism>(13);
  builder.write(process, 1, 0x5010, event);
  event.mechanism = model::Mechanism::Copy;
  event.cause = static_cast<model::Cause>(12);
  builder.write(process, 2, 0x5020, event);
  const auto trace = trace::read_bytes(record(builder.finish(), resolver), "memory");
  ASSERT_TRUE(trace) << trace.error().message();
  for (const report::Format& format : report::formats()) {
    if (format.write == nullptr) continue;
    EXPECT_EQ(rendered(format, *trace), rendered(format, builder.session, resolver)) << format.name;
  }
  const std::string text = rendered(**report::format_named("text"), *trace);
  for (const char* shown : {"unknown (13)", "unknown (12)", "unknown (9)"})
    EXPECT_THAT(text, HasSubstr(shown));
}

std::vector<model::Resolution> random_resolutions(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto near = [&](std::uint64_t base) {
    return random() % 8 == 0 ? random() : base + random() % 100'000;
  };
  std::vector<model::Resolution> events(count);
  for (model::Resolution& event : events) {
    event.time_ns = near(1'000'000);
    event.address = near(0x7f00'0000'0000);
    event.ip = random() % 5 == 0 ? 0 : near(0x5555'0000'0000) / 1000;
    event.old_frame = near(1000);
    event.new_frame = near(5000);
    event.stack = model::StackHash(random() % 3 == 0 ? 0 : random() % 1000 + UINT64_MAX - 2000);
    event.mapping = model::MappingHash(random() % 20);
    event.space = model::SpaceId(static_cast<std::uint32_t>(random() % 4 + 1));
    event.pid = static_cast<std::int32_t>(random() % 5) - 1;
    event.tid = static_cast<std::int32_t>(random());
    if (random() % 2 != 0) event.tid = 7;
    event.latency_ns = static_cast<std::uint32_t>(random());
    event.size = static_cast<std::uint32_t>((random() % 10 == 0 ? 512 : 1) * kPageSize);
    event.mechanism = static_cast<model::Mechanism>(random() % model::kMechanisms);
    event.cause = static_cast<model::Cause>(random() % model::kCauseNames.size());
    event.in_kernel = random() % 2 != 0;
    event.late = random() % 2 != 0;
    event.in_python = random() % 2 != 0;
    event.gc_collecting = random() % 2 != 0;
    event.has_before = random() % 2 != 0;
    if (event.has_before) event.before = random();
  }
  return events;
}

auto fields_of(const model::Resolution& one) {
  return std::tuple(one.time_ns, one.address, one.ip, one.old_frame, one.new_frame, one.stack,
                    one.mapping, one.space, one.pid, one.tid, one.latency_ns, one.size,
                    one.mechanism, one.cause, bool{one.in_kernel}, bool{one.late},
                    bool{one.in_python}, bool{one.gc_collecting}, bool{one.has_before}, one.before);
}

TEST(TraceColumns, GiveBackEveryField) {
  trace::ResolutionEncoder encoder;
  trace::ResolutionDecoder decoder;
  for (std::uint64_t block = 0; block < 20; ++block) {
    const auto events = random_resolutions(500, block);
    trace::Resolutions columns;
    encoder.begin();
    for (const model::Resolution& event : events) encoder.add(event, columns);
    trace::Resolutions read;
    ASSERT_TRUE(read.ParseFromString(columns.SerializeAsString()));
    std::vector<model::Resolution> back;
    ASSERT_TRUE(decoder.take(read, back));
    ASSERT_EQ(back.size(), events.size());
    for (std::size_t i = 0; i < events.size(); ++i)
      ASSERT_EQ(fields_of(back[i]), fields_of(events[i])) << block << ' ' << i;
  }
}

TEST(TraceColumns, RefuseWhatContradictsItself) {
  trace::ResolutionEncoder encoder;
  trace::Resolutions good;
  encoder.begin();
  for (const model::Resolution& event : random_resolutions(50, 3)) encoder.add(event, good);
  const auto refused = [&](auto&& damage) {
    trace::Resolutions columns = good;
    damage(columns);
    std::vector<model::Resolution> events;
    trace::ResolutionDecoder decoder;
    return !decoder.take(columns, events);
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& c) { c.add_ip(0); }));
  EXPECT_TRUE(refused([](auto& c) { c.mutable_time_ns()->RemoveLast(); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_actor(7, 1'000'000); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_stack(7, 1'000'000); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_mapping(7, 1'000'000); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_ip(7, 1'000'000); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_size(7, 0); }));
  EXPECT_TRUE(refused([](auto& c) { c.set_size(7, UINT32_MAX); }));
  EXPECT_TRUE(refused([](auto& c) { c.add_before(1); }));
  EXPECT_TRUE(refused([](auto& c) { c.mutable_before()->RemoveLast(); }));
}

// Facts that contradict themselves or the session end the reading.
class HostileFacts : public ::testing::Test {
 protected:
  // Whether the facts of a session of three writes on two pages are still taken after `change`.
  bool taken(const std::function<void(trace::Block&)>& change) {
    test::SessionBuilder builder;
    test::FakeResolver resolver;
    const auto process = builder.process(1, "p");
    const auto stack = builder.stack(process, {0x10}, false, {{0x100, 5}});
    resolver.name(0x10, {{"f", "a.c", 1, "/x", false, ""}});
    resolver.name_code(0x100, "serve");
    resolver.add("table", 0x5000, 0x100);
    resolver.add("neighbour", 0x5800, 0x100);
    model::Resolution event;
    event.stack = stack;
    event.ip = 0x10;
    builder.write(process, 1, 0x5010, event);
    builder.write(process, 2, 0x5020, event);
    builder.write(process, 3, 0x6010, event);
    const model::Session& session = builder.finish();
    trace::Block block;
    trace::StringTable written;
    const std::function<void(trace::Block&)> full = [&](trace::Block& part) {
      block.MergeFrom(part);
    };
    trace::put_facts(analysis::resolve(session, resolver), session, written, full);
    change(block);
    trace::StringTable strings;
    strings.take(block);
    trace::Allowance allowance;
    const auto tables = std::make_shared<trace::Tables>();
    trace::FactsDecoder decoder;
    return tables->take(block, strings, allowance) &&
           decoder.take(block, strings, *tables, allowance) && decoder.finish(session, tables);
  }
};

TEST_F(HostileFacts, TheRightOnesAreTaken) {
  EXPECT_TRUE(taken([](trace::Block& block) {
    ASSERT_EQ(block.targets_size(), 1);
    ASSERT_EQ(block.targets(0).object_size(), 3);
    ASSERT_EQ(block.neighbours().runs_size(), 2);
    ASSERT_EQ(block.neighbours().first_size(), 1);
    ASSERT_EQ(block.native_names().ip_size(), 1);
    ASSERT_EQ(block.managed_names().code_size(), 1);
  }));
}

TEST_F(HostileFacts, NumbersThatDoNotExist) {
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_targets(0)->set_object(1, 50); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_targets(0)->set_object(1, -50); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_targets(0)->set_effect(1, 50); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_targets(0)->set_space(50); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_effects(0)->set_cause(50); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_neighbours()->set_first(0, 50); }));
  EXPECT_FALSE(
      taken([](trace::Block& block) { block.mutable_neighbours()->set_count(0, UINT32_MAX); }));
  EXPECT_FALSE(
      taken([](trace::Block& block) { block.mutable_native_names()->set_functions(0, 50); }));
  EXPECT_FALSE(
      taken([](trace::Block& block) { block.mutable_managed_names()->set_functions(0, 50); }));
  EXPECT_FALSE(
      taken([](trace::Block& block) { block.mutable_managed_names()->set_owner(0, 256); }));
}

TEST_F(HostileFacts, ColumnsOfDifferentLengths) {
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_targets(0)->add_object(0); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_neighbours()->add_count(1); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_neighbours()->set_runs(0, 2); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_native_names()->add_ip(1); }));
  EXPECT_FALSE(taken([](trace::Block& block) { block.mutable_managed_names()->add_owner(1); }));
  // More than there are resolutions.
  EXPECT_FALSE(taken([](trace::Block& block) {
    block.mutable_targets(0)->add_object(0);
    block.mutable_targets(0)->add_effect(0);
  }));
}

// Fewer are what a newer program may leave out: what they do not cover is not known.
TEST_F(HostileFacts, FewerTargetsThanResolutions) {
  EXPECT_TRUE(taken([](trace::Block& block) {
    block.mutable_targets(0)->mutable_object()->RemoveLast();
    block.mutable_targets(0)->mutable_effect()->RemoveLast();
  }));
}

// A run of neighbours stands for many numbers: what it becomes has to be in proportion to the file.
TEST_F(HostileFacts, NeighboursTakeFromTheAllowance) {
  EXPECT_FALSE(taken([](trace::Block& block) {
    for (int i = 0; i < 20'000; ++i) block.add_objects();
    auto& neighbours = *block.mutable_neighbours();
    for (int page = 0; page < 2'000; ++page) {
      neighbours.add_runs(1);
      neighbours.add_first(page == 0 ? -neighbours.first(0) - 1 : -20'000);
      neighbours.add_count(20'000);
    }
  }));
}

}  // namespace
}  // namespace cowtrace
