// Reads a CSV, signs, and understands an answer: what needs OpenSSL and what needs simdjson.
#include <iostream>

#include "engine/csv.hpp"
#include "engine/response.hpp"
#include "engine/signing.hpp"

int main() {
  sagorder::csv::Reader reader;
  sagorder::csv::Record record;
  reader.next("RegionId,\"User\"\"Count\"\n", true, record);
  std::cout << record.fields.at(0).text << ' ' << record.fields.at(1).text << '\n';

  // With the `&` that the API puts behind a secret.
  const auto signer =
      sagorder::make_signer(sagorder::Scheme::hmac_sha1, sagorder::Secret("testsecret"));
  sagorder::SignatureStages stages;
  stages.string_to_sign = "what is signed";
  signer->seal(stages);
  std::cout << stages.signature << '\n';

  sagorder::AnswerReader answers;
  sagorder::Answer answer;
  answers.read({.status = 200,
                .body = R"({"OrderId":"2021","RequestId":"D7B7A0D1"})",
                .content_type = "application/json"},
               answer);
  std::cout << answer.order_id << '\n';
}
