// The shortlist as a file, and the dialogs that ask for it and for the key.

import { askShortlist, hasKey, keepKey } from "./api.js";
import { byId } from "./dom.js";
import { plural } from "./words.js";

let desk;

/** Wire both dialogs. onError is called with what went wrong, onKey when the key has changed. */
export function watchDialogs(theCase, onError, onKey) {
  desk = theCase;
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("export-form").addEventListener("submit", () => save().catch(onError));
  byId("key-form").addEventListener("submit", () => setKey(byId("key").value.trim(), onKey));
  byId("key-remove").addEventListener("click", () => {
    byId("key-dialog").close();
    setKey("", onKey);
  });
}

function setKey(key, onKey) {
  byId("key").value = "";
  keepKey(key);
  onKey();
}

export function openKey() {
  byId("key-remove").hidden = !hasKey();
  byId("key-dialog").showModal();
  byId("key").focus();
}

/** Open the export of the last answer. */
export function openExport() {
  if (!desk.answer) return;
  const { right, listed, elsewhere } = choices();
  const others = elsewhere ? ` (${elsewhere} more marked right, but not in this list)` : "";
  byId("export-right").textContent = `${plural(right.length, "hit")} marked right${others}`;
  byId("export-listed").textContent = `all ${plural(listed.length, "hit")} that are not marked wrong`;
  const [first, second] = byId("export-form").elements.which;
  first.disabled = right.length === 0;
  (right.length ? first : second).checked = true;
  byId("export-dialog").showModal();
}

function choices() {
  const ids = desk.answer.hits.map((hit) => hit.id);
  const right = ids.filter((id) => desk.markOf(id) === "right");
  const listed = ids.filter((id) => desk.markOf(id) !== "wrong");
  return { right, listed, elsewhere: desk.marked("right").length - right.length };
}

async function save() {
  const { which, format } = byId("export-form").elements;
  const file = await askShortlist({
    search: desk.answer.search, ids: choices()[which.value], format: format.value, note: byId("export-note").value,
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `tapetum-shortlist-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format.value}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
