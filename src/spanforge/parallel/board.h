#pragma once
// What: The place where the processes of one start leave entries for each other: a directory
//   (board_directory.cpp) or a Redis database (board_redis.cpp). It knows names and texts;
//   meeting.h has the protocol.
// Entries: NAME, or FOLDER/NAME in a folder of one start. A name has letters, digits, '-' and '_'.
//   A reader sees a whole text or none. A process puts each of its names once.
// The lock: at most one living process has it. If its holder dies, it is free after lag(). Who lost
//   it all the same, because it stood still, changes nothing any more and gets an Error.
// Errors: Error{kIo, place()} with the reason. An entry that is not there, or is
//   being removed, is no error.
// Threads: One call at a time.

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/parallel/launch.h"
#include "spanforge/parallel/redis_url.h"

namespace spanforge {

class Board {
 public:
  // Ends the entries that hold() made, and the lock.
  virtual ~Board() = default;
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  virtual std::string place() const = 0;  // for messages
  // How long a killed process's entries and lock may still count as those of a living one.
  virtual std::chrono::milliseconds lag() const = 0;
  virtual std::chrono::milliseconds pause() const = 0;  // between two looks

  virtual bool try_lock() = 0;  // false: another process holds it
  // These two REQUIRE the lock. remove_all() removes all entries, whoever made them. give_up() ends
  // the lock and leaves nothing of the place.
  virtual void remove_all() = 0;
  virtual void give_up() = 0;

  virtual void make_folder(const std::string& folder) = 0;
  // An entry that may stay when this process ends: until remove_all(), or in Redis for lag().
  virtual void put(const std::string& name, std::string_view text) = 0;
  // An entry that counts as long as this process lives. False: its folder is gone. A process has
  // one such entry; a second call ends the first.
  virtual bool hold(const std::string& name, std::string_view text) = 0;
  virtual std::optional<std::string> read(const std::string& name) = 0;
  // The names, sorted and without the folder's, of those entries made by hold() that begin with
  // `prefix` and whose processes live.
  virtual std::vector<std::string> living(const std::string& folder, std::string_view prefix) = 0;

 protected:
  Board() = default;
};

// removes_directory: give_up() removes it, if it is empty. Locks are those of files. On a file
// system without locks every entry counts as that of a living process.
std::unique_ptr<Board> make_directory_board(const std::filesystem::path& directory,
                                            bool removes_directory);

// Entries have an expiry, which a thread of each living process renews. The password is in the
// environment variable REDISCLI_AUTH. name: of the start, other starts have other ones; letters,
// digits, '.', '-' and '_'.
// Errors, here and later: Error{kIo, "redis://HOST:PORT"} with the reason in one line;
// Error{kUsage, where "REDISCLI_AUTH"} if a password is wanted; Error{kUsage, parameter
// "rendezvous"} if the program was built without hiredis.
std::unique_ptr<Board> make_redis_board(const RedisUrl& url, const std::string& name);
std::string redis_client();  // its name and version; "": the program was built without one

// A short text that another start does not have; "" if the launcher gives the start no name.
std::string start_digest(const Launch& launch);

// A directory for a start whose ranks are all on this host, private to this user. Error{kUsage,
// parameter "rendezvous"} if they are not, or if the launcher gives the start no name.
std::filesystem::path default_rendezvous(const Launch& launch);

}  // namespace spanforge
