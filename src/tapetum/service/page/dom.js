// Elements without HTML strings: text goes in by textContent alone, so nothing that a client sent is ever parsed.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id of the page. */
export const byId = (id) => document.getElementById(id);

/** A new HTML element with attributes and children (nodes or text). */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** A new SVG element with attributes and children (nodes or text). */
export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Replace the rows of a description list by [term, text] pairs; pairs without text are left out. */
export function describe(list, pairs) {
  list.replaceChildren(
    ...pairs.filter(([, text]) => text).flatMap(([term, text]) => [make("dt", {}, term), make("dd", {}, text)]),
  );
}

/** Show one of several elements, hide the others. */
export function showOnly(shown, elements) {
  for (const element of elements) element.hidden = element !== shown;
}

/** Whether a key press belongs to the element that has the focus, not to the page. */
export function isTyping(target) {
  return target.closest("textarea, select, input:not([type=checkbox], [type=radio], [type=file])") !== null;
}
