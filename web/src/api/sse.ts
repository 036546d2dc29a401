/** Server-sent events (WHATWG HTML, section 9.2) over fetch: unlike EventSource it shows the status of a refusal. */

export interface ServerEvent {
  type: string;
  data: string;
  id: string;
}

/** Takes text in pieces of any cut and gives whole events. */
export class SseParser {
  #rest = "";
  #data: string[] = [];
  #type = "";
  /** Of the last whole event; the one that is being read does not count yet. */
  #lastId: string;
  #id: string;
  /** Set by a `retry:` field, in milliseconds. */
  retryMs: number | null = null;

  constructor(lastId = "") {
    this.#lastId = lastId;
    this.#id = lastId;
  }

  get lastId(): string {
    return this.#lastId;
  }

  push(chunk: string): ServerEvent[] {
    const text = this.#rest + chunk;
    const events: ServerEvent[] = [];
    let start = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c !== "\n" && c !== "\r") continue;
      // A CR at the very end may be half of a CRLF.
      if (c === "\r" && i === text.length - 1) break;
      this.#line(text.slice(start, i), events);
      if (c === "\r" && text[i + 1] === "\n") i++;
      start = i + 1;
    }
    this.#rest = text.slice(start);
    return events;
  }

  #line(line: string, events: ServerEvent[]): void {
    if (line === "") {
      this.#lastId = this.#id;
      if (this.#data.length > 0) events.push({ type: this.#type || "message", data: this.#data.join("\n"), id: this.#id });
      this.#data = [];
      this.#type = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}
