#include "io/database_address.hpp"

#include <gtest/gtest.h>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr const char* kDigits = "0123456789abcdef";

TEST(DatabaseAddress, IsToldFromAPathByItsScheme) {
  EXPECT_TRUE(is_database("postgresql://host/batches"));
  EXPECT_TRUE(is_database("postgres:///batches?host=/run/postgresql"));
  for (const char* path :
       {"", "l.ledger", "/data/postgresql://x", "postgresql:/x", "mysql://h/x"}) {
    EXPECT_FALSE(is_database(path)) << path;
  }
}

TEST(DatabaseAddress, MayNameABatch) {
  EXPECT_EQ(database_address("postgresql://h/d").batch, "");
  const DatabaseAddress named = database_address("postgresql://h/d?port=5433#0123abcd");
  EXPECT_EQ(named.uri, "postgresql://h/d?port=5433");
  EXPECT_EQ(named.batch, "0123abcd");
}

TEST(DatabaseAddress, IsGoodAsLibpqReadsIt) {
  for (const char* address :
       {"postgresql://", "postgres://user@host:5433/db?sslmode=require&application_name=x",
        "postgresql:///db?service=ledgers", "postgresql://a,b/db?target_session_attrs=read-write",
        "postgresql://%2Frun%2Fpostgresql/db#0123456789abcdef"}) {
    EXPECT_EQ(wrong_with_address(address), std::nullopt) << address;
  }
}

TEST(DatabaseAddress, NeverHoldsAPassword) {
  for (const char* address :
       {"postgresql://user:geheim@host/db", "postgresql://host/db?user=u&password=geheim",
        "postgresql://:geheim@/db", "postgresql://host/db?sslpassword=geheim",
        "postgresql://user:geheim@host:port/db", "postgresql://user:geheim@host/db?no_such=x"}) {
    const auto wrong = wrong_with_address(address);
    ASSERT_TRUE(wrong.has_value()) << address;
    EXPECT_FALSE(has(*wrong, "geheim")) << *wrong;
  }
  EXPECT_TRUE(has(*wrong_with_address("postgresql://u:geheim@h/d"), "PGPASSWORD"));
}

TEST(DatabaseAddress, WrongOnesAreExplained) {
  EXPECT_TRUE(has(*wrong_with_address("postgresql://host/db?no_such=x"), "libpq"));
  for (const std::string batch : {"", "0123abc", "0123abcg", "0123ABCD"}) {
    EXPECT_TRUE(has(wrong_with_address("postgresql://h/d#" + batch).value_or(""), "SHA-256"))
        << batch;
  }
  std::string whole;
  for (int i = 0; i < 4; ++i) whole += kDigits;
  EXPECT_EQ(wrong_with_address("postgresql://h/d#" + whole), std::nullopt);
  EXPECT_NE(wrong_with_address("postgresql://h/d#" + whole + "0"), std::nullopt);
}

TEST(WithoutPassword, HidesItWhereverItStands) {
  EXPECT_EQ(without_password("postgresql://u:geheim@h:5432/d"), "postgresql://u:***@h:5432/d");
  EXPECT_EQ(without_password("postgresql://u:ge@heim@h/d"), "postgresql://u:***@h/d");
  EXPECT_EQ(without_password("postgresql://:geheim@h"), "postgresql://:***@h");
  EXPECT_EQ(without_password("postgres://h/d?password=geheim&user=u"),
            "postgres://h/d?password=***&user=u");
  EXPECT_EQ(without_password("--x=postgres://h/d?a=b&sslpassword=geheim"),
            "--x=postgres://h/d?a=b&sslpassword=***");
  for (const char* same :
       {"", "plain", "a:b@c", "https://host:8443/x@y:z", "postgresql://h:1/d", "--rate=50/s"}) {
    EXPECT_EQ(without_password(same), same);
  }
}

}  // namespace
}  // namespace sagorder::io
