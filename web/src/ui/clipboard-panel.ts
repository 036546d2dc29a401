import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { OrielDesktopElement } from "@oriel/desktop";
import { ClipboardTooLong, Scope } from "@oriel/desktop/internal";
import { base } from "./styles.js";

/** The clipboard by hand, for browsers that do not let a page have it. */
export class ClipboardPanel extends LitElement {
  static override properties = { element: { attribute: false }, guest: { state: true }, said: { state: true } };
  declare element: OrielDesktopElement | null;
  declare guest: string;
  declare said: string;
  #scope: Scope | null = null;
  #watched: OrielDesktopElement | null = null;

  static override styles = [
    base,
    css`
      :host {
        padding: 16px;
        display: grid;
        gap: 18px;
        align-content: start;
      }
      textarea {
        min-height: 110px;
      }
      .field {
        gap: 8px;
      }
    `,
  ];

  constructor() {
    super();
    this.element = null;
    this.guest = "";
    this.said = "";
  }

  override willUpdate(): void {
    if (this.#watched === this.element) return;
    this.#watched = this.element;
    this.#scope?.close();
    this.#scope = new Scope();
    if (!this.element) return;
    this.guest = this.element.guestClipboard;
    this.#scope.on<CustomEvent<{ text: string }>>(this.element, "oriel-clipboard", (event) => (this.guest = event.detail.text));
  }

  override disconnectedCallback(): void {
    this.#scope?.close();
    this.#watched = null;
    super.disconnectedCallback();
  }

  async #send(): Promise<void> {
    const text = this.renderRoot.querySelector<HTMLTextAreaElement>("#mine")?.value ?? "";
    try {
      await this.element?.setClipboard(text);
      this.said = "It is in the desktop's clipboard now: paste it there.";
    } catch (error) {
      this.said =
        error instanceof ClipboardTooLong
          ? "It has more than 1 MiB, which is not passed on. Move it as a file instead."
          : "The desktop did not take it: it is not connected just now. Try again in a moment.";
    }
  }

  #type(): void {
    this.element?.typeText(this.renderRoot.querySelector<HTMLTextAreaElement>("#mine")?.value ?? "");
    this.element?.focus();
  }

  async #allow(): Promise<void> {
    const given = await this.element?.allowClipboard();
    this.said = given
      ? "Both clipboards follow each other now."
      : "The browser keeps its clipboard to itself; the fields here work all the same.";
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.guest);
      this.said = "Copied.";
    } catch {
      this.renderRoot.querySelector<HTMLTextAreaElement>("#guest")?.select();
      this.said = "Press Ctrl+C to copy what is selected.";
    }
  }

  override render(): TemplateResult {
    return html`
      <p class="small muted">
        Ctrl+V in the desktop pastes this computer's clipboard, and what is copied there comes here, as far as this browser allows.
      </p>
      <div class="field">
        <label for="mine">To the desktop</label>
        <textarea id="mine" data-testid="clipboard-mine"></textarea>
        <div class="row">
          <button class="primary" data-testid="clipboard-send" @click=${() => void this.#send()}>Put into its clipboard</button>
          <button @click=${() => this.#type()}>Type it</button>
        </div>
      </div>
      <div class="field">
        <label for="guest">From the desktop</label>
        <textarea id="guest" readonly data-testid="clipboard-guest" .value=${this.guest}></textarea>
        <div class="row">
          <button @click=${() => void this.#copy()} ?disabled=${this.guest === ""}>Copy</button>
          <button @click=${() => void this.#allow()}>Let them follow each other</button>
        </div>
      </div>
      <p class="small" role="status">${this.said || nothing}</p>
    `;
  }
}

customElements.define("clipboard-panel", ClipboardPanel);
