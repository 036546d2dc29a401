import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { api, asError } from "../api/client.js";
import { clock } from "./format.js";
import { base } from "./styles.js";

/** The desktop's log: what was before this page by API, what comes since as `lines`. */
export class LogPanel extends LitElement {
  static override properties = {
    desktopId: { attribute: false },
    lines: { attribute: false },
    earlier: { state: true },
    problem: { state: true },
  };
  declare desktopId: string;
  declare lines: string[];
  declare earlier: string[] | null;
  declare problem: string | null;
  #asked = "";
  #shown = 0;
  /** Whether the newest lines are kept in sight: until the reader scrolls away from them. */
  #atEnd = true;

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }
      pre {
        flex: 1;
        min-height: 0;
        margin: 0;
        padding: 12px 14px;
        overflow: auto;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        line-height: 1.5;
      }
      pre > div {
        padding-left: 9ch;
        text-indent: -9ch;
      }
      time {
        color: var(--muted);
      }
      .warn {
        color: var(--warn);
      }
      .bad {
        color: var(--bad);
      }
      p {
        padding: 10px 14px;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.lines = [];
    this.earlier = null;
    this.problem = null;
  }

  override willUpdate(): void {
    if (this.#asked === this.desktopId || this.desktopId === "") return;
    this.#asked = this.desktopId;
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const seen = this.lines.length;
      this.earlier = await api.log(this.desktopId);
      // Lines that came by event are in the answer as well; only later ones are appended.
      this.#shown = seen;
    } catch (error) {
      this.problem = asError(error).message;
    }
  }

  override render(): TemplateResult {
    if (this.problem) return html`<p class="muted">The log cannot be read: ${this.problem}</p>`;
    const all = this.earlier ? [...this.earlier, ...this.lines.slice(this.#shown)] : this.lines;
    return html`<pre data-testid="log-panel" tabindex="0" role="log" aria-label="Log of the desktop" @scroll=${() => this.#scrolled()}>
${all.length > 0 ? all.map((line) => logLine(line)) : "Nothing logged yet."}</pre>`;
  }

  #scrolled(): void {
    const pre = this.renderRoot.querySelector("pre");
    if (pre) this.#atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 60;
  }

  override updated(): void {
    const pre = this.renderRoot.querySelector("pre");
    if (pre && this.#atEnd) pre.scrollTop = pre.scrollHeight;
  }
}

/** "2026-11-23T04:10:45.745Z info step …" with the time of day alone, and the level only where it is a bad one. */
function logLine(line: string): TemplateResult {
  const [, at, level, text] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (\w+) ([^]*)$/.exec(line) ?? [];
  if (at === undefined || level === undefined || text === undefined) return html`<div>${line}</div>`;
  const tone = level === "error" ? "bad" : level.startsWith("warn") ? "warn" : null;
  return html`<div class=${tone ?? nothing}>
    <time datetime=${at} title=${at}>${clock(at)}</time> ${tone ? `${level} ` : nothing}${text}
  </div>`;
}

customElements.define("log-panel", LogPanel);
