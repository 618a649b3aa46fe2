// The ledger in memory keeps the contract of every ledger, so that what it saves is SQLite's and
// the disk's and nothing that a run could do without.
#include <memory>

#include "io/ledger_sqlite.hpp"
#include "tests/io/ledger_contract.hpp"

namespace sagorder::io {
namespace {

INSTANTIATE_TEST_SUITE_P(InMemory, LedgerContract,
                         testing::Values(LedgerMaker{"in_memory",
                                                     [](const std::string& path) {
                                                       return std::make_unique<SqliteLedger>(path);
                                                     }}),
                         [](const auto& chosen) { return chosen.param.name; });

}  // namespace
}  // namespace sagorder::io
