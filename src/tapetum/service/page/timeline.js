// A person over time and cameras: each camera a lane, each hit where it was seen; the same as a table below.

import { thumbnail } from "./api.js";
import { byId, draw, make } from "./dom.js";
import { durationWords, instant, percent, place, plural, scoreWords, timeWords } from "./words.js";

const LANE = 78, TOP = 12, AXIS = 44, PICTURE = [26, 54], DOT = 8, RIGHT = 18, NARROW = 560, LABELS = 150;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000];

let desk;
let onPick;

/** Wire the timeline. pick is called with the hit whose place was clicked. */
export function watchTimeline(theCase, pick) {
  desk = theCase;
  onPick = pick;
  byId("floor").addEventListener("input", showTimeline);
  desk.addEventListener("marks", showTimeline);
  new ResizeObserver(showTimeline).observe(byId("chart"));
}

/** Set the slider for a new answer: the better half of its range, and the first hit in any case. */
export function resetFloor() {
  const values = (desk.answer?.hits ?? []).map(measure);
  if (!values.length) return;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  Object.assign(byId("floor"), { min: low, max: high });
  byId("floor").value = (low + high) / 2;
}

const measure = (hit) => hit.probability ?? hit.score;
const isRight = (hit) => desk.markOf(hit.id) === "right";
const byTime = (a, b) => instant(a.time) - instant(b.time) || a.rank - b.rank;
const byMark = (a, b) => isRight(b) - isRight(a) || a.rank - b.rank;
const bySite = (a, b) => (a.site ?? "").localeCompare(b.site ?? "") || byNumber(a.camera, b.camera);
const byNumber = (a, b) => a.localeCompare(b, "en", { numeric: true });

/** Draw the hits that are marked right, or reach the slider and are not marked wrong. */
export function showTimeline() {
  if (byId("timeline").hidden || !desk.answer) return;
  const { hits } = desk.answer;
  const calibrated = hits[0]?.probability != null;
  const words = calibrated ? percent : scoreWords;
  const floor = Number(byId("floor").value);
  byId("floor-words").textContent = `Marked right, and ${calibrated ? "probability" : "score"} from ${words(floor)}`;
  byId("chart-measure").textContent = calibrated ? "probability" : "score";
  const chosen = hits.filter((hit) => isRight(hit) || (desk.markOf(hit.id) !== "wrong" && measure(hit) >= floor));
  const timed = chosen.filter((hit) => instant(hit.time) !== null).sort(byTime);
  byId("chart").replaceChildren(...(timed.length ? [chart(timed)] : []));
  byId("chart-note").textContent = noteWords(timed, chosen.length - timed.length);
  byId("chart-rows").replaceChildren(...timed.map((hit, index) => tableRow(hit, timed[index - 1], words)));
}

function noteWords(timed, without) {
  const missing = without ? ` ${plural(without, "hit has", "hits have")} no time and cannot be shown.` : "";
  if (!timed.length) return `Nothing to show: no hit that is wanted here has a time.${missing}`;
  return "The line joins what you marked right, in order of time. Pale: not marked; dots: no room for the picture."
    + ` An empty stretch only means that nothing was found.${missing}`;
}

function tableRow(hit, before, words) {
  const open = make("button", { type: "button", class: "link" }, timeWords(hit.time));
  open.addEventListener("click", () => onPick(hit));
  const after = before ? durationWords(instant(hit.time) - instant(before.time)) : "";
  const cells = [after, place(hit), String(hit.rank), words(measure(hit)), desk.markOf(hit.id)];
  return make("tr", {}, make("td", {}, open), ...cells.map((text) => make("td", {}, text)));
}

function chart(hits) {
  const lanes = [...new Set([...hits].sort(bySite).map(place))];
  const width = Math.max(byId("chart").clientWidth, 280);
  const narrow = width < NARROW;
  const [x0, x1] = [narrow ? 16 : LABELS, width - RIGHT];
  const height = TOP + lanes.length * LANE + AXIS;
  const scale = timeScale(hits, x0 + PICTURE[0] / 2, x1 - PICTURE[0] / 2);
  const y = (hit) => TOP + (lanes.indexOf(place(hit)) + 0.5) * LANE + (narrow ? 4 : -2);
  const view = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": summary(hits, lanes) };
  return draw("svg", view,
    ...lanes.flatMap((name, index) => lane(name, index, narrow, width)),
    ...axis(scale, height - AXIS, hits),
    path(hits.filter(isRight), scale.x, y),
    ...spots(hits, scale.x, y));
}

function summary(hits, lanes) {
  const [first, last] = [hits[0], hits.at(-1)].map((hit) => timeWords(hit.time));
  const right = hits.filter(isRight).length;
  const cameras = plural(lanes.length, "camera");
  return `${plural(hits.length, "hit")}, ${right} marked right, at ${cameras}, ${first} to ${last}`;
}

function lane(name, index, narrow, width) {
  const top = TOP + index * LANE;
  return [
    draw("line", { x1: 0, x2: width, y1: top, y2: top, class: "rule" }),
    draw("text", narrow ? { x: 2, y: top + 12, class: "lane" } : { x: 2, y: top + LANE / 2 + 4, class: "lane" }, name),
  ];
}

function timeScale(hits, left, right) {
  const [first, last] = [instant(hits[0].time), instant(hits.at(-1).time)];
  const span = Math.max(last - first, 1);
  const step = STEPS.find((size) => span / size <= (right - left) / 110) ?? STEPS.at(-1);
  const share = (second) => (last === first ? 0.5 : (second - first) / span);
  return { first, last, step, x: (second) => left + share(second) * (right - left) };
}

function axis({ first, last, step, x }, bottom, hits) {
  // What the gallery's own clock shows, less `first`: 0 where its times carry no zone.
  const offset = Date.parse(`${hits[0].time.slice(0, 19).replace(" ", "T")}Z`) / 1000 - Math.floor(first);
  const ticks = [];
  for (let at = Math.ceil((first + offset) / step) * step - offset; at <= last; at += step) ticks.push(at);
  if (first === last) ticks.splice(0, ticks.length, first);
  let day = "";
  return [
    draw("line", { x1: 0, x2: "100%", y1: bottom, y2: bottom, class: "rule" }),
    ...ticks.flatMap((at) => {
      const iso = new Date((at + offset) * 1000).toISOString();
      const [date, clock] = timeWords(iso.slice(0, step < 60 ? 19 : 16)).split(", ");
      const newDay = date !== day;
      day = date;
      const label = draw("text", { x: x(at), y: bottom + 18, class: "tick" }, step >= 86400 ? date : clock);
      const dated = step < 86400 && newDay ? [draw("text", { x: x(at), y: bottom + 34, class: "tick" }, date)] : [];
      return [draw("line", { x1: x(at), x2: x(at), y1: TOP, y2: bottom + 5, class: "rule" }), label, ...dated];
    }),
  ];
}

function path(right, x, y) {
  const points = right.map((hit) => `${x(instant(hit.time)).toFixed(1)},${y(hit)}`);
  return draw("polyline", { points: points.join(" "), class: "walk" });
}

// A picture where there is room for it, the better hits first; a dot below the pictures where there is none.
function spots(hits, x, y) {
  const taken = [];
  return [...hits].sort(byMark).map((hit) => {
    const at = [x(instant(hit.time)), y(hit)];
    const free = taken.every(([left, top]) => top !== at[1] || Math.abs(left - at[0]) > PICTURE[0] + 4);
    if (free) taken.push(at);
    return spot(hit, free ? at : [at[0], at[1] + PICTURE[1] / 2 + DOT / 2 + 1], free);
  }).reverse();
}

function spot(hit, [x, y], free) {
  const [width, height] = free ? PICTURE : [DOT, DOT];
  const transform = `translate(${(x - width / 2).toFixed(1)} ${y - height / 2})`;
  const group = draw("g", { class: `spot ${desk.markOf(hit.id)}`, transform },
    draw("title", {}, `hit ${hit.rank}, ${place(hit)}, ${timeWords(hit.time)}`),
    draw("rect", { width, height, rx: free ? 3 : DOT / 2 }));
  if (free) {
    const inside = { x: 2, y: 2, width: width - 4, height: height - 4 };
    const image = draw("image", { ...inside, preserveAspectRatio: "xMidYMid slice" });
    thumbnail(hit.thumbnail).then((url) => image.setAttribute("href", url), () => {});
    group.append(image);
  }
  group.addEventListener("click", () => onPick(hit));
  return group;
}
