// Single keys. They press the button that is on the screen, so that a key never does what the mouse could not.

import { compareKey } from "./compare.js";
import { byId, isTyping } from "./dom.js";
import { focusedHit, focusHits } from "./hits.js";

const ON_A_HIT = { r: "button.right", w: "button.wrong", c: "button.beside", a: "button.ask" };

const PRESSED = {
  o: "choose", n: "new-person", s: "search", f: "again", e: "export",
  l: "view-list", t: "view-timeline", "?": "open-help",
};

/** Listen for them. */
export function watchKeys() {
  document.addEventListener("keydown", (event) => {
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    if (chord || event.defaultPrevented || isTyping(event.target) || !byId("keys-on").checked) return;
    if (document.querySelector("dialog[open]")) {
      if (byId("compare").open && compareKey(event.key)) event.preventDefault();
    } else if (focusedHit() && ON_A_HIT[event.key]) {
      event.preventDefault();
      document.activeElement.closest("li").querySelector(ON_A_HIT[event.key]).click();
    } else if (event.key === "h") {
      focusHits();
    } else if (PRESSED[event.key]) {
      event.preventDefault();
      press(byId(PRESSED[event.key]));
    }
  });
}

function press(button) {
  const reachable = !button.disabled && button.checkVisibility();
  if (reachable) button.click();
}
