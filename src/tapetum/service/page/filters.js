// Which crops may answer, and how the list is made: cameras and sites, time, number of hits, folding.

import { byId, make } from "./dom.js";
import { count, plural, timeWords } from "./words.js";

const MANY = 10;
let cameras = []; // {name, site, crops, box}

/** Lay out the filters for what /api/gallery said. */
export function layOutFilters(gallery) {
  layOutCameras(gallery.cameras);
  byId("k").max = gallery.limits.k;
  const { first, last } = gallery.time ?? {};
  for (const id of ["since", "until", "fold"]) byId(id).disabled = !first;
  byId("when-note").textContent = first
    ? `The gallery's crops are from ${timeWords(first)} to ${timeWords(last)}.`
    : "No crop of this gallery has a time.";
  tellChoices();
}

function layOutCameras(given) {
  const sites = [...new Set(given.map((camera) => camera.site ?? ""))].sort();
  cameras = given.map((camera) => ({ ...camera, box: make("input", { type: "checkbox" }) }));
  const at = (site) => cameras.filter((camera) => (camera.site ?? "") === site);
  byId("cameras").replaceChildren(...sites.map((site) => siteBlock(site, at(site))));
  const find = byId("find-camera");
  find.hidden = cameras.length <= MANY;
  find.value = "";
}

function siteBlock(site, members) {
  const list = make("ul", {}, ...members.map(({ name, crops, box }) => {
    const number = make("span", { class: "faint" }, count(crops));
    return make("li", {}, make("label", { class: "tick" }, box, ` camera ${name} `, number));
  }));
  if (!site) return list;
  const whole = make("input", { type: "checkbox" });
  whole.addEventListener("change", () => members.forEach(({ box }) => { box.checked = whole.checked; }));
  const block = make("section", { "data-site": site }, make("label", { class: "tick site" }, whole, ` ${site}`), list);
  block.addEventListener("change", () => {
    const ticked = members.filter(({ box }) => box.checked).length;
    whole.checked = ticked === members.length;
    whole.indeterminate = ticked > 0 && !whole.checked;
  });
  return block;
}

/** Keep the words beside each part's title in step with what is chosen. */
export function watchFilters() {
  for (const id of ["where", "when", "how"]) {
    byId(id).addEventListener("input", tellChoices);
    byId(id).addEventListener("change", tellChoices);
  }
  byId("find-camera").addEventListener("input", showFound);
}

function showFound() {
  const wanted = byId("find-camera").value.trim().toLowerCase();
  for (const { name, site, box } of cameras) {
    box.closest("li").hidden = !`camera ${name} ${site ?? ""}`.toLowerCase().includes(wanted);
  }
  for (const block of byId("cameras").querySelectorAll("section")) {
    block.hidden = !block.querySelector("li:not([hidden])");
  }
}

function tellChoices() {
  const ticked = cameras.filter(({ box }) => box.checked);
  const few = ticked.length > 3 ? `${ticked.length} of ${cameras.length}` : ticked.map(({ name }) => name).join(", ");
  byId("where-words").textContent = ticked.length ? few : `all ${count(cameras.length)}`;
  const [since, until] = [byId("since").value, byId("until").value].map(timeWords);
  const range = [since && `from ${since}`, until && `to ${until}`].filter(Boolean);
  byId("when-words").textContent = range.join(" ") || "any";
  const fold = byId("fold").disabled ? 0 : Number(byId("fold").value);
  byId("how-words").textContent = `${byId("k").value || "?"} hits${fold > 0 ? `, folded in ${fold} s` : ""}`;
}

/** Whether anything but the light narrows the search. */
export function isNarrowed() {
  return cameras.some(({ box }) => box.checked) || Boolean(byId("since").value || byId("until").value);
}

/** All cameras and times again. */
export function widen() {
  for (const { box } of cameras) {
    box.checked = false;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  byId("since").value = byId("until").value = "";
  tellChoices();
}

/** Write the choices into the form of a search. Throws an Error with words for the operator where they do not fit. */
export function writeFilters(form) {
  for (const [name, values] of Object.entries(chosenPlaces())) values.forEach((value) => form.append(name, value));
  const since = byId("since").value, until = byId("until").value;
  if (since && until && since >= until) {
    throw new Error("The time range ends before it begins. Give an end after its beginning.");
  }
  if (since) form.append("since", since);
  if (until) form.append("until", until);
  const k = byId("k"), fold = byId("fold");
  if (!k.value || !k.checkValidity()) {
    throw new Error(`The list cannot hold '${k.value}' hits. Give a whole number from 1 to ${k.max}.`);
  }
  form.append("k", k.value);
  if (!fold.checkValidity()) throw new Error("Frames are folded within a number of seconds. Give 0 to fold none.");
  if (Number(fold.value) > 0 && !fold.disabled) form.append("fold_seconds", fold.value);
  if (byId("approximate").checked) form.append("approximate", "true");
}

// The service takes names of cameras and of sites, and a crop must fit both; two sites may use the same camera name.
function chosenPlaces() {
  const ticked = cameras.filter(({ box }) => box.checked);
  if (!ticked.length || ticked.length === cameras.length) return {};
  const names = [...new Set(ticked.map(({ name }) => name))];
  const sites = ticked.every(({ site }) => site) ? [...new Set(ticked.map(({ site }) => site))] : null;
  const fits = (admits) => cameras.every((camera) => admits(camera) === camera.box.checked);
  if (fits(({ name }) => names.includes(name))) return { cameras: names };
  if (sites && fits(({ name, site }) => names.includes(name) && sites.includes(site))) return { cameras: names, sites };
  throw new Error(`Sites share names of cameras, and these ${plural(ticked.length, "camera")} cannot be asked at once.`
    + " Choose whole sites, or the same cameras at each.");
}
