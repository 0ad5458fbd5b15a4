// The operators' page: what happens when; each part of the screen has a file of its own.

import { askGallery, askSearch, forgetPictures, hasKey } from "./api.js";
import { Case } from "./case.js";
import { compare, watchCompare } from "./compare.js";
import { byId, make, showOnly } from "./dom.js";
import { openExport, openKey, watchDialogs } from "./export.js";
import { isNarrowed, layOutFilters, watchFilters, widen, writeFilters } from "./filters.js";
import { focusHit, focusHits, showHits, watchHits } from "./hits.js";
import { watchKeys } from "./keys.js";
import { setLimits, watchQuery, writeQuery } from "./query.js";
import { resetFloor, showTimeline, watchTimeline } from "./timeline.js";
import { count, percent, plural } from "./words.js";

const PASSING = [0, 429, 500, 502, 503, 504]; // what the same request may not meet again

const desk = new Case();
let gallery = null;
let searching = null; // AbortController of the search under way

async function begin() {
  watchQuery(desk, fail);
  watchFilters();
  watchHits(desk, { compare, ask: askWith });
  watchCompare(desk, (hit) => byId("timeline").hidden && focusHit(hit.id));
  watchTimeline(desk, compare);
  watchDialogs(desk, fail, loadGallery);
  watchKeys();
  const clicks = {
    "open-key": openKey, "open-help": () => byId("help").showModal(), again: search, export: openExport,
    follow: followEverywhere, widen: searchEverywhere,
    "view-list": () => view("list"), "view-timeline": () => view("timeline"),
  };
  for (const [id, action] of Object.entries(clicks)) byId(id).addEventListener("click", action);
  byId("query").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  byId("query").addEventListener("change", () => { byId("stale").hidden = false; });
  desk.addEventListener("query", () => { byId("stale").hidden = false; });
  desk.addEventListener("marks", showMarks);
  desk.addEventListener("answer", showAnswer);
  await loadGallery();
}

async function loadGallery() {
  clearError();
  byId("open-key").textContent = hasKey() ? "Key: set" : "Key";
  try {
    gallery = await askGallery();
  } catch (error) {
    byId("gallery-facts").textContent = "";
    return fail(error, loadGallery);
  }
  byId("gallery-facts").textContent = `${plural(gallery.crops, "crop")} · ${plural(gallery.cameras.length, "camera")}`
    + `${gallery.sites.length ? ` · ${plural(gallery.sites.length, "site")}` : ""} · model ${gallery.model}`;
  setLimits(gallery.limits);
  layOutFilters(gallery);
  if (gallery.crops === 0) fail(new Error("This gallery holds no crop yet. Fill it with `tapetum index`."));
  return undefined;
}

async function search() {
  if (desk.empty || searching) return;
  clearError();
  searching = new AbortController();
  try {
    const form = new FormData();
    writeQuery(form);
    writeFilters(form);
    for (const mark of ["right", "wrong"]) desk.marked(mark).forEach((id) => form.append(mark, id));
    showLoading();
    desk.setAnswer(await askSearch(form, searching.signal));
    byId("stale").hidden = true;
    focusHits();
    if (matchMedia("(max-width: 60rem)").matches) byId("results").scrollIntoView();
  } catch (error) {
    if (error.name === "AbortError") return;
    showAnswer();
    fail(error, search);
  } finally {
    searching = null;
    byId("results").setAttribute("aria-busy", "false");
  }
}

function showLoading() {
  byId("results").setAttribute("aria-busy", "true");
  byId("loading-words").textContent = gallery ? `Comparing with ${plural(gallery.crops, "crop")} …` : "Searching …";
  byId("loading-cards").replaceChildren(...Array.from({ length: 6 }, () => make("div", { class: "hit ghost" })));
  state("loading");
}

const state = (id) => showOnly(byId(id), ["empty", "nothing", "loading", "answer"].map(byId));

function showAnswer() {
  const { answer } = desk;
  if (!answer) {
    searching?.abort();
    forgetPictures();
    byId("hits").replaceChildren();
    return state("empty");
  }
  if (answer.hits.length === 0) {
    const why = isNarrowed() ? "passes these cameras and times" : "is in the light that is searched";
    byId("nothing-words").textContent = `No crop of the gallery ${why}.`;
    byId("widen").hidden = !isNarrowed();
    return state("nothing");
  }
  state("answer");
  byId("answer-title").textContent = `${plural(answer.hits.length, "hit")}, best first`;
  byId("answer-how").textContent = howWords(answer);
  byId("answer-how").classList.toggle("warn", answer.how !== "exact");
  showMeaning(answer);
  showMarks();
  showHits();
  resetFloor();
  return showTimeline();
}

function howWords({ how, took }) {
  const all = "Exact: every crop that passes the filter was compared.";
  const kind = how === "exact" ? all : "Approximate: some crops may have been missed.";
  return `${kind} ${count(Math.round(took.embed_ms))} ms to embed, ${count(Math.round(took.search_ms))} ms to search.`;
}

function showMeaning({ first_is_wrong: wrong, meaning }) {
  const lead = make("b", {}, "A hit is a lead, not an identification.");
  const words = wrong === null || wrong === undefined
    ? ` Not calibrated for this search: the score only orders the list. ${meaning ?? ""}`
    : ` The first one here is wrong in ${percent(wrong)} of searches with such a score; more often if the person is not`
      + " in the gallery. Each percentage below says how often a first hit with that score is right.";
  byId("meaning").replaceChildren(lead, words);
}

function showMarks() {
  const right = desk.marked("right").length, wrong = desk.marked("wrong").length;
  byId("marks-words").textContent = right + wrong ? `Marked: ${right} right, ${wrong} wrong` : "Nothing is marked";
  byId("again").disabled = right + wrong === 0;
}

function askWith(hit) {
  desk.addCrop(hit);
  byId("search").focus();
}

function searchEverywhere() {
  widen();
  return search();
}

function followEverywhere() {
  document.querySelector("[name=among][value=all]").checked = true;
  byId("k").value = Math.min(200, gallery.limits.k);
  return searchEverywhere();
}

function view(name) {
  byId("hits").hidden = name !== "list";
  byId("timeline").hidden = name === "list";
  byId("view-list").setAttribute("aria-pressed", name === "list");
  byId("view-timeline").setAttribute("aria-pressed", name !== "list");
  showTimeline();
}

function clearError() {
  byId("alert").replaceChildren();
}

// The one place for errors. error: an Error or words; again: what "Try again" does.
function fail(error, again) {
  const words = typeof error === "string" ? error : error.message;
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  const buttons = [button("Close", clearError, "quiet")];
  if (error.status === 401 || error.status === 403) buttons.unshift(button("Enter a key", openKey));
  else if (again && PASSING.includes(error.status)) buttons.unshift(againButton(again, error.wait));
  byId("alert").replaceChildren(make("div", {}, make("p", {}, sentence), make("div", { class: "row" }, ...buttons)));
  byId("alert").scrollIntoView({ block: "nearest" });
}

function againButton(again, wait) {
  const made = button("Try again", again);
  made.disabled = wait > 0;
  if (wait > 0) setTimeout(() => { made.disabled = false; }, Math.min(wait, 60) * 1000);
  return made;
}

function button(words, action, kind = "") {
  const made = make("button", { type: "button", class: kind }, words);
  made.addEventListener("click", action);
  return made;
}

begin();
