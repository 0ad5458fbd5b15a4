// The service's HTTP API. The key stands in this tab's session storage and nowhere else.

const KEY = "tapetum-key";
const NO_KEY = "This service needs a key. Enter the one that you were given.";
const WRONG_KEY = "The service does not know this key. Enter another one.";
const PICTURES_AT_ONCE = 6;

/** An answer that is no result: `message` is for the operator, `status` 0 when no answer came. */
class Refusal extends Error {
  constructor(message, status, wait = 0) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/** Keep a key in this tab; "" removes it. */
export function keepKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export const askGallery = () => ask("/api/gallery").then((answer) => answer.json());

/** form: FormData as the API says. */
export function askSearch(form, signal) {
  return ask("/api/search", { method: "POST", body: form, signal }).then((answer) => answer.json());
}

/** wanted: {search, ids, format, note}; the file as a Blob. */
export function askShortlist(wanted) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(wanted);
  return ask("/api/shortlist", { method: "POST", headers, body }).then((answer) => answer.blob());
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (hasKey()) headers.set("Authorization", `Bearer ${sessionStorage.getItem(KEY)}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The service does not answer. See that it runs, then try again.", 0);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  if (answer.status === 401) return new Refusal(hasKey() ? WRONG_KEY : NO_KEY, 401);
  let words = `The service answered ${answer.status} and no reason.`;
  try {
    const { error } = await answer.json();
    if (typeof error === "string" && error) words = error;
  } catch {
    // no JSON: a proxy in between, perhaps; the status says enough
  }
  return new Refusal(words, answer.status, Number(answer.headers.get("Retry-After")) || 0);
}

// Pictures need the key in a header, so they are fetched and shown as blobs, a few at a time, each once.
const pictures = new Map();
const waiting = [];
let running = 0;

/** An object URL of a crop's thumbnail; rejects where there is none. */
export function thumbnail(path) {
  if (!pictures.has(path)) {
    pictures.set(path, new Promise((resolve, reject) => waiting.push({ path, resolve, reject })));
    fetchNext();
  }
  return pictures.get(path);
}

function fetchNext() {
  if (running >= PICTURES_AT_ONCE || waiting.length === 0) return;
  const { path, resolve, reject } = waiting.shift();
  running += 1;
  ask(path)
    .then((answer) => answer.blob())
    .then((blob) => resolve(URL.createObjectURL(blob)))
    .catch((error) => {
      pictures.delete(path);
      reject(error);
    })
    .finally(() => {
      running -= 1;
      fetchNext();
    });
}

/** Give back every picture that was fetched, and fetch none that still waits. */
export function forgetPictures() {
  for (const { reject } of waiting.splice(0)) reject(new Refusal("no longer wanted", 0));
  for (const picture of pictures.values()) picture.then(URL.revokeObjectURL, () => {});
  pictures.clear();
}

/** Put a crop's thumbnail into an <img>, or say that there is none. */
export async function showThumbnail(image, path) {
  image.dataset.path = path;
  image.removeAttribute("src");
  image.classList.remove("gone");
  try {
    const url = await thumbnail(path);
    if (image.dataset.path === path) image.src = url;
  } catch {
    if (image.dataset.path === path) image.classList.add("gone");
  }
}
