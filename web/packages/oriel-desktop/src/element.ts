import type { ConnectionState } from "./connection.js";
import type { Size } from "./geometry.js";
import { chord } from "./key-state.js";
import { LatencyView } from "./latency-view.js";
import type { CodecChoice, TransportChoice } from "./link.js";
import type { Reason } from "./messages.js";
import { noticeFor } from "./notices.js";
import { Session } from "./session.js";
import { buildShadowTree, type ShadowTree } from "./shadow-tree.js";

export interface ViewerState {
  state: "connecting" | "connected" | "playing" | "interrupted" | "reconnecting" | "failed" | "closed";
  transport: "webrtc" | "websocket" | null;
  /** WebRTC did not get through, so the WebSocket is used. */
  webrtcBlocked: boolean;
  attempt: number;
  reason: string | null;
  message: string | null;
}

export interface ViewerEvents {
  "oriel-state": CustomEvent<ViewerState>;
  "oriel-size": CustomEvent<Size>;
  "oriel-clipboard": CustomEvent<{ text: string }>;
  "oriel-clipboard-too-long": CustomEvent<{ from: "page" | "desktop" }>;
  "oriel-desktop-state": CustomEvent<{ state: string; reason: Reason | null }>;
  "oriel-leave": CustomEvent<null>;
}

const hintMs = 4000;

/**
 * `<oriel-desktop src="https://server" desktop="d-…">` shows a desktop and passes keyboard, pointer and clipboard on to it.
 *
 * Attributes: `src` base of the API (default: the page's own origin), `desktop` its id, `token` an API token where no session
 * cookie applies, `codec` auto|vp8|h264, `transport` auto|udp|tcp|websocket, `scale` fit|actual, `remote-resize` (the desktop
 * takes the element's size), `latency` (shows the overlay). It connects while it is in a document and has a desktop, and keeps
 * itself connected. Events: see {@link ViewerEvents}.
 */
export class OrielDesktopElement extends HTMLElement {
  static readonly observedAttributes = ["src", "desktop", "token", "codec", "transport", "scale", "remote-resize", "latency"];

  readonly #tree: ShadowTree = buildShadowTree(this);
  readonly #latency = new LatencyView(this.#tree.latency);
  #session: Session | null = null;
  #state: ViewerState = idle();
  #restart: Promise<void> | null = null;
  #hintTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.#tree.keys.addEventListener("focus", () => this.#showHint());
    this.#tree.keys.addEventListener("blur", () => this.#hideHint());
  }

  get state(): ViewerState {
    return this.#state;
  }

  /** The desktop's size in its own pixels; 0 × 0 before the first frame. */
  get desktopSize(): Size {
    return this.#session?.size ?? { width: 0, height: 0 };
  }

  get guestClipboard(): string {
    return this.#session?.guestClipboard ?? "";
  }

  connectedCallback(): void {
    this.#reopen();
  }

  disconnectedCallback(): void {
    this.#reopen();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === "scale" || name === "remote-resize" || name === "latency") this.#present();
    else this.#reopen();
  }

  /** Tries at once instead of waiting for the next attempt. */
  retry(): void {
    if (this.#state.state === "failed" || !this.#session) this.#reopen();
    else this.#session.retry();
  }

  /** Looks at the connection now, for a page that has noticed by other means that the server may be gone. */
  probe(): void {
    void this.#session?.probe();
  }

  /** Gives the keyboard to the desktop. */
  override focus(options?: FocusOptions): void {
    this.#tree.keys.focus(options);
  }

  /** Presses keys in order and releases them in reverse. */
  pressKeys(keys: ReadonlyArray<{ code: string; key: string }>): void {
    this.#session?.send(chord(keys));
  }

  /** Types text, whatever the guest's keyboard layout. */
  typeText(text: string): void {
    if (text !== "") this.#session?.send([{ t: "text", text }]);
  }

  async setClipboard(text: string): Promise<void> {
    await this.#session?.setClipboard(text);
  }

  /** Asks the browser for clipboard access (call it from a click); answers whether it is given. */
  async allowClipboard(): Promise<boolean> {
    return (await this.#session?.allowClipboard()) ?? false;
  }

  /** Opens a phone's keyboard (call it from a tap). */
  showKeyboard(): void {
    this.#tree.keys.focus({ preventScroll: true });
    (navigator as Navigator & { virtualKeyboard?: { show(): void } }).virtualKeyboard?.show();
  }

  /** One at a time: the old session is closed before the next one opens. Runs once for several changes in a row. */
  #reopen(): void {
    this.#restart ??= Promise.resolve()
      .then(async () => {
        const old = this.#session;
        this.#session = null;
        await old?.close();
      })
      .then(() => {
        this.#restart = null;
        this.#open();
      });
  }

  #open(): void {
    const desktop = this.getAttribute("desktop");
    if (!this.isConnected || !desktop) return;
    this.#latency.clear();
    this.#session = new Session(
      {
        desktop,
        access: { base: (this.getAttribute("src") ?? "").replace(/\/+$/, ""), token: this.getAttribute("token") },
        codec: oneOf<CodecChoice>(this.getAttribute("codec"), ["vp8", "h264"], "auto"),
        transport: oneOf<TransportChoice>(this.getAttribute("transport"), ["udp", "tcp", "websocket"], "auto"),
      },
      this.#tree,
      this.#latency,
      {
        connection: (state) => this.#changed(state),
        playing: () => this.#report({ ...this.#state, state: "playing" }),
        size: (size) => this.#emit("oriel-size", size),
        clipboard: (text) => this.#emit("oriel-clipboard", { text }),
        clipboardTooLong: (from) => this.#emit("oriel-clipboard-too-long", { from }),
        desktopState: (state, reason) => this.#emit("oriel-desktop-state", { state, reason }),
        leave: () => this.#leave(),
      },
    );
    this.#present();
    this.#session.open();
  }

  #present(): void {
    this.#tree.latency.hidden = !this.hasAttribute("latency");
    if (!this.#session) return;
    this.#session.remoteResize = this.hasAttribute("remote-resize");
    this.#session.layout();
  }

  #changed(state: ConnectionState): void {
    const error = "error" in state ? state.error : null;
    const connected = state.name === "connected" ? state : null;
    // A mended link goes on showing the same picture; a new one plays when its first frame is there.
    const resumed = connected !== null && this.#state.state === "interrupted";
    this.#report({
      state: resumed ? "playing" : state.name,
      transport: connected?.link.kind ?? (state.name === "interrupted" ? this.#state.transport : null),
      webrtcBlocked: connected?.webrtcBlocked ?? false,
      attempt: state.name === "reconnecting" ? state.attempt : 0,
      reason: error?.reason ?? null,
      message: error?.message ?? null,
    });
  }

  #report(state: ViewerState): void {
    this.#state = state;
    this.#showNotice();
    this.#emit("oriel-state", state);
  }

  #showNotice(): void {
    const { state, reason, message, attempt } = this.#state;
    const { notice } = this.#tree;
    notice.hidden = state === "playing" || state === "closed";
    if (notice.hidden) {
      notice.replaceChildren();
      return;
    }
    const known = reason ? noticeFor(reason, state !== "failed") : null;
    const waiting = { connecting: "Connecting…", connected: "Waiting for the first frame…", interrupted: "Connection interrupted…" };
    const title = state in waiting ? waiting[state as keyof typeof waiting] : (known?.title ?? "Reconnecting…");
    const parts: Node[] = [];
    if (state !== "failed") parts.push(element("div", "spinner"));
    parts.push(element("h2", "", title));
    if (known) parts.push(element("p", "", known.next));
    if (state === "failed" && message && message !== known?.title) parts.push(element("p", "", message));
    if (state === "failed" || (state === "reconnecting" && attempt > 1)) {
      const button = element("button", "", "Try again") as HTMLButtonElement;
      button.type = "button";
      button.addEventListener("click", () => this.retry());
      parts.push(button);
    }
    notice.replaceChildren(...parts);
  }

  #leave(): void {
    this.#tree.keys.blur();
    this.#emit("oriel-leave", null);
  }

  #showHint(): void {
    clearTimeout(this.#hintTimer);
    if (matchMedia("(pointer: coarse)").matches) return;
    this.#tree.hint.classList.add("on");
    this.#hintTimer = setTimeout(() => this.#hideHint(), hintMs);
  }

  #hideHint(): void {
    clearTimeout(this.#hintTimer);
    this.#tree.hint.classList.remove("on");
  }

  #emit<K extends keyof ViewerEvents>(type: K, detail: ViewerEvents[K]["detail"]): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

function idle(): ViewerState {
  return { state: "closed", transport: null, webrtcBlocked: false, attempt: 0, reason: null, message: null };
}

function oneOf<T extends string>(value: string | null, allowed: readonly T[], otherwise: T): T {
  return allowed.find((one) => one === value) ?? otherwise;
}

function element(tag: string, className: string, text = ""): HTMLElement {
  const result = document.createElement(tag);
  if (className) result.className = className;
  result.textContent = text;
  return result;
}
