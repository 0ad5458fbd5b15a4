// What numbers and times are called on the page. Times of a gallery carry no zone: they are shown as they are kept.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const PARTS = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?$/;
const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export const LIGHTS = { rgb: "RGB", ir: "infrared" };

/** "2026-03-04T12:00:05" -> "4 Mar 2026, 12:00:05"; other text stays as it is, no time is "". */
export function timeWords(time) {
  const parts = PARTS.exec(time ?? "");
  if (!parts) return time ?? "";
  const zone = !parts[5] ? "" : /Z|\+00:00/.test(parts[5]) ? " UTC" : ` ${parts[5]}`;
  return `${Number(parts[3])} ${MONTHS[Number(parts[2]) - 1]} ${parts[1]}, ${parts[4]}${zone}`;
}

/** Seconds since 1970 of a time of the gallery, or null. */
export function instant(time) {
  const parts = PARTS.exec(time ?? "");
  if (!parts) return null;
  const milliseconds = Date.parse(parts[5] ? time : `${time.replace(" ", "T")}Z`);
  return Number.isFinite(milliseconds) ? milliseconds / 1000 : null;
}

/** 3725 -> "1 h 2 min": the two largest parts. */
export function durationWords(seconds) {
  let rest = Math.round(Math.abs(seconds));
  const words = [];
  for (const [size, unit] of STEPS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count || words.length) words.push(count ? `${count} ${unit}` : "");
    if (words.length === 2) break;
  }
  return words.filter(Boolean).join(" ") || "0 s";
}

/** 0.347 -> "35 %"; the ends are never rounded to certainty. */
export function percent(share) {
  if (share > 0.99 && share < 1) return "> 99 %";
  if (share > 0 && share < 0.01) return "< 1 %";
  return `${Math.round(100 * share)} %`;
}

export const scoreWords = (score) => score.toFixed(3).replace("-", "−");

export const count = (number) => number.toLocaleString("en");

export const plural = (number, word, many = `${word}s`) => `${count(number)} ${number === 1 ? word : many}`;

/** "camera 3 · Gate". */
export const place = (crop) => `camera ${crop.camera}${crop.site ? ` · ${crop.site}` : ""}`;
