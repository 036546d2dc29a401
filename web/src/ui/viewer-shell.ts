import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { OrielDesktopElement, ViewerState } from "@oriel/desktop";
import { Scope } from "@oriel/desktop/internal";
import { api, asError } from "../api/client.js";
import type { Desktop } from "../api/types.js";
import { go } from "../route.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { icon, type IconName } from "./icons.js";
import { isPauseShown } from "./paused-sign.js";
import { loadPreferences, savePreferences, type ViewerPreferences } from "./preferences.js";
import { specialKeys } from "./special-keys.js";
import { base } from "./styles.js";
import { occurrence, unseen } from "./warnings.js";
import { shellStyles } from "./viewer-shell.styles.js";
import "./clipboard-panel.js";
import "./confirm-dialog.js";
import "./egress-panel.js";
import "./files-panel.js";
import "./log-panel.js";
import "./terminal-panel.js";

type Panel = "log" | "egress" | "clipboard" | "terminal" | "files" | null;

const chips: Record<ViewerState["state"], { text: string; tone: string }> = {
  connecting: { text: "connecting", tone: "warn busy" },
  connected: { text: "connected", tone: "good" },
  playing: { text: "connected", tone: "good" },
  interrupted: { text: "interrupted", tone: "warn busy" },
  reconnecting: { text: "reconnecting", tone: "warn busy" },
  failed: { text: "failed", tone: "bad" },
  closed: { text: "closed", tone: "" },
};

/** The viewer with its toolbar and panels, filling the window. */
export class ViewerShell extends LitElement {
  static override properties = {
    desktop: { attribute: false },
    viewers: { attribute: false },
    lines: { attribute: false },
    page: { attribute: false },
    viewer: { state: true },
    panel: { state: true },
    menu: { state: true },
    preferences: { state: true },
    problem: { state: true },
    blockedSeen: { state: true },
    dismissed: { state: true },
    fullscreen: { state: true },
  };
  declare desktop: Desktop;
  declare viewers: number;
  declare lines: string[];
  /** Where `egress-entry` events come from. */
  declare page: EventTarget | null;
  declare viewer: ViewerState | null;
  declare panel: Panel;
  declare menu: boolean;
  declare preferences: ViewerPreferences;
  declare problem: string | null;
  declare blockedSeen: boolean;
  /** Occurrences of warnings that this page shows no more. */
  declare dismissed: ReadonlySet<string>;
  declare fullscreen: boolean;
  #scope: Scope | null = null;

  static override styles = [base, shellStyles];

  constructor() {
    super();
    this.viewers = 0;
    this.lines = [];
    this.page = null;
    this.viewer = null;
    this.panel = null;
    this.menu = false;
    this.preferences = loadPreferences(localStorage);
    this.problem = null;
    this.blockedSeen = false;
    this.dismissed = new Set();
    this.fullscreen = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#scope = new Scope();
    this.#scope.on(document, "fullscreenchange", () => this.#fullscreenChanged());
    this.#scope.on<KeyboardEvent>(this, "keydown", (event) => {
      if (event.key !== "Escape" || !this.menu) return;
      this.menu = false;
      this.renderRoot.querySelector<HTMLElement>('[data-testid="toolbar-keys"]')?.focus();
    });
    this.#scope.on<PointerEvent>(window, "pointerdown", (event) => {
      if (this.menu && !event.composedPath().some((target) => target instanceof Element && target.classList.contains("menu-box")))
        this.menu = false;
    });
  }

  override disconnectedCallback(): void {
    this.#scope?.close();
    unlockKeyboard();
    super.disconnectedCallback();
  }

  override updated(changed: Map<string, unknown>): void {
    if (changed.has("menu") && this.menu) this.renderRoot.querySelector<HTMLElement>(".menu button")?.focus();
  }

  override firstUpdated(): void {
    if (!matchMedia("(pointer: coarse)").matches) this.#element?.focus({ preventScroll: true });
  }

  /** The page has lost the server's events, so the picture may be about to freeze; or has them again, so it may be had again. */
  serverSeen(online: boolean): void {
    if (!online) this.#element?.probe();
    else if (this.viewer?.state === "reconnecting") this.#element?.retry();
  }

  get #element(): OrielDesktopElement | null {
    return this.renderRoot.querySelector("oriel-desktop");
  }

  #prefer(change: Partial<ViewerPreferences>): void {
    this.preferences = { ...this.preferences, ...change };
    savePreferences(localStorage, this.preferences);
  }

  #toggle(panel: Exclude<Panel, null>): void {
    this.panel = this.panel === panel ? null : panel;
  }

  async #toggleFullscreen(): Promise<void> {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await document.documentElement.requestFullscreen({ navigationUI: "hide" });
      this.#element?.focus();
    } catch (error) {
      this.problem = `Full screen was refused: ${asError(error).message}`;
    }
  }

  /** In full screen the browser can be asked for the keys that it keeps (Esc, Super, Ctrl+W, Alt+Tab). */
  #fullscreenChanged(): void {
    this.fullscreen = document.fullscreenElement !== null;
    this.toggleAttribute("fullscreen", this.fullscreen);
    if (this.fullscreen) lockKeyboard();
    else unlockKeyboard();
  }

  async #fork(): Promise<void> {
    try {
      go(`/desktops/${(await api.fork(this.desktop.id)).id}`);
    } catch (error) {
      this.problem = asError(error).message;
    }
  }

  async #destroy(): Promise<void> {
    const dialog = this.renderRoot.querySelector<ConfirmDialog>("confirm-dialog");
    const name = this.desktop.name || this.desktop.id;
    if (!(await dialog?.ask(`Destroy “${name}”?`, "The desktop ends and its disk is thrown away. This cannot be undone.", "Destroy")))
      return;
    try {
      await api.destroy(this.desktop.id);
      go("/");
    } catch (error) {
      this.problem = asError(error).message;
    }
  }

  #state(event: CustomEvent<ViewerState>): void {
    this.viewer = event.detail;
    if (event.detail.reason === "signed-out") window.dispatchEvent(new CustomEvent("oriel-signed-out"));
    if (event.detail.reason === "desktop-gone" || event.detail.reason === "no-such-desktop") {
      this.dispatchEvent(new CustomEvent("desktop-gone", { bubbles: true, composed: true }));
    }
  }

  override render(): TemplateResult {
    const { scale, remoteResize, latency } = this.preferences;
    return html`
      ${this.#toolbar()} ${this.problem ? this.#strip(this.problem, () => (this.problem = null)) : nothing}
      ${unseen(this.desktop.warnings, this.dismissed).map((warning) =>
        this.#strip(warning.message, () => (this.dismissed = new Set([...this.dismissed, occurrence(warning)])), warning.code),
      )}
      ${
        this.viewer?.webrtcBlocked && !this.blockedSeen
          ? this.#strip(
              "WebRTC does not get through from here, so the picture comes as H.264 over WebSocket; WebRTC is tried again from time to time. To mend it, open the server's media port for UDP, or for TCP.",
              () => (this.blockedSeen = true),
              "webrtc-blocked",
              html`<button data-testid="retry-webrtc" @click=${() => this.#element?.retry()}>Try WebRTC again</button>`,
            )
          : nothing
      }
      <div class="work ${this.panel === "terminal" ? "stacked" : ""}">
        <div class="picture">
          ${
            // Before the viewer, which takes the Tab key for the desktop.
            isPauseShown(this.desktop.state, this.viewer?.state)
              ? html`<paused-sign
                  data-testid="paused"
                  .desktopId=${this.desktop.id}
                  @resumed=${() => this.#element?.focus({ preventScroll: true })}
                ></paused-sign>`
              : nothing
          }
          <oriel-desktop
            data-testid="viewer"
            desktop=${this.desktop.id}
            scale=${scale}
            codec=${this.preferences.codec}
            transport=${this.preferences.transport}
            ?remote-resize=${remoteResize}
            ?latency=${latency}
            @oriel-state=${(event: CustomEvent<ViewerState>) => this.#state(event)}
            @oriel-clipboard-too-long=${(event: CustomEvent<{ from: "page" | "desktop" }>) => {
              this.problem = tooLongText(event.detail.from);
            }}
            @oriel-leave=${() => this.renderRoot.querySelector<HTMLElement>(".toolbar a")?.focus()}
          ></oriel-desktop>
        </div>
        ${this.#side()}
      </div>
      <confirm-dialog></confirm-dialog>
    `;
  }

  #toolbar(): TemplateResult {
    const { scale, remoteResize, latency } = this.preferences;
    const chip = chips[this.viewer?.state ?? "connecting"];
    const transport = this.viewer?.transport === "websocket" ? " · WebSocket" : "";
    return html`<div class="toolbar" role="toolbar" aria-label="Desktop">
      <a class="button quiet square" href="/" title="All desktops" aria-label="All desktops" data-testid="toolbar-back">${icon("back")}</a>
      <span class="name" title=${this.desktop.id}>${this.desktop.name || this.desktop.id}</span>
      <span
        class="chip ${chip.tone}"
        role="status"
        data-testid="state-chip"
        data-state=${this.viewer?.state === "playing" ? "connected" : (this.viewer?.state ?? "connecting")}
        >${chip.text}${transport}</span
      >
      ${this.viewers > 1 ? html`<span class="viewers" title="Pages that show this desktop">${icon("people")} ${this.viewers}</span>` : nothing}
      <span class="grow"></span>
      <div class="tools">
        ${this.#tool("keyboard", "Keyboard", "keyboard", () => this.#element?.showKeyboard(), null, "touch-only")}
        <div class="menu-box">
          ${this.#tool("keys", "Special keys", "keys", () => (this.menu = !this.menu), this.menu)} ${this.menu ? this.#menu() : nothing}
        </div>
        ${this.#tool("clipboard", "Clipboard", "clipboard", () => this.#toggle("clipboard"), this.panel === "clipboard")}
        ${this.#tool("fit", scale === "fit" ? "Show pixel for pixel (1:1)" : "Fit to the window", "scale", () => this.#prefer({ scale: scale === "fit" ? "actual" : "fit" }), scale === "actual")}
        ${this.#tool("resize", "Desktop follows the window's size", "resize", () => this.#prefer({ remoteResize: !remoteResize }), remoteResize)}
        ${this.#tool("latency", "Latency", "latency", () => this.#prefer({ latency: !latency }), latency)}
        ${this.#tool("folder", "Files", "files", () => this.#toggle("files"), this.panel === "files")}
        ${this.#tool("terminal", "Terminal", "terminal", () => this.#toggle("terminal"), this.panel === "terminal")}
        ${this.#tool("egress", "Egress", "egress", () => this.#toggle("egress"), this.panel === "egress")}
        ${this.#tool("log", "Log", "log", () => this.#toggle("log"), this.panel === "log")}
        ${this.desktop.canFork ? this.#tool("fork", "Fork: a second desktop continues from here", "fork", () => void this.#fork()) : nothing}
        ${this.#tool("fullscreen", this.fullscreen ? "Leave full screen" : "Full screen", "fullscreen", () => void this.#toggleFullscreen(), this.fullscreen)}
        <button class="quiet square danger" title="Destroy" aria-label="Destroy" data-testid="destroy" @click=${() => void this.#destroy()}>
          ${icon("trash")}
        </button>
      </div>
    </div>`;
  }

  #tool(name: IconName, label: string, id: string, action: () => void, pressed: boolean | null = null, more = ""): TemplateResult {
    return html`<button
      class="quiet square ${more}"
      title=${label}
      aria-label=${label}
      aria-pressed=${pressed === null ? nothing : String(pressed)}
      data-testid="toolbar-${id}"
      @click=${(event: MouseEvent) => {
        action();
        // A click of the mouse changes how the desktop is shown; the keyboard stays with the desktop.
        if (event.detail > 0 && this.panel === null && !this.menu) this.#element?.focus({ preventScroll: true });
      }}
    >
      ${icon(name)}
    </button>`;
  }

  #menu(): TemplateResult {
    return html`<div class="menu card" role="group" aria-label="Special keys" data-testid="keys-menu">
      ${specialKeys.map(
        ({ label, keys }) =>
          html`<button
            class="quiet"
            @click=${() => {
              this.menu = false;
              this.#element?.pressKeys(keys);
              this.#element?.focus();
            }}
          >
            ${label}
          </button>`,
      )}
      <p class="small muted">
        In full screen the browser's own keys go to the desktop as well. Ctrl + Alt + Shift gives the keyboard back.
      </p>
    </div>`;
  }

  #strip(text: string, dismiss: () => void, reason = "notice", action: TemplateResult | typeof nothing = nothing): TemplateResult {
    return html`<div class="strip" role="status">
      <span class="grow" data-testid="error-reason" data-reason=${reason}>${text}</span>${action}
      <button class="quiet square" aria-label="Dismiss" @click=${dismiss}>${icon("close")}</button>
    </div>`;
  }

  #side(): TemplateResult | typeof nothing {
    if (!this.panel) return nothing;
    const title = { log: "Log", egress: "Egress", clipboard: "Clipboard", terminal: "Terminal", files: "Files" }[this.panel];
    return html`<aside class=${this.panel} aria-label=${title}>
      <div class="side-head">
        <h2 class="grow">${title}</h2>
        <button class="quiet square" aria-label="Close" @click=${() => (this.panel = null)}>${icon("close")}</button>
      </div>
      ${this.#panel(this.panel)}
    </aside>`;
  }

  #panel(panel: Exclude<Panel, null>): TemplateResult {
    switch (panel) {
      case "log":
        return html`<log-panel .desktopId=${this.desktop.id} .lines=${this.lines}></log-panel>`;
      case "egress":
        return html`<egress-panel .desktopId=${this.desktop.id} .source=${this.page}></egress-panel>`;
      case "clipboard":
        return html`<clipboard-panel .element=${this.#element}></clipboard-panel>`;
      case "terminal":
        return html`<terminal-panel .desktopId=${this.desktop.id}></terminal-panel>`;
      case "files":
        return html`<files-panel .desktopId=${this.desktop.id}></files-panel>`;
    }
  }
}

function tooLongText(from: "page" | "desktop"): string {
  const whose = from === "page" ? "This computer's clipboard" : "The desktop's clipboard";
  return `${whose} holds more than 1 MiB of text, which is not passed on. Move it as a file instead.`;
}

interface KeyboardLock {
  lock(): Promise<void>;
  unlock(): void;
}

function lockKeyboard(): void {
  const { keyboard } = navigator as Navigator & { keyboard?: KeyboardLock };
  // Refused or not there: the browser keeps its own keys, everything else works.
  keyboard?.lock?.().catch(() => undefined);
}

function unlockKeyboard(): void {
  (navigator as Navigator & { keyboard?: KeyboardLock }).keyboard?.unlock?.();
}

customElements.define("viewer-shell", ViewerShell);
