import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { ViewerState } from "@oriel/desktop";
import { api, asError } from "../api/client.js";
import type { DesktopState } from "../api/types.js";
import { base } from "./styles.js";

/**
 * Whether a page shows that its desktop is paused. Without a link the viewer says itself what it waits for, and a new link resumes the
 * desktop.
 */
export function isPauseShown(desktop: DesktopState, viewer: ViewerState["state"] | undefined): boolean {
  return desktop === "paused" && (viewer === "playing" || viewer === "connected");
}

/** Stands over the picture of a paused desktop: what it is, why, and a button that resumes it. Fires `resumed` when that is done. */
export class PausedSign extends LitElement {
  static override properties = { desktopId: { attribute: false }, busy: { state: true }, problem: { state: true } };
  declare desktopId: string;
  declare busy: boolean;
  declare problem: string | null;

  static override styles = [
    base,
    css`
      .card {
        display: grid;
        gap: 8px;
        justify-items: center;
        padding: 22px 24px;
        background: var(--raised);
        color: var(--text);
        box-shadow: var(--shadow-high);
        text-align: center;
      }
      button {
        margin-top: 8px;
      }
      .problem {
        color: var(--bad);
        overflow-wrap: anywhere;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.busy = false;
    this.problem = null;
  }

  async resume(): Promise<void> {
    this.busy = true;
    this.problem = null;
    try {
      await api.resume(this.desktopId);
      this.dispatchEvent(new CustomEvent("resumed"));
    } catch (error) {
      const { reason, message } = asError(error);
      // Another page was faster; this one is about to learn it.
      if (reason !== "wrong-state") this.problem = message;
    } finally {
      this.busy = false;
    }
  }

  // The API gives no reason for a pause. But a desktop that has a viewer is never paused for being idle, so this one was paused on request.
  override render(): TemplateResult {
    return html`<section class="card" role="status">
      <h2>This desktop is paused</h2>
      <p class="muted">It was paused on request. Its programs continue when it is resumed.</p>
      ${this.problem ? html`<p class="problem small">${this.problem}</p>` : nothing}
      <button class="primary" data-testid="resume" ?disabled=${this.busy} @click=${() => void this.resume()}>Resume</button>
    </section>`;
  }
}

customElements.define("paused-sign", PausedSign);
