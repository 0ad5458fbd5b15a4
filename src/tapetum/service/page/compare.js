// Two crops side by side: a crop that asks on the left, or a hit that was kept there; a hit on the right.

import { showThumbnail } from "./api.js";
import { byId, describe, make } from "./dom.js";
import { durationWords, instant, LIGHTS, percent, place, scoreWords, timeWords } from "./words.js";

let desk;
let left; // the choices of each side: {name, picture} or {name, hit}
let right;
let onClose = () => {};

/** Wire the dialog. closed is called with the hit on the right when it closes. */
export function watchCompare(theCase, closed) {
  desk = theCase;
  onClose = closed;
  byId("compare-left").addEventListener("change", show);
  byId("compare-right").addEventListener("change", show);
  byId("compare-back").addEventListener("click", () => step(-1));
  byId("compare-next").addEventListener("click", () => step(1));
  byId("compare-mark-right").addEventListener("click", () => desk.mark(chosen("right").hit, "right"));
  byId("compare-mark-wrong").addEventListener("click", () => desk.mark(chosen("right").hit, "wrong"));
  byId("compare-keep").addEventListener("click", keep);
  byId("compare-light").addEventListener("input", brighten);
  byId("compare").addEventListener("close", () => onClose(chosen("right").hit));
  desk.addEventListener("marks", () => byId("compare").open && showMark());
}

/** Open the dialog with this hit on the right. */
export function compare(hit) {
  const hits = (desk.answer?.hits ?? []).map((other) => ({ name: `hit ${other.rank}`, hit: other }));
  const asked = [
    ...desk.pictures.map((picture, index) => ({ name: `query ${index + 1}`, picture })),
    ...desk.crops.map((crop) => ({ name: `query: crop ${crop.id}`, hit: crop })),
  ];
  [left, right] = [[...asked, ...hits], hits];
  fill("compare-left", left);
  fill("compare-right", right);
  byId("compare-right").selectedIndex = hits.findIndex((choice) => choice.hit.id === hit.id);
  if (!byId("compare").open) byId("compare").showModal();
  byId("compare-next").focus();
  show();
}

/** A single key while the dialog is open; true when it meant something. */
export function compareKey(key) {
  const meaning = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    r: () => desk.mark(chosen("right").hit, "right"),
    w: () => desk.mark(chosen("right").hit, "wrong"),
    p: keep,
  }[key];
  meaning?.();
  return meaning !== undefined;
}

const chosen = (side) => (side === "left" ? left : right)[byId(`compare-${side}`).selectedIndex];

function fill(id, choices) {
  byId(id).replaceChildren(...choices.map((choice) => make("option", {}, choice.name)));
}

function step(by) {
  const select = byId("compare-right");
  select.selectedIndex = Math.min(Math.max(select.selectedIndex + by, 0), right.length - 1);
  show();
}

function keep() {
  byId("compare-left").selectedIndex = left.findIndex((choice) => choice.hit === chosen("right").hit);
  step(1);
}

function show() {
  for (const side of ["left", "right"]) {
    const { name, hit, picture } = chosen(side);
    const image = byId(`compare-${side}-picture`);
    image.alt = hit ? `${name}, ${place(hit)}` : name;
    if (hit) showThumbnail(image, hit.thumbnail);
    else Object.assign(image, { src: picture.url }).dataset.path = "";
    describe(byId(`compare-${side}-facts`), hit ? facts(hit) : [["file", picture.file.name]]);
  }
  byId("compare-back").disabled = byId("compare-right").selectedIndex === 0;
  byId("compare-next").disabled = byId("compare-right").selectedIndex === right.length - 1;
  byId("compare-between").textContent = between(chosen("left").hit, chosen("right").hit);
  showMark();
}

function facts(hit) {
  const known = hit.probability !== null && hit.probability !== undefined;
  return [
    ["score", `${scoreWords(hit.score)}${known ? ` (${percent(hit.probability)} when first)` : ", not calibrated"}`],
    ["place", place(hit)],
    ["time", timeWords(hit.time)],
    ["light", LIGHTS[hit.modality]],
    ["source", hit.path],
  ];
}

function between(one, other) {
  const times = [one, other].map((hit) => instant(hit?.time));
  if (!one || times.includes(null)) return "";
  const same = one.camera === other.camera && one.site === other.site;
  return `${durationWords(times[0] - times[1])} between them, ${same ? "the same camera" : "two cameras"}.`;
}

function showMark() {
  for (const side of ["left", "right"]) {
    const { hit, name } = chosen(side);
    byId(`compare-${side}-picture`).dataset.mark = name.startsWith("query") ? "query" : desk.markOf(hit.id);
  }
  const mark = desk.markOf(chosen("right").hit.id);
  for (const name of ["right", "wrong"]) byId(`compare-mark-${name}`).setAttribute("aria-pressed", mark === name);
}

function brighten() {
  const filter = `brightness(${byId("compare-light").value})`;
  for (const side of ["left", "right"]) byId(`compare-${side}-picture`).style.filter = filter;
}
