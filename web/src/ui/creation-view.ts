import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Desktop, Step } from "../api/types.js";
import { elapsed } from "./format.js";
import { icon } from "./icons.js";
import { progressOf, stepTitle } from "./steps.js";
import { base } from "./styles.js";

/** A desktop on its way: the bar, the step that runs, and how long each finished one took. */
export class CreationView extends LitElement {
  static override properties = { desktop: { attribute: false }, steps: { attribute: false }, online: { type: Boolean } };
  declare desktop: Desktop | null;
  declare steps: Step[];
  declare online: boolean;

  static override styles = [
    base,
    css`
      .card { padding: 26px 26px 20px; display: grid; gap: 14px; }
      progress { appearance: none; width: 100%; height: 8px; border: 0; border-radius: 8px; overflow: hidden; background: var(--sunken); }
      progress::-webkit-progress-bar { background: var(--sunken); }
      progress::-webkit-progress-value { background: var(--accent); border-radius: 8px; transition: inline-size 0.3s ease-out; }
      progress::-moz-progress-bar { background: var(--accent); border-radius: 8px; }
      .now { font-weight: 600; min-height: 1.5em; }
      ol { list-style: none; margin: 0; padding: 12px 0 0; border-top: 1px solid var(--line); display: grid; gap: 4px; font-size: 13.5px; max-height: max(200px, calc(100dvh - 330px)); overflow-y: auto; scrollbar-width: thin; }
      li { display: flex; gap: 10px; align-items: center; }
      li svg { width: 16px; height: 16px; color: var(--good); flex: none; }
      li.running { color: var(--text); font-weight: 600; }
      li.running .dot { width: 8px; height: 8px; margin: 0 4px; border-radius: 50%; background: var(--accent); animation: pulse 1s infinite; flex: none; }
      li .time { margin-left: auto; color: var(--muted); font-variant-numeric: tabular-nums; font-weight: 400; }
      li .detail { color: var(--muted); font-weight: 400; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    `,
  ];

  constructor() {
    super();
    this.desktop = null;
    this.steps = [];
    this.online = true;
  }

  override updated(): void {
    const list = this.renderRoot.querySelector("ol");
    if (list) list.scrollTop = list.scrollHeight;
  }

  override render(): TemplateResult {
    const running = this.steps.filter(({ state }) => state === "running").at(-1);
    const now = running ? stepTitle(running.name) : this.steps.length === 0 ? "Asking for a desktop" : "Going on";
    const part = progressOf(this.steps);
    return html`<section class="card">
      <h1>${this.desktop?.name || "New desktop"}</h1>
      <progress data-testid="progress" max="100" value=${Math.round(part * 100)} aria-label="Progress of the new desktop"></progress>
      <div class="now" role="status" aria-live="polite" data-testid="step-name">${now}…</div>
      ${this.online ? nothing : html`<p class="muted small" role="status">The server does not answer just now; the progress goes on as soon as it does.</p>`}
      <ol data-testid="steps" tabindex="0" aria-label="Steps">${this.steps.map((step) => this.#step(step))}</ol>
    </section>`;
  }

  #step(step: Step): TemplateResult {
    const mark = step.state === "done" ? icon("check") : step.state === "failed" ? icon("close") : html`<span class="dot"></span>`;
    return html`<li class=${step.state} data-step=${step.name}>
      ${mark}<span>${stepTitle(step.name)}</span>
      ${step.detail ? html`<span class="detail">${step.detail}</span>` : nothing}
      <span class="time">${step.state !== "running" && typeof step.elapsedMs === "number" ? elapsed(step.elapsedMs) : nothing}</span>
    </li>`;
  }
}

customElements.define("creation-view", CreationView);
