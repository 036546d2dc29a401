import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Desktop, Step } from "../api/types.js";
import { elapsed } from "./format.js";
import { icon } from "./icons.js";
import { phasesOf, progressOf, runningStep, stepTitle, type Phase } from "./steps.js";
import { base } from "./styles.js";

/** A desktop that is being created: the bar, the step that runs, and how long each finished one took. */
export class CreationView extends LitElement {
  static override properties = { desktop: { attribute: false }, steps: { attribute: false }, online: { type: Boolean } };
  declare desktop: Desktop | null;
  declare steps: Step[];
  declare online: boolean;

  static override styles = [
    base,
    css`
      .card {
        padding: 26px;
        display: grid;
        gap: 14px;
      }
      h1 {
        overflow-wrap: anywhere;
      }
      progress {
        appearance: none;
        display: block;
        width: 100%;
        height: 8px;
        border: 0;
        border-radius: 8px;
        overflow: hidden;
        background: var(--sunken);
      }
      progress::-webkit-progress-bar {
        background: var(--sunken);
      }
      progress::-webkit-progress-value {
        background: var(--accent);
        border-radius: 8px;
        transition: inline-size 0.3s ease-out;
      }
      progress::-moz-progress-bar {
        background: var(--accent);
        border-radius: 8px;
      }
      .now {
        min-height: 1.5em;
        color: var(--muted);
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .away {
        color: var(--warn);
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .phases {
        display: grid;
        gap: 2px;
        padding: 8px 0;
        border-block: 1px solid var(--line);
      }
      .phases li {
        min-height: 34px;
        font-size: 15px;
        transition: color 0.2s;
      }
      .phases .waiting {
        color: var(--muted);
      }
      .phases .running {
        font-weight: 600;
      }
      li {
        display: flex;
        gap: 10px;
        align-items: center;
      }
      .mark {
        display: grid;
        place-items: center;
        width: 20px;
        height: 20px;
        flex: none;
      }
      .mark::before {
        content: "";
        width: 8px;
        height: 8px;
        border-radius: 50%;
        box-shadow: inset 0 0 0 1.5px var(--line);
      }
      .running .mark::before {
        background: var(--accent);
        box-shadow: none;
        animation: pulse 1s infinite;
      }
      .done .mark::before,
      .failed .mark::before {
        display: none;
      }
      .mark svg {
        width: 18px;
        height: 18px;
        color: var(--good);
      }
      .failed .mark svg {
        color: var(--bad);
      }
      summary {
        cursor: pointer;
        width: max-content;
        color: var(--muted);
        font-size: 13.5px;
      }
      .steps {
        margin-top: 8px;
        height: 264px;
        overflow-y: auto;
        scrollbar-width: thin;
        font-size: 13.5px;
      }
      .steps li {
        min-height: 24px;
      }
      .time {
        margin-left: auto;
        color: var(--muted);
        font-variant-numeric: tabular-nums;
        flex: none;
      }
      .detail {
        color: var(--muted);
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
    `,
  ];

  constructor() {
    super();
    this.desktop = null;
    this.steps = [];
    this.online = true;
  }

  override updated(): void {
    const list = this.renderRoot.querySelector(".steps");
    if (list) list.scrollTop = list.scrollHeight;
  }

  override render(): TemplateResult {
    const running = runningStep(this.steps);
    const now = running ? stepTitle(running.name) : this.steps.length === 0 ? "Asking for a desktop" : "Going on";
    const part = Math.round(progressOf(this.steps) * 100);
    return html`<section class="card">
      <h1>${this.desktop?.name || "New desktop"}</h1>
      <progress
        data-testid="progress"
        max="100"
        value=${part}
        aria-valuetext="${part} %, ${now}"
        aria-label="Progress of the new desktop"
      ></progress>
      ${
        this.online
          ? html`<div class="now" role="status" aria-live="polite" data-testid="step-name">${now}…</div>`
          : html`<div class="now away" role="status" data-testid="server-away">
              The server does not answer; this continues as soon as it does.
            </div>`
      }
      <ol class="phases" data-testid="phases">
        ${phasesOf(this.steps).map(({ title, state }) => html`<li class=${state}>${mark(state)}<span>${title}</span></li>`)}
      </ol>
      <details>
        <summary>Every step and its time</summary>
        <ol class="steps" data-testid="steps" tabindex="0" aria-label="Steps">
          ${this.steps.map((step) => this.#step(step))}
        </ol>
      </details>
    </section>`;
  }

  #step(step: Step): TemplateResult {
    return html`<li class=${step.state} data-step=${step.name}>
      ${mark(step.state)}<span>${stepTitle(step.name)}</span>
      ${step.detail ? html`<span class="detail">${step.detail}</span>` : nothing}
      <span class="time">${step.state !== "running" && typeof step.elapsedMs === "number" ? elapsed(step.elapsedMs) : nothing}</span>
    </li>`;
  }
}

function mark(state: Phase["state"]): TemplateResult {
  return html`<span class="mark">${state === "done" ? icon("check") : state === "failed" ? icon("close") : nothing}</span>`;
}

customElements.define("creation-view", CreationView);
