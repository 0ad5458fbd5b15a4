// The crops that ask: chosen, dropped or pasted; a guess of their light, which the operator may correct.

import { showThumbnail } from "./api.js";
import { byId, make } from "./dom.js";
import { count, LIGHTS, place, plural } from "./words.js";

const FORMATS = ["image/jpeg", "image/png", "image/webp"];
const SMALLER = "Cut out the person, or save it smaller.";
const GREY = 10; // mean spread of the three channels, of 255, below which a picture counts as infrared

let desk; // the Case
let fail; // shows an error
let limits = { bytes: Infinity, pixels: Infinity, pictures: 8 };
let touched = { modality: false, among: false };

/** Wire the panel. onError is called with words for the operator. */
export function watchQuery(theCase, onError) {
  desk = theCase;
  fail = onError;
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("new-person").addEventListener("click", newPerson);
  byId("file").addEventListener("change", () => {
    addFiles([...byId("file").files]);
    byId("file").value = "";
  });
  for (const name of ["modality", "among"]) {
    for (const radio of document.getElementsByName(name)) radio.addEventListener("change", () => chosen(name));
  }
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && !inDialog()) addFiles(files);
  });
  watchDrops();
  desk.addEventListener("query", showAsked);
}

export const setLimits = (given) => { limits = given; };

/** Forget the query, its marks and its answer. */
export function newPerson() {
  touched = { modality: false, among: false };
  for (const radio of document.getElementsByName("modality")) radio.checked = false;
  byId("guess").textContent = "";
  desk.clear();
  byId("choose").focus();
}

/** Write the crops that ask and the light into the form of a search. Throws an Error where the light is missing. */
export function writeQuery(form) {
  for (const { file } of desk.pictures) form.append("picture", file, "crop");
  for (const { id } of desk.crops) form.append("ids", id);
  const light = document.querySelector("[name=modality]:checked")?.value;
  if (desk.pictures.length && !light) throw new Error("Nobody has said what light made the crop. Choose one.");
  if (light) form.append("modality", light);
  form.append("among", document.querySelector("[name=among]:checked").value);
}

function chosen(name) {
  touched[name] = true;
  if (name === "modality") {
    byId("guess").textContent = "";
    searchTheOther(document.querySelector("[name=modality]:checked").value);
  }
}

function searchTheOther(light) {
  if (!touched.among) document.querySelector(`[name=among][value=${light === "ir" ? "rgb" : "ir"}]`).checked = true;
}

async function addFiles(files) {
  for (const file of files) {
    const trouble = await refused(file);
    if (trouble) return fail(trouble);
    desk.addPicture(file);
  }
  return byId("search").focus({ preventScroll: true });
}

async function refused(file) {
  const { name, size } = file;
  if (desk.pictures.length >= limits.pictures) {
    return `One query takes up to ${limits.pictures} pictures. Remove one, or begin a new person.`;
  }
  if (!FORMATS.includes(file.type)) return `'${name}' is no JPEG, PNG or WEBP. Give a picture in such a format.`;
  if (size > limits.bytes) {
    return `'${name}' has ${count(size)} bytes, and ${count(limits.bytes)} are taken. ${SMALLER}`;
  }
  try {
    const picture = await createImageBitmap(file);
    const pixels = picture.width * picture.height;
    if (pixels > limits.pixels) {
      return `'${name}' has ${count(pixels)} pixels, and ${count(limits.pixels)} are taken. ${SMALLER}`;
    }
    guess(picture);
  } catch {
    return `'${name}' cannot be read as a picture. Give a whole JPEG, PNG or WEBP.`;
  }
  return "";
}

function guess(picture) {
  const canvas = new OffscreenCanvas(24, 48);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, 24, 48);
  const { data } = context.getImageData(0, 0, 24, 48);
  let spread = 0;
  for (let at = 0; at < data.length; at += 4) {
    const channels = data.subarray(at, at + 3);
    spread += Math.max(...channels) - Math.min(...channels);
  }
  const light = spread / (24 * 48) < GREY ? "ir" : "rgb";
  if (desk.pictures.length === 0 && !touched.modality) {
    document.querySelector(`[name=modality][value=${light}]`).checked = true;
    searchTheOther(light);
    byId("guess").textContent = "Guessed; correct it if wrong.";
  } else if (document.querySelector("[name=modality]:checked")?.value !== light) {
    byId("guess").textContent = `This crop looks ${LIGHTS[light]}; all crops of a query must be of one light.`;
  }
}

function showAsked() {
  byId("asked").replaceChildren(...desk.pictures.map(pictureTile), ...desk.crops.map(cropTile));
  byId("drop").classList.toggle("filled", !desk.empty);
  const asking = desk.pictures.length + desk.crops.length;
  const words = ["Drop or paste a crop of one person, or", "One crop asks."];
  byId("drop-words").textContent = words[asking] ?? `${plural(asking, "crop")} of one person ask as one.`;
  byId("choose").textContent = desk.empty ? "Choose a picture" : "Add a crop";
  byId("new-person").hidden = desk.empty;
  byId("drop-note").hidden = !desk.empty;
  byId("search").disabled = desk.empty;
}

function pictureTile(picture, index) {
  const words = `query ${index + 1}`;
  return askedTile(make("img", { src: picture.url, alt: `${words}: ${picture.file.name}` }), picture, words);
}

function cropTile(crop) {
  const image = make("img", { alt: `crop of the gallery, ${place(crop)}` });
  showThumbnail(image, crop.thumbnail);
  return askedTile(image, crop, `crop ${crop.id}`);
}

function askedTile(image, asked, words) {
  const remove = make("button", { type: "button", "aria-label": `Remove ${words}`, title: "Remove" }, "×");
  remove.addEventListener("click", () => {
    desk.remove(asked);
    byId("choose").focus();
  });
  return make("li", {}, image, remove, make("span", { class: "faint" }, words));
}

const inDialog = () => document.querySelector("dialog[open]") !== null;

function watchDrops() {
  const targets = byId("targets");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event) || inDialog()) return;
    byId("drop").classList.add("over");
    targets.hidden = desk.empty;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) rest();
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
    for (const target of targets.children) target.classList.toggle("over", target.contains(event.target));
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // else the browser would open the file in place of the page
    const files = [...event.dataTransfer.files];
    const target = event.target.closest("[data-target]")?.dataset.target;
    const meant = !inDialog() && (targets.hidden || target);
    rest();
    if (target === "new") newPerson();
    if (meant) addFiles(files);
  });
  const rest = () => {
    byId("drop").classList.remove("over");
    targets.hidden = true;
  };
}
