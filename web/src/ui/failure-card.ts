import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Reason } from "@oriel/desktop/internal";
import { base } from "./styles.js";
import { explain, type NextStep } from "./reasons.js";
import { stepTitle } from "./steps.js";

/** A failure: what happened, where, what was last seen, and what to do next. Fires `next-step` with the chosen one. */
export class FailureCard extends LitElement {
  static override properties = { reason: { attribute: false }, busy: { type: Boolean }, here: { type: String } };
  declare reason: Reason | null;
  declare busy: boolean;
  /** The next step that leads to where the card already is, so that it is not offered. */
  declare here: NextStep | "";

  static override styles = [
    base,
    css`
      .card {
        padding: 24px;
        display: grid;
        gap: 14px;
        border-top: 3px solid var(--bad);
      }
      .card.calm {
        border-top-color: var(--accent);
      }
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: 4px 14px;
        margin: 0;
        font-size: 14px;
      }
      dt {
        color: var(--muted);
      }
      dd {
        margin: 0;
        overflow-wrap: anywhere;
      }
      pre {
        margin: 0;
        padding: 12px;
        max-height: 220px;
        overflow: auto;
        background: var(--sunken);
        border-radius: var(--radius-small);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .command {
        display: block;
        padding: 10px 12px;
        user-select: all;
        overflow-x: auto;
        white-space: nowrap;
      }
      .actions {
        display: flex;
        gap: 10px;
        flex-wrap: wrap;
      }
    `,
  ];

  constructor() {
    super();
    this.reason = null;
    this.busy = false;
    this.here = "";
  }

  override render(): TemplateResult {
    const reason = this.reason;
    const about = explain(reason);
    const calm = ["requested", "expired", "idle", "destroying", "signed-out"].includes(reason?.code ?? "");
    const log = (reason?.log ?? []).slice(-12);
    const message = reason?.message?.replace(/\.$/, "") === about.title ? null : reason?.message;
    return html`
      <section class="card ${calm ? "calm" : ""}" role="alert">
        <h2>${about.title}</h2>
        ${about.text ? html`<p class="muted">${about.text}</p>` : nothing}
        <dl>
          ${message ? this.#line("What happened", message) : nothing} ${reason?.step ? this.#line("Step", stepTitle(reason.step)) : nothing}
          ${reason?.lastSeen ? this.#line("Last seen", reason.lastSeen) : nothing}
          <dt>Reason</dt>
          <dd><code data-testid="error-reason">${reason?.code ?? "unknown"}</code></dd>
        </dl>
        ${log.length > 0 ? html`<pre aria-label="Last log lines" data-testid="error-log" tabindex="0">${log.join("\n")}</pre>` : nothing}
        ${about.command ? html`<div class="small muted">On the server: <code class="command">${about.command}</code></div>` : nothing}
        <div class="actions">${about.next.filter((step) => step !== this.here).map((step, index) => this.#action(step, index === 0))}</div>
      </section>
    `;
  }

  /** The newest lines are the ones that tell. */
  override updated(): void {
    const log = this.renderRoot.querySelector("pre");
    if (log) log.scrollTop = log.scrollHeight;
  }

  #line(name: string, value: string): TemplateResult {
    return html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  }

  #action(step: NextStep, first: boolean): TemplateResult {
    const style = first ? "primary" : "";
    if (step === "signin") return html`<a class="button ${style}" href="/signin" data-testid="next-signin">Sign in</a>`;
    if (step === "list") return html`<a class="button ${style}" href="/" data-testid="next-list">All desktops</a>`;
    const label = { retry: "Try again", new: "New desktop", log: "Open log", reload: "Reload" }[step];
    const choose = () =>
      step === "reload" ? location.reload() : this.dispatchEvent(new CustomEvent<NextStep>("next-step", { detail: step }));
    return html`<button class=${style} ?disabled=${this.busy} data-testid="next-${step}" @click=${choose}>${label}</button>`;
  }
}

customElements.define("failure-card", FailureCard);
