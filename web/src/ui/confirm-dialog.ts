import { css, html, LitElement, type TemplateResult } from "lit";
import { base } from "./styles.js";

/** A question before something that cannot be taken back. */
export class ConfirmDialog extends LitElement {
  static override properties = { heading: { state: true }, text: { state: true }, action: { state: true } };
  declare heading: string;
  declare text: string;
  declare action: string;
  #answer: ((yes: boolean) => void) | null = null;

  static override styles = [
    base,
    css`
      dialog {
        width: min(420px, calc(100vw - 32px));
        padding: 22px;
        color: var(--text);
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: 16px;
        box-shadow: var(--shadow-high);
      }
      dialog::backdrop {
        background: rgb(10 12 20 / 0.5);
      }
      p {
        margin: 8px 0 20px;
        color: var(--muted);
      }
      .row {
        justify-content: flex-end;
      }
    `,
  ];

  constructor() {
    super();
    this.heading = "";
    this.text = "";
    this.action = "";
  }

  async ask(heading: string, text: string, action: string): Promise<boolean> {
    this.#settle(false);
    this.heading = heading;
    this.text = text;
    this.action = action;
    await this.updateComplete;
    this.#dialog?.showModal();
    return new Promise((resolve) => (this.#answer = resolve));
  }

  override disconnectedCallback(): void {
    this.#settle(false);
    super.disconnectedCallback();
  }

  get #dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector("dialog");
  }

  #settle(yes: boolean): void {
    const answer = this.#answer;
    this.#answer = null;
    this.#dialog?.close();
    answer?.(yes);
  }

  override render(): TemplateResult {
    return html`<dialog aria-labelledby="heading" @close=${() => this.#settle(false)}>
      <h2 id="heading">${this.heading}</h2>
      <p>${this.text}</p>
      <div class="row">
        <button @click=${() => this.#settle(false)}>Cancel</button>
        <button class="danger solid" data-testid="destroy-confirm" @click=${() => this.#settle(true)}>${this.action}</button>
      </div>
    </dialog>`;
  }
}

customElements.define("confirm-dialog", ConfirmDialog);
