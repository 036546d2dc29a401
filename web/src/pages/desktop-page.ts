import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Reason } from "@oriel/desktop/internal";
import { api, asError, desktopUrl } from "../api/client.js";
import { followFeed } from "../api/feed.js";
import type { ServerEvent } from "../api/sse.js";
import { isNewer, isStarting, type Desktop, type DesktopState, type EgressEntry, type Step, type Warning } from "../api/types.js";
import { go } from "../route.js";
import { icon, logo } from "../ui/icons.js";
import { withStep } from "../ui/steps.js";
import { base } from "../ui/styles.js";
import { warningsOf } from "../ui/warnings.js";
import "../ui/creation-view.js";
import "../ui/viewer-shell.js";
import type { ViewerShell } from "../ui/viewer-shell.js";
import type { LogPanel } from "../ui/log-panel.js";
import "../ui/log-panel.js";

/** Log lines kept for the panel. */
const mostLines = 2000;

/** One desktop from its first step to its end: progress, then the viewer, or the reason why not. */
export class DesktopPage extends LitElement {
  static override properties = {
    desktopId: { attribute: false },
    desktop: { state: true },
    steps: { state: true },
    online: { state: true },
    failure: { state: true },
    showLog: { state: true },
    lines: { state: true },
    viewers: { state: true },
    busy: { state: true },
  };
  declare desktopId: string;
  declare desktop: Desktop | null;
  declare steps: Step[];
  declare online: boolean;
  declare failure: Reason | null;
  declare showLog: boolean;
  declare lines: string[];
  declare viewers: number;
  declare busy: boolean;
  #abort: AbortController | null = null;
  #followed = "";

  static override styles = [
    base,
    css`
      .page {
        max-width: 640px;
        margin: 0 auto;
        padding: 4vh 20px 48px;
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 20px;
      }
      header {
        display: flex;
        align-items: center;
        gap: 12px;
        max-width: 1200px;
        margin: 0 auto;
        padding: 16px 20px;
      }
      header a.home {
        display: inline-flex;
        align-items: center;
        gap: 10px;
        color: var(--text);
        text-decoration: none;
        font-weight: 700;
        font-size: 18px;
      }
      .log {
        height: 320px;
        overflow: hidden;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.#reset();
  }

  #reset(): void {
    this.desktop = null;
    this.steps = [];
    this.online = true;
    this.failure = null;
    this.showLog = false;
    this.lines = [];
    this.viewers = 0;
    this.busy = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#follow();
  }

  override disconnectedCallback(): void {
    this.#abort?.abort();
    this.#followed = "";
    super.disconnectedCallback();
  }

  override willUpdate(): void {
    if (this.isConnected && this.desktopId !== this.#followed) this.#follow();
  }

  #follow(): void {
    if (this.desktopId === "" || this.desktopId === this.#followed) return;
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#followed = this.desktopId;
    this.#reset();
    const { signal } = this.#abort;
    void this.#load(signal);
    const feed = followFeed(
      desktopUrl(this.desktopId, "/events"),
      {
        event: (event) => this.#event(event),
        online: (online, error) => {
          this.online = online;
          this.renderRoot.querySelector<ViewerShell>("viewer-shell")?.serverSeen(online);
          if (error?.final) this.#fail(error);
          // After a gap the state may have changed without an event that this page saw.
          if (online) void this.#load(signal);
        },
      },
      signal,
    );
    feed.catch((error: unknown) => this.#fail(error));
  }

  async #load(signal: AbortSignal): Promise<void> {
    try {
      const desktop = await api.desktop(this.desktopId, signal);
      if (signal.aborted) return;
      const known = this.desktop;
      this.desktop = known && !isNewer(desktop.state, known.state) ? { ...desktop, state: known.state, reason: known.reason } : desktop;
      this.viewers = desktop.viewers;
      this.steps = desktop.steps.reduce(withStep, this.steps);
      document.title = `${desktop.name || desktop.id} · Oriel`;
    } catch (error) {
      if (!signal.aborted && asError(error).reason !== "server-unreachable") this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { reason, message, details } = asError(error);
    if (reason === "signed-out") window.dispatchEvent(new CustomEvent("oriel-signed-out"));
    this.failure = { ...details, code: reason, message };
  }

  #event({ type, data }: ServerEvent): void {
    let value: unknown;
    try {
      value = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof value !== "object" || value === null) return;
    if (type === "step") this.steps = withStep(this.steps, value as Step);
    else if (type === "state") this.#stateChanged(value as { state: DesktopState; reason: Reason | null });
    else if (type === "warnings") this.#warned(warningsOf(value));
    else if (type === "viewers") this.viewers = Number((value as { count?: unknown }).count) || 0;
    else if (type === "log") this.lines = [...this.lines, String((value as { line?: unknown }).line ?? "")].slice(-mostLines);
    else if (type === "egress") this.dispatchEvent(new CustomEvent<EgressEntry>("egress-entry", { detail: value as EgressEntry }));
  }

  #stateChanged({ state, reason }: { state: DesktopState; reason: Reason | null }): void {
    if (this.desktop && !isNewer(state, this.desktop.state)) return;
    if (this.desktop) this.desktop = { ...this.desktop, state, reason: reason ?? this.desktop.reason };
    else if (this.#abort) void this.#load(this.#abort.signal);
  }

  #warned(warnings: Warning[] | null): void {
    if (this.desktop && warnings) this.desktop = { ...this.desktop, warnings };
    else if (this.#abort) void this.#load(this.#abort.signal);
  }

  async #nextStep(step: string): Promise<void> {
    if (step === "log") {
      this.showLog = true;
      return;
    }
    if (step === "retry" && this.failure && !this.desktop) {
      this.#followed = "";
      this.#follow();
      return;
    }
    this.busy = true;
    try {
      const desktop = await api.create({});
      go(`/desktops/${desktop.id}`);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.busy = false;
    }
  }

  override render(): TemplateResult {
    const { desktop } = this;
    if (!this.failure && desktop && (desktop.state === "ready" || desktop.state === "paused")) {
      return html`<viewer-shell
        .desktop=${desktop}
        .viewers=${this.viewers}
        .lines=${this.lines}
        .page=${this}
        @desktop-gone=${() => this.#abort && void this.#load(this.#abort.signal)}
      ></viewer-shell>`;
    }
    return html`
      <header>
        <a class="home" href="/">${logo()} Oriel</a><span class="grow"></span
        ><a class="button quiet" href="/">${icon("back")} All desktops</a>
      </header>
      <div class="page">${this.#body()}</div>
    `;
  }

  #body(): TemplateResult {
    const { desktop } = this;
    const ended = desktop && !isStarting(desktop.state) ? desktop : null;
    const reason: Reason | null = this.failure ?? (ended ? (ended.reason ?? { code: ended.state }) : null);
    if (!reason) return html`<creation-view .desktop=${desktop} .steps=${this.steps} ?online=${this.online}></creation-view>`;
    return html`
      <failure-card
        .reason=${reason}
        ?busy=${this.busy}
        @next-step=${(event: CustomEvent<string>) => void this.#nextStep(event.detail)}
      ></failure-card>
      ${this.showLog ? html`<log-panel class="card log" .desktopId=${this.desktopId} .lines=${this.lines}></log-panel>` : nothing}
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "log-panel": LogPanel;
  }
}

customElements.define("desktop-page", DesktopPage);
