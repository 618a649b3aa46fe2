#include "io/report_page.hpp"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/expect.hpp"
#include "io/log.hpp"
#include "io/report_assets.hpp"
#include "io/version.hpp"

namespace sagorder::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownMax = 800;  // bytes of a text, with what is escaped in it
constexpr std::size_t kBarsMax = 40;

/// A text out of the ledger, the results or the file system: no control characters, nothing that
/// reorders what stands beside it.
std::string shown(std::string_view text) {
  std::string clean = printable(text);
  if (clean.size() <= kShownMax) return clean;
  std::size_t end = kShownMax;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xC0U) == 0x80U) --end;
  clean.resize(end);
  return clean + "...";
}

std::int64_t ms_of(WallTime at) { return at.time_since_epoch().count(); }

// --- the data

Json totals_of(const Report& report, const ReportFrame& frame) {
  const Rows& rows = report.rows();
  const Report::Region all = report.all_regions();
  return {{"rows", rows.count()},
          {"placed", rows.count_of(State::placed)},
          {"rejected", rows.count_of(State::rejected)},
          {"in_doubt", frame.in_doubt},
          {"under_way", report.under_way()},
          {"invalid", frame.invalid},
          {"not_sent", frame.not_sent},
          {"resolved", report.resolved()},
          {"lines", report.lines()},
          {"seats_placed", all.seats_placed},
          {"seat_months_placed", all.seat_months_placed}};
}

Json buckets_of(const Timeline& timeline) {
  Json columns = Json::array();
  for (std::size_t what = 0; what < kHappenings; ++what) {
    Json column = Json::array();
    for (const Timeline::Bucket& bucket : timeline.buckets()) column.push_back(bucket.at(what));
    columns.push_back(std::move(column));
  }
  return columns;
}

Json runs_of(const Report& report) {
  Json runs = Json::array();
  for (const Report::Run& run : report.runs()) {
    Json each = {{"begin", ms_of(run.timeline.begin())},
                 {"last", ms_of(run.last)},
                 {"counts", run.counts},
                 {"width", run.timeline.width().count()},
                 {"buckets", buckets_of(run.timeline)},
                 {"outside", run.timeline.outside()},
                 {"limit", nullptr},
                 {"per_second", nullptr}};
    if (run.start) {
      each["limit"] = to_string(run.start->limit);
      if (!run.start->limit.unlimited()) each["per_second"] = run.start->limit.per_second();
    }
    runs.push_back(std::move(each));
  }
  return runs;
}

Json latency_of(const Latencies& latencies) {
  Json quantiles = Json::array();
  constexpr std::array<std::pair<const char*, double>, 5> kQuantiles = {
      {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}}};
  for (const auto& [name, share] : kQuantiles) {
    quantiles.push_back({name, latencies.quantile(share).count()});
  }
  Json bars = Json::array();
  for (const Latencies::Bar& bar : latencies.bars(kBarsMax)) {
    bars.push_back({bar.from.count(), bar.to.count(), bar.count, bar.open});
  }
  return {{"count", latencies.count()},
          {"min", latencies.min().count()},
          {"max", latencies.max().count()},
          {"quantiles", std::move(quantiles)},
          {"bars", std::move(bars)}};
}

Json codes_of(const Report& report) {
  Json rows = Json::array();
  for (const Report::Code& code : report.codes()) {
    rows.push_back({{"code", shown(code.code)},
                    {"kind", std::string(name_of(code.kind))},
                    {"answers", code.answers},
                    {"row", code.row.value},
                    {"http", code.http_status},
                    {"message", shown(code.message)}});
  }
  return {{"rows", std::move(rows)}, {"left_out", report.codes_left_out()}};
}

Json listed_of(const Report::List& list, std::string_view state, std::uint64_t all) {
  Json rows = Json::array();
  for (const auto& [row, listed] : list) {
    Json each = {{"row", row},
                 {"state", std::string(state)},
                 {"attempt", listed.attempt.value},
                 {"begun", nullptr},
                 {"http", listed.http_status},
                 {"request_id", shown(listed.request_id)},
                 {"code", shown(listed.code)},
                 {"message", shown(listed.message)},
                 {"evidence", shown(listed.evidence)},
                 {"region", shown(listed.region_id)},
                 {"seats", shown(listed.user_count)},
                 {"period", shown(listed.period)}};
    if (listed.begun) each["begun"] = ms_of(*listed.begun);
    rows.push_back(std::move(each));
  }
  const std::uint64_t left_out = all > list.size() ? all - list.size() : 0;
  return {{"rows", std::move(rows)}, {"left_out", left_out}};
}

Json region_of(std::string_view name, const Report::Region& region) {
  return {{"region", shown(name)},
          {"placed", region.lines.at(static_cast<std::size_t>(ResultStatus::placed))},
          {"rejected", region.lines.at(static_cast<std::size_t>(ResultStatus::rejected))},
          {"in_doubt", region.lines.at(static_cast<std::size_t>(ResultStatus::in_doubt))},
          {"invalid", region.lines.at(static_cast<std::size_t>(ResultStatus::invalid))},
          {"seats", region.seats_placed},
          {"seat_months", region.seat_months_placed}};
}

Json regions_of(const Report& report) {
  Json rows = Json::array();
  for (const auto& [name, region] : report.regions()) rows.push_back(region_of(name, region));
  const auto& others = report.other_regions().lines;
  std::uint64_t left_out = 0;
  for (const std::uint64_t lines : others) left_out += lines;
  if (left_out > 0) rows.push_back(region_of("(all others)", report.other_regions()));
  return {{"rows", std::move(rows)}, {"left_out", 0}};
}

Json notes_of(const ReportFrame& frame) {
  Json notes = Json::array();
  for (const std::string& note : frame.notes) notes.push_back(shown(note));
  return notes;
}

Json data_of(const Report& report, const ReportFrame& frame) {
  const std::uint64_t rejected = report.rows().count_of(State::rejected);
  return {{"version", std::string(program_version())},
          {"made", ms_of(frame.made)},
          {"running", frame.running},
          {"results", shown(frame.results)},
          {"ledger", shown(frame.ledger)},
          {"input", shown(frame.input)},
          {"endpoint", shown(frame.endpoint)},
          {"begun", shown(frame.begun)},
          {"go_on", printable(frame.go_on_command)},
          {"status", printable(frame.status_command)},
          {"reconcile", printable(frame.reconcile_command)},
          {"resolve", printable(frame.resolve_command)},
          {"notes", notes_of(frame)},
          {"totals", totals_of(report, frame)},
          {"runs", runs_of(report)},
          {"latency", latency_of(report.latencies())},
          {"codes", codes_of(report)},
          {"doubts", listed_of(report.doubts(), "in_doubt", frame.in_doubt)},
          {"rejected", listed_of(report.rejected(), "rejected", rejected)},
          {"invalid", listed_of(report.invalid(), "invalid", report.invalid_lines())},
          {"regions", regions_of(report)}};
}

/// JSON that cannot end the block that it stands in: ASCII without <, > and &. Those stand nowhere
/// in JSON but within its strings.
std::string as_block(const Json& data) {
  std::string block;
  for (const char each : data.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    switch (each) {
      case '<':
        block += "\\u003c";
        break;
      case '>':
        block += "\\u003e";
        break;
      case '&':
        block += "\\u0026";
        break;
      default:
        block += each;
    }
  }
  return block;
}

// --- the page

/// `'sha256-...'`, by which a content policy names a script or a style.
std::string source_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const int made =
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  expect(made == 1, "no SHA-256");
  std::array<unsigned char, 4 * (EVP_MAX_MD_SIZE / 3 + 1) + 1> base64{};
  const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
  return "'sha256-" +
         std::string(base64.begin(), base64.begin() + static_cast<std::ptrdiff_t>(length)) + "'";
}

std::string as_html(std::string_view text) {
  std::string html;
  for (const char each : text) {
    if (each == '<') {
      html += "&lt;";
    } else if (each == '&') {
      html += "&amp;";
    } else {
      html += each;
    }
  }
  return html;
}

/// Puts the parts where the page names them.
class Template {
 public:
  Template(std::string_view name, std::string text) : name_(name), text_(std::move(text)) {}

  static std::string fill(std::string_view page, const std::vector<Template>& parts) {
    std::string filled;
    while (true) {
      const std::size_t begin = page.find("{{");
      filled += page.substr(0, begin);
      if (begin == std::string_view::npos) return filled;
      const std::size_t end = page.find("}}", begin);
      expect(end != std::string_view::npos, "the page names a part without an end");
      filled += text_of(parts, page.substr(begin + 2, end - begin - 2));
      page.remove_prefix(end + 2);
    }
  }

 private:
  static const std::string& text_of(const std::vector<Template>& parts, std::string_view name) {
    for (const Template& part : parts) {
      if (part.name_ == name) return part.text_;
    }
    throw BrokenPromise("the page names a part that is not there: " + std::string(name));
  }

  std::string_view name_;
  std::string text_;
};

}  // namespace

std::string to_page(const Report& report, const ReportFrame& frame) {
  const ReportAssets& assets = report_assets();
  const std::string style = std::string(assets.chart_style) + "\n" + std::string(assets.style);
  const std::string policy = "default-src 'none'; script-src " + source_of(assets.chart_script) +
                             " " + source_of(assets.script) + "; style-src " + source_of(style) +
                             "; base-uri 'none'; form-action 'none'";
  return std::string(kReportMark) +
         Template::fill(assets.page, {{"policy", policy},
                                      {"style", style},
                                      {"data", as_block(data_of(report, frame))},
                                      {"chart-script", std::string(assets.chart_script)},
                                      {"script", std::string(assets.script)},
                                      {"chart-licence", as_html(assets.chart_licence)}});
}

}  // namespace sagorder::io
