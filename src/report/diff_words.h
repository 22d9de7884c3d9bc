// SPDX-License-Identifier: Apache-2.0
// What the text and the HTML of a comparison say in the same words. All of it is printable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "analysis/compare.h"

namespace cowtrace::report {

// "+4.0 KiB", "-20.7 MiB", "0 B"; "+1,234", "-5", "0".
std::string signed_bytes(std::int64_t difference);
std::string signed_count(std::int64_t difference);

// "22.4..22.6 MiB", "980.0 KiB..1.1 MiB", "5,740..5,760"; of figures that are all the same, that
// one.
std::string bytes_range(const analysis::Spread& spread);
std::string count_range(const analysis::Spread& spread);

// How far the runs of the side with the wider range are apart.
std::uint64_t width_of(const analysis::Change& change);

// "saved 20.7 MiB of 22.5 MiB copied (92%): 454 breaks instead of 5,749": what the change saved or
// cost.
std::string diff_headline(const analysis::Comparison& comparison);
// "Most of it: cause gc-header -20.1 MiB, object __main__.ROUTES[...] -18.0 MiB"; empty where
// nothing stands out.
std::string diff_reason(const analysis::Comparison& comparison);
// How noise was told, or why it was not.
std::string noise_words(const analysis::Comparison& comparison);

// "dict"; "(symbol)" where only the kind is known.
std::string type_words(const std::string& type, const std::string& kind);
// "python3 (first)", "python3 (child)", "sh (grandchild)", "sh (generation 3)".
std::string role_words(const analysis::RowName& name);
// The name of any row but a site's; of a mechanism that is a break, with its star.
std::string row_words(analysis::Section section, const analysis::RowName& name);

// "given by 3 of 3 runs before and by none after: gone"
std::string advice_words(const analysis::Comparison& comparison,
                         const analysis::AdviceChange& change);

// What a section is called, and what it counts in breaks and items.
struct SectionWords {
  std::string_view title;
  std::string_view column;
  std::string_view items;  // empty: not counted
};
SectionWords section_words(analysis::Section section);

}  // namespace cowtrace::report
