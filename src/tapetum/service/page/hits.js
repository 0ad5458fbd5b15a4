// The ranked list: one card per hit, one of them reached by Tab, the others by the arrow keys.

import { showThumbnail } from "./api.js";
import { byId, draw } from "./dom.js";
import { percent, place, plural, scoreWords, timeWords } from "./words.js";

let desk;
let actions; // {compare(hit), ask(hit)}
let watcher; // fetches a thumbnail when its card comes near the screen

/** Wire the list. */
export function watchHits(theCase, theActions) {
  desk = theCase;
  actions = theActions;
  watcher = new IntersectionObserver(fetchVisible, { rootMargin: "400px", scrollMargin: "400px" });
  desk.addEventListener("marks", () => cards().forEach(showMark));
  byId("hits").addEventListener("keydown", onKey);
  byId("hits").addEventListener("focusin", (event) => makeCurrent(event.target.closest("article")));
}

/** Show the hits of the last answer. */
export function showHits() {
  watcher.disconnect();
  byId("hits").replaceChildren(...(desk.answer?.hits ?? []).map(card));
  for (const article of articles()) watcher.observe(article);
  makeCurrent(articles()[0]);
}

/** Put the focus on the current hit. */
export const focusHits = () => byId("hits").querySelector("article[tabindex='0']")?.focus();

/** Put the focus on the hit with this id. */
export const focusHit = (id) => cards().find((item) => item.hit.id === id)?.querySelector("article").focus();

const cards = () => [...byId("hits").children];
const articles = () => [...byId("hits").querySelectorAll("article")];

function card(hit) {
  const item = byId("hit-template").content.cloneNode(true).firstElementChild;
  const part = (selector) => item.querySelector(selector);
  item.hit = hit;
  part("img").alt = `hit ${hit.rank}`;
  part(".rank").textContent = hit.rank;
  const known = hit.probability !== null && hit.probability !== undefined;
  part(".measure b").textContent = known ? percent(hit.probability) : scoreWords(hit.score);
  part(".measure span").textContent = known ? `score ${scoreWords(hit.score)}` : "score";
  part("meter").value = known ? hit.probability : Math.max(0, hit.score);
  part("meter").classList.toggle("plain", !known);
  part(".place").textContent = place(hit);
  part(".time").textContent = timeWords(hit.time) || "no time";
  part(".folded").textContent = hit.folded?.length ? `+ ${plural(hit.folded.length, "frame")} of one walk` : "";
  part("article").setAttribute("aria-label", cardWords(hit, known));
  part("button.right").addEventListener("click", () => desk.mark(hit, "right"));
  part("button.wrong").addEventListener("click", () => desk.mark(hit, "wrong"));
  part("button.beside").addEventListener("click", () => actions.compare(hit));
  part("button.ask").addEventListener("click", () => actions.ask(hit));
  part(".picture").addEventListener("dblclick", () => actions.compare(hit));
  part(".picture").addEventListener("click", () => part("article").focus());
  showMark(item);
  return item;
}

function cardWords(hit, known) {
  const probability = known ? `probability ${percent(hit.probability)}` : "";
  const words = [`hit ${hit.rank}`, probability, `score ${scoreWords(hit.score)}`, place(hit), timeWords(hit.time)];
  return words.filter(Boolean).join(", ");
}

function showMark(item) {
  const mark = desk.markOf(item.hit.id);
  item.dataset.mark = mark;
  for (const name of ["right", "wrong"]) {
    item.querySelector(`button.${name}`).setAttribute("aria-pressed", mark === name);
  }
  item.querySelector(".verdict").replaceChildren(...(mark ? [draw("use", { href: `#icon-${mark}` })] : []));
}

function fetchVisible(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    showThumbnail(target.querySelector("img"), target.parentElement.hit.thumbnail);
  }
}

function makeCurrent(article) {
  if (!article) return;
  for (const other of articles()) {
    const index = other === article ? 0 : -1;
    other.tabIndex = index;
    for (const button of other.querySelectorAll("button")) button.tabIndex = index;
  }
}

function onKey(event) {
  const article = event.target.closest("article");
  if (!article || event.ctrlKey || event.metaKey || event.altKey) return;
  const move = moveTo(event.key, articles(), article);
  if (move) {
    event.preventDefault();
    move.focus();
  } else if (event.key === "Enter" && event.target === article) {
    event.preventDefault();
    actions.compare(article.parentElement.hit);
  }
}

function moveTo(key, all, from) {
  const here = all.indexOf(from);
  const columns = Math.max(1, all.findIndex((article) => article.offsetTop > all[0].offsetTop));
  const wanted = {
    ArrowLeft: here - 1, ArrowRight: here + 1, ArrowUp: here - columns, ArrowDown: here + columns,
    Home: 0, End: all.length - 1,
  }[key];
  return wanted === undefined ? null : all[Math.min(Math.max(wanted, 0), all.length - 1)];
}

/** The hit that has the focus, or null. */
export function focusedHit() {
  return document.activeElement?.closest("#hits li")?.hit ?? null;
}
