import { css, html, LitElement, type TemplateResult } from "lit";
import { api, asError } from "../api/client.js";
import { base } from "./styles.js";

/** The desktop's log: what was before this page by API, what comes since as `lines`. */
export class LogPanel extends LitElement {
  static override properties = { desktopId: { attribute: false }, lines: { attribute: false }, earlier: { state: true }, problem: { state: true } };
  declare desktopId: string;
  declare lines: string[];
  declare earlier: string[] | null;
  declare problem: string | null;
  #asked = "";
  #shown = 0;

  static override styles = [
    base,
    css`
      :host { display: flex; flex-direction: column; min-height: 0; }
      pre { flex: 1; min-height: 0; margin: 0; padding: 12px 14px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; }
      p { padding: 10px 14px; }
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
    return html`<pre data-testid="log-panel" tabindex="0" role="log" aria-label="Log of the desktop">${all.length > 0 ? all.join("\n") : "Nothing logged yet."}</pre>`;
  }

  override updated(): void {
    const pre = this.renderRoot.querySelector("pre");
    if (pre && pre.scrollHeight - pre.scrollTop - pre.clientHeight < 200) pre.scrollTop = pre.scrollHeight;
  }
}

customElements.define("log-panel", LogPanel);
