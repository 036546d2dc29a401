import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { desktopUrl, pageHeaders } from "../api/client.js";
import { base } from "./styles.js";
import { icon } from "./icons.js";
import { Poller } from "./poller.js";

const everyMs = 4000;
const width = 480;

/** A small picture of a ready desktop, taken anew every few seconds while it is on the screen. */
export class LiveThumbnail extends LitElement {
  static override properties = { desktopId: { attribute: false }, live: { type: Boolean }, url: { state: true } };
  declare desktopId: string;
  declare live: boolean;
  declare url: string | null;
  #poller: Poller | null = null;
  #etag: string | null = null;
  #onScreen = false;
  readonly #observer = new IntersectionObserver((entries) => {
    this.#onScreen = entries.at(-1)?.isIntersecting ?? false;
    this.#adjust();
  });

  static override styles = [
    base,
    css`
      :host {
        aspect-ratio: 16 / 9;
        overflow: hidden;
        background: linear-gradient(135deg, #20283f, #12151f);
      }
      img {
        display: block;
        width: 100%;
        height: 100%;
        object-fit: cover;
        object-position: top;
      }
      .none {
        display: grid;
        place-items: center;
        height: 100%;
        color: #8b94ad;
      }
    `,
  ];

  constructor() {
    super();
    this.desktopId = "";
    this.live = false;
    this.url = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
    this.#onScreen = false;
    this.#adjust();
    this.#show(null);
  }

  override updated(): void {
    this.#adjust();
  }

  override render(): TemplateResult {
    return this.url ? html`<img src=${this.url} alt="" />` : html`<div class="none">${this.live ? nothing : icon("monitor")}</div>`;
  }

  #adjust(): void {
    const wanted = this.#onScreen && this.live && this.isConnected;
    if (wanted && !this.#poller) this.#poller = new Poller(everyMs, (signal) => this.#take(signal));
    else if (!wanted && this.#poller) {
      this.#poller.close();
      this.#poller = null;
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    const headers = pageHeaders(this.#etag ? { "If-None-Match": this.#etag } : {});
    const response = await fetch(desktopUrl(this.desktopId, `/screenshot?width=${width}`), {
      signal,
      cache: "no-store",
      headers,
    });
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`No screenshot: ${response.status}`);
    const blob = await response.blob();
    if (signal.aborted) return;
    this.#etag = response.headers.get("ETag");
    this.#show(URL.createObjectURL(blob));
  }

  #show(url: string | null): void {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = url;
  }
}

customElements.define("live-thumbnail", LiveThumbnail);
