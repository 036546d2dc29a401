import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { api, asError } from "../api/client.js";
import { ProcessLink } from "../api/process-link.js";
import { base } from "./styles.js";
import type { TerminalScreen } from "./terminal-screen.js";

/** A shell in the desktop. It goes on when the panel is closed or the page is loaded again, and is found again. */
export class TerminalPanel extends LitElement {
  static override properties = {
    desktopId: { attribute: false },
    said: { state: true },
    ended: { state: true },
  };
  declare desktopId: string;
  declare said: string;
  declare ended: boolean;
  #screen: TerminalScreen | null = null;
  #link: ProcessLink | null = null;
  #abort: AbortController | null = null;

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        background: #14161c;
      }
      [data-testid="terminal"] {
        flex: 1;
        min-height: 0;
        margin: 8px 0 4px 10px;
        overflow: hidden;
      }
      [role="status"] {
        display: flex;
        align-items: center;
        gap: 12px;
        margin: 0;
        padding: 8px 14px;
        background: var(--surface);
      }
      terminal-style {
        display: none;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.said = "";
    this.ended = false;
  }

  override disconnectedCallback(): void {
    this.#close();
    super.disconnectedCallback();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("desktopId") && this.desktopId !== "") void this.#open();
  }

  override render(): TemplateResult {
    return html`
      <div data-testid="terminal"></div>
      ${
        this.said
          ? html`<p role="status" data-testid="terminal-said">
              ${this.said}
              ${this.ended ? html`<button data-testid="terminal-new" @click=${() => void this.#open()}>New terminal</button>` : nothing}
            </p>`
          : nothing
      }
    `;
  }

  #close(): void {
    this.#abort?.abort();
    this.#screen?.close();
    this.#screen = null;
    this.#link = null;
  }

  async #open(): Promise<void> {
    this.#close();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.said = "";
    this.ended = false;
    try {
      const { TerminalScreen } = await import("./terminal-screen.js");
      const place = this.renderRoot.querySelector<HTMLElement>("[data-testid=terminal]");
      if (signal.aborted || !place) return;
      const screen = new TerminalScreen(this.renderRoot as ShadowRoot, place, {
        typed: (bytes) => this.#link?.write(bytes),
        resized: (columns, rows) => this.#link?.resize(columns, rows),
      });
      this.#screen = screen;
      screen.focus();
      const process = (await this.#earlier(signal)) ?? (await api.startTerminal(this.desktopId, screen.columns, screen.rows)).id;
      if (signal.aborted) return;
      remember(this.desktopId, process);
      const link = new ProcessLink(this.desktopId, process, {
        output: (bytes) => screen.write(bytes),
        gap: (bytes) => screen.write(`\r\n\x1b[7m ${bytes} bytes are lost \x1b[0m\r\n`),
        online: (online) => {
          this.said = online ? "" : "Interrupted. What you type is not sent; trying again…";
          if (online) link.resize(screen.columns, screen.rows);
        },
      });
      this.#link = link;
      const code = await link.run(signal);
      this.said = code === 0 ? "The shell has ended." : `The shell has ended with ${code}.`;
    } catch (error) {
      if (signal.aborted) return;
      this.said = asError(error).message;
    }
    if (signal.aborted) return;
    this.#link = null;
    this.ended = true;
    remember(this.desktopId, null);
  }

  /** The terminal that this tab had, if its shell still runs. */
  async #earlier(signal: AbortSignal): Promise<string | null> {
    const known = sessionStorage.getItem(key(this.desktopId));
    if (known === null) return null;
    try {
      const process = await api.process(this.desktopId, known, signal);
      return process.pty && process.state === "running" ? process.id : null;
    } catch (error) {
      if (asError(error).status === 404) return null;
      throw error;
    }
  }
}

function key(desktop: string): string {
  return `oriel.terminal.${desktop}`;
}

function remember(desktop: string, process: string | null): void {
  if (process === null) sessionStorage.removeItem(key(desktop));
  else sessionStorage.setItem(key(desktop), process);
}

customElements.define("terminal-panel", TerminalPanel);
