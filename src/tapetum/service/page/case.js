// What one search for one person is made of: the crops that ask, the marks, the last answer. It tells those who listen.

/** Fires "query", "marks" and "answer". */
export class Case extends EventTarget {
  pictures = []; // {file, url}: files of the operator, never kept elsewhere
  crops = []; // hits of an earlier answer that ask as well
  marks = new Map(); // id -> {mark: "right" | "wrong", hit}
  answer = null;

  get empty() {
    return this.pictures.length + this.crops.length === 0;
  }

  addPicture(file) {
    this.pictures.push({ file, url: URL.createObjectURL(file) });
    this.#tell("query");
  }

  addCrop(hit) {
    if (this.crops.some((crop) => crop.id === hit.id)) return;
    this.crops.push(hit);
    this.#tell("query");
  }

  /** Take away one of `pictures` or `crops`; without any, nothing is left to have marks of. */
  remove(asked) {
    if (asked.url) URL.revokeObjectURL(asked.url);
    this.pictures = this.pictures.filter((picture) => picture !== asked);
    this.crops = this.crops.filter((crop) => crop !== asked);
    if (this.empty) this.clear();
    else this.#tell("query");
  }

  clear() {
    for (const { url } of this.pictures) URL.revokeObjectURL(url);
    this.pictures = [];
    this.crops = [];
    this.marks.clear();
    this.answer = null;
    for (const what of ["query", "marks", "answer"]) this.#tell(what);
  }

  markOf(id) {
    return this.marks.get(id)?.mark ?? "";
  }

  /** Mark a hit "right" or "wrong"; the same mark again takes it back. */
  mark(hit, mark) {
    if (this.markOf(hit.id) === mark) this.marks.delete(hit.id);
    else this.marks.set(hit.id, { mark, hit });
    this.#tell("marks");
  }

  /** Ids with this mark, in the order in which they got it. */
  marked(mark) {
    return [...this.marks].filter(([, value]) => value.mark === mark).map(([id]) => id);
  }

  setAnswer(answer) {
    this.answer = answer;
    this.#tell("answer");
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}
