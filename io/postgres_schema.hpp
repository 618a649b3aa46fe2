// The tables of a ledger in PostgreSQL, in numbered versions. Each is one transaction under a lock
// of the database's, so that of programs that start at once one makes the tables and the others
// find them. A version is never changed once it was released: the next one is added behind it.
#pragma once

#include "io/postgres.hpp"

namespace sagorder::io {

inline constexpr int kSchemaVersion = 2;  ///< a newer one is refused

/// Brings the tables to this program's version. Throws LedgerError if they are newer, or if there
/// is a schema `sagorder` that is somebody else's.
void migrate(Postgres& database);

/// Whether the tables are there, of this program's version or an older one. Throws as `migrate`.
bool has_schema(Postgres& database);

/// Makes the batch's own partitions, within the transaction that makes the batch.
void add_partitions(Postgres& database, std::int64_t run);

}  // namespace sagorder::io
