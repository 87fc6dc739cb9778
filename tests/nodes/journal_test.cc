// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/core/error.h"
#include "tests/support/other_user.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const JournalKey kKey{
    "ocr.yaml", {{"other contents", "words"}, {"other parameters", "a"}, {"another mode", "fast"}}, "model"};

class JournalTest : public testing::Test {
 protected:
  std::string Refusal(const JournalKey& key = kKey) const {
    try {
      Journal journal(file_, key);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "journal";
};

graph::ChunkCommit Chunk(const std::string& key, int64_t position) {
  graph::ChunkCommit commit;
  commit.key = key;
  commit.positions = {{"out", position}};
  commit.states = {{"count", std::string("a\0b", 3)}};
  return commit;
}

TEST_F(JournalTest, GivesBackWhatWasCommitted) {
  const FileMark mark{5, 7, "ends", ""};
  {
    Journal journal(file_, kKey);
    EXPECT_FALSE(journal.Find({"a.png"}));
    const int64_t id = journal.Start({"a.png"}, mark);
    journal.Start({"a.png", 2}, mark);
    journal.Commit(id, Chunk("0", 10));
    graph::ChunkCommit second = Chunk("1", 20);
    second.end = graph::Time::Seconds(3);
    second.epoch = 4;
    second.failed_items = {{graph::ErrorKind::kBadInput, "a.png", "cut", "read"}};
    second.positions["pipe"] = 30;
    journal.Commit(id, second, {{"out", {"/a\n.txt", 20, "hash"}}});
  }
  Journal journal(file_, kKey);
  const std::optional<JournalEntry> entry = journal.Find({"a.png"});
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->state, JournalState::kStarted);
  EXPECT_TRUE(entry->mark.Matches(mark));
  EXPECT_EQ(entry->num_chunks, 2);
  EXPECT_EQ(entry->resume.key, "1");
  EXPECT_EQ(entry->resume.end, graph::Time::Seconds(3));
  EXPECT_EQ(entry->resume.epoch, 4);
  EXPECT_THAT(entry->resume.positions, ElementsAre(Pair("out", 20), Pair("pipe", 30)));
  ASSERT_THAT(entry->written, ElementsAre(Pair("out", testing::_)));
  EXPECT_EQ(entry->written.at("out").file, "/a\n.txt");
  EXPECT_EQ(entry->written.at("out").size, 20);
  EXPECT_EQ(entry->written.at("out").hash, "hash");
  EXPECT_THAT(entry->resume.states, ElementsAre(Pair("count", std::string("a\0b", 3))));
  EXPECT_EQ(journal.Failures(entry->id).at(0).reason, "cut");
  EXPECT_EQ(journal.Find({"a.png", 2})->num_chunks, 0);
  EXPECT_EQ(journal.Find({"a.png", 2})->resume.end, graph::Time::Min());
  EXPECT_EQ(journal.counts().started, 2);
}

TEST_F(JournalTest, AnInputEndsDoneOrInQuarantine) {
  Journal journal(file_, kKey);
  graph::ChunkCommit last = Chunk("", 30);
  last.is_last = true;
  journal.Commit(journal.Start({"good"}, {}), last);
  last.failed_items = {{graph::ErrorKind::kBadInput, "bad", "cut", "read"}};
  journal.Commit(journal.Start({"bad"}, {}), last);
  EXPECT_EQ(journal.Find({"good"})->state, JournalState::kDone);
  EXPECT_EQ(journal.Find({"bad"})->state, JournalState::kFailed);
  const int64_t id = journal.Start({"bad"}, {});
  EXPECT_EQ(journal.Find({"bad"})->state, JournalState::kStarted);
  EXPECT_THAT(journal.Failures(id), IsEmpty());
  EXPECT_THAT(journal.Find({"bad"})->resume.positions, IsEmpty());
  journal.Fail(id, {graph::ErrorKind::kNode, "bad", "broken", "see"});
  EXPECT_EQ(journal.Find({"bad"})->state, JournalState::kFailed);
}

TEST_F(JournalTest, ServesOnePipelineAndModel) {
  { Journal journal(file_, kKey); }
  const std::string start = file_.string() + ": is the journal of ocr.yaml with ";
  const std::string advice = "; name another with --journal, or remove it to start anew";
  for (const std::string other : {"other contents", "other parameters", "another mode"}) {
    JournalKey key = kKey;
    key.pipeline_name = "x.yaml";
    key.parts[other] = "changed";
    EXPECT_EQ(Refusal(key), std::string(start).append(other).append(advice));
  }
  EXPECT_EQ(Refusal({"ocr.yaml", {{"other contents", "more"}, {"other parameters", "b"}}, "model"}),
            start + "other contents and other parameters" + advice);
  EXPECT_EQ(Refusal({"ocr.yaml", kKey.parts, "other"}), start + "another model" + advice);
  EXPECT_EQ(Refusal(), "");
}

TEST_F(JournalTest, IsHeldByOneRun) {
  Journal journal(file_, kKey);
  EXPECT_EQ(Refusal(), file_.string() + ": in use by another run");
}

TEST_F(JournalTest, TellsWhatIsNoJournal) {
  folder_.Write("journal",
                "This is a text of mine, longer than the header of a database, which has a hundred bytes or so.");
  EXPECT_EQ(Refusal(), file_.string() + ": is no journal, and is left as it is: name another file");
  std::filesystem::remove(file_);
  Database(file_).Run("CREATE TABLE mine (x)");
  EXPECT_EQ(Refusal(), file_.string() + ": is a database of something else, and is left as it is: name another file");
  std::filesystem::remove(file_);
  { Journal journal(file_, kKey); }
  Database(file_).Run("PRAGMA user_version = 9");
  EXPECT_EQ(Refusal(),
            file_.string() + ": written by another version of this program (journal version 9, this one writes 3)");
}

TEST_F(JournalTest, TellsWhatIsDamaged) {
  {
    Journal journal(file_, kKey);
    for (int i = 0; i < 200; ++i) {
      journal.Start({"input" + std::to_string(i)}, {});
    }
  }
  std::fstream bytes(file_, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(4096);
  bytes << std::string(std::filesystem::file_size(file_) - 4096, 'x');
  bytes.close();
  EXPECT_THAT(Refusal(), HasSubstr(file_.string() + ": is damaged (database disk image is malformed): remove it"));
}

TEST_F(JournalTest, SaysWhereItCannotBeMade) {
  EXPECT_THAT(
      [] { Journal("/no/such/folder/journal", kKey); },
      testing::ThrowsMessage<Error>(HasSubstr("/no/such/folder/journal: cannot be opened: No such file or directory")));
}

TEST_F(JournalTest, TellsWhyItCannotBeOpened) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                                                   std::filesystem::perms::others_exec);
  const OtherUser other;
  EXPECT_THAT([&] { Journal(file_, kKey); },
              testing::ThrowsMessage<Error>(file_.string() + ": cannot be opened: Permission denied"));
}

TEST(FileMarkTest, KnowsAFileByItsSizeTimeAndEnds) {
  const TempFolder folder;
  const std::filesystem::path file = folder.Write("a", std::string(1'000'000, 'a'));
  const auto time = std::filesystem::last_write_time(file);
  const FileMark quick = MarkFile(file, false), whole = MarkFile(file, true);
  EXPECT_EQ(quick.size, 1'000'000);
  EXPECT_TRUE(quick.Matches(MarkFile(file, true)));

  std::string text(1'000'000, 'a');
  text[500'000] = 'b';
  folder.Write("a", text);
  std::filesystem::last_write_time(file, time);
  EXPECT_TRUE(quick.Matches(MarkFile(file, false)));
  EXPECT_FALSE(whole.Matches(MarkFile(file, true)));

  folder.Write("a", std::string(1'000'000, 'a'));
  std::filesystem::last_write_time(file, time + std::chrono::seconds(1));
  EXPECT_FALSE(quick.Matches(MarkFile(file, false)));
  EXPECT_TRUE(whole.Matches(MarkFile(file, true)));

  folder.Write("a", std::string(999'999, 'a') + "b");
  std::filesystem::last_write_time(file, time);
  EXPECT_FALSE(quick.Matches(MarkFile(file, false)));
  EXPECT_EQ(MarkFile(folder.path() / "none", false).size, -1);
}

}  // namespace
}  // namespace percept::nodes
