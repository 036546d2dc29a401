import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Reason } from "@oriel/desktop/internal";
import { api, asError } from "../api/client.js";
import { isAlive, isStarting, oldImage, type Desktop, type Image, type SessionInfo } from "../api/types.js";
import { go } from "../route.js";
import { duration } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { Poller } from "../ui/poller.js";
import { base } from "../ui/styles.js";
import { warningTitle } from "../ui/warnings.js";
import "../ui/failure-card.js";
import "../ui/live-thumbnail.js";
import "../ui/confirm-dialog.js";
import type { ConfirmDialog } from "../ui/confirm-dialog.js";

const dismissedKey = "oriel.isolation-seen";

/** The list of desktops and the Connect button. */
export class DesktopsPage extends LitElement {
  static override properties = {
    session: { attribute: false },
    desktops: { state: true },
    failure: { state: true },
    offline: { state: true },
    busy: { state: true },
    bannerSeen: { state: true },
    oldImage: { state: true },
  };
  declare session: SessionInfo | null;
  declare desktops: Desktop[] | null;
  declare failure: Reason | null;
  declare offline: boolean;
  declare busy: boolean;
  declare bannerSeen: boolean;
  declare oldImage: Image | null;
  #poller: Poller | null = null;

  static override styles = [
    base,
    css`
      .hero {
        display: grid;
        justify-items: center;
        text-align: center;
        gap: 14px;
        padding: 7vh 0 8vh;
      }
      .hero h1 {
        font-size: clamp(28px, 5vw, 40px);
      }
      .hero p {
        max-width: 46ch;
        color: var(--muted);
        font-size: 16px;
      }
      .connect {
        min-height: 54px;
        padding: 12px 32px;
        font-size: 17px;
        border-radius: 14px;
        box-shadow: 0 6px 24px color-mix(in srgb, var(--accent) 35%, transparent);
      }
      .bar {
        display: flex;
        align-items: center;
        gap: 12px;
        flex-wrap: wrap;
        margin: 8px 0 22px;
      }
      .bar .connect {
        min-height: 44px;
        padding: 8px 22px;
        font-size: 15px;
        border-radius: 11px;
        box-shadow: none;
      }
      @media (max-width: 560px) {
        .bar {
          align-items: baseline;
        }
        .bar .grow {
          flex-basis: 100%;
        }
        .bar .button,
        .bar .connect {
          flex: 1 1 0;
          min-height: 46px;
          padding: 8px;
          white-space: nowrap;
        }
      }
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(310px, 100%), 1fr));
        gap: 20px;
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .card {
        position: relative;
        overflow: hidden;
        transition:
          transform 0.15s,
          box-shadow 0.15s;
      }
      .card:hover {
        transform: translateY(-2px);
        box-shadow: var(--shadow-high);
      }
      .card a.open {
        color: inherit;
        text-decoration: none;
        font-weight: 650;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .card a.open::after {
        content: "";
        position: absolute;
        inset: 0;
        border-radius: var(--radius);
      }
      .card a.open:focus-visible {
        outline: none;
      }
      .card a.open:focus-visible::after {
        outline: 2px solid var(--focus);
        outline-offset: -2px;
      }
      .body {
        padding: 14px 16px 12px;
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 8px;
      }
      .body .row {
        flex-wrap: nowrap;
      }
      .body > .chip {
        justify-self: start;
      }
      .meta {
        display: flex;
        gap: 4px 14px;
        flex-wrap: wrap;
        font-size: 13px;
        color: var(--muted);
        align-items: center;
      }
      .meta span {
        display: inline-flex;
        align-items: center;
        gap: 5px;
      }
      .meta svg {
        width: 15px;
        height: 15px;
      }
      .card button {
        position: relative;
        z-index: 1;
        min-height: 34px;
        padding: 4px 8px;
      }
      .banner {
        display: flex;
        gap: 12px;
        align-items: flex-start;
        padding: 13px 16px;
        margin-bottom: 20px;
        border-radius: var(--radius);
        background: var(--accent-soft);
        font-size: 14px;
      }
      .banner svg {
        flex: none;
        margin-top: 1px;
      }
      .banner button {
        min-height: 28px;
        padding: 2px 6px;
      }
      .banner.bad {
        background: var(--bad-soft);
        color: var(--bad);
      }
      failure-card {
        max-width: 720px;
        margin: 0 auto 26px;
      }
    `,
  ];

  constructor() {
    super();
    this.session = null;
    this.desktops = null;
    this.failure = null;
    this.offline = false;
    this.busy = false;
    this.oldImage = null;
    this.bannerSeen = localStorage.getItem(dismissedKey) === "1";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "Oriel";
    api.images().then(
      (images) => (this.oldImage = oldImage(images)),
      () => undefined, // not worth a message: the list says that the server is away
    );
    this.#poller = new Poller(
      2500,
      async (signal) => {
        this.desktops = await api.desktops(signal);
        this.offline = false;
        if (this.failure?.code === "server-unreachable") this.failure = null;
      },
      (error) => (this.offline = asError(error).reason === "server-unreachable"),
    );
  }

  override disconnectedCallback(): void {
    this.#poller?.close();
    super.disconnectedCallback();
  }

  async #connect(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.failure = null;
    try {
      const desktop = await api.create({});
      go(`/desktops/${desktop.id}`);
    } catch (error) {
      const { reason, message, details } = asError(error);
      this.failure = { ...details, code: reason, message };
    } finally {
      this.busy = false;
    }
  }

  async #destroy(desktop: Desktop): Promise<void> {
    const dialog = this.renderRoot.querySelector<ConfirmDialog>("confirm-dialog");
    if (
      !(await dialog?.ask(
        `Destroy “${desktop.name || desktop.id}”?`,
        "The desktop ends and its disk is thrown away. This cannot be undone.",
        "Destroy",
      ))
    )
      return;
    try {
      await api.destroy(desktop.id);
      this.#poller?.now();
    } catch (error) {
      const { reason, message } = asError(error);
      this.failure = { code: reason, message };
    }
  }

  override render(): TemplateResult {
    const desktops = this.desktops ?? [];
    return html`
      ${this.offline ? html`<div class="banner bad" role="status" data-testid="server-away">${icon("monitor")} The server does not answer. This page comes back by itself.</div>` : nothing}
      ${this.#isolation(desktops)} ${this.#age()}
      ${
        this.failure
          ? html`<failure-card
              here="list"
              .reason=${this.failure}
              ?busy=${this.busy}
              @next-step=${() => void this.#connect()}
            ></failure-card>`
          : nothing
      }
      ${this.desktops === null ? nothing : desktops.length === 0 ? this.#empty() : this.#list(desktops)}
      <confirm-dialog></confirm-dialog>
    `;
  }

  #connectButton(): TemplateResult {
    return html`<button class="primary connect" data-testid="connect" ?disabled=${this.busy} @click=${() => void this.#connect()}>
      ${icon("play")} ${this.busy ? "Connecting…" : "Connect"}
    </button>`;
  }

  #empty(): TemplateResult {
    return html`<section class="hero">
      <h1>A desktop of your own, in a moment</h1>
      <p>A fresh Linux desktop with a terminal and a browser, here in this page. Use it, hand it to an agent, throw it away.</p>
      ${this.#connectButton()}
      <a class="button" href="/new" data-testid="new-desktop">New desktop with settings…</a>
    </section>`;
  }

  #list(desktops: Desktop[]): TemplateResult {
    const alive = desktops.filter(({ state }) => isAlive(state)).length;
    return html`
      <div class="bar">
        <h1>Desktops</h1>
        ${this.session ? html`<span class="muted small">${alive} of ${this.session.maxDesktops}</span>` : nothing}
        <span class="grow"></span>
        <a class="button" href="/new" data-testid="new-desktop">${icon("plus")} New desktop…</a>
        ${this.#connectButton()}
      </div>
      <ul class="grid" data-testid="desktops">
        ${desktops.map((desktop) => this.#card(desktop))}
      </ul>
    `;
  }

  #card(desktop: Desktop): TemplateResult {
    const name = desktop.name || desktop.id;
    const age = duration(Date.now() - Date.parse(desktop.createdAt));
    return html`<li class="card" data-testid="desktop-card" data-id=${desktop.id}>
      <live-thumbnail .desktopId=${desktop.id} ?live=${desktop.state === "ready"}></live-thumbnail>
      <div class="body">
        <div class="row">
          <a class="open grow" href="/desktops/${desktop.id}">${name}</a>
          ${stateChip(desktop)}
        </div>
        ${desktop.warnings.map(({ code, message }) => html`<span class="chip warn" title=${message} data-testid="desktop-warning" data-reason=${code}>${warningTitle(code)}</span>`)}
        <div class="row">
          <div class="meta grow">
            <span title="Age">${age}</span>
            <span title="Image">${desktop.image?.name ?? "no image"}</span>
            <span title="Pages that show it">${icon("people")} ${desktop.viewers}</span>
          </div>
          ${
            isAlive(desktop.state) || desktop.state === "failed"
              ? html`<button class="quiet danger" aria-label="Destroy ${name}" title="Destroy" @click=${() => void this.#destroy(desktop)}>
                  ${icon("trash")}
                </button>`
              : nothing
          }
        </div>
      </div>
    </li>`;
  }

  #age(): TemplateResult | typeof nothing {
    if (!this.oldImage) return nothing;
    return html`<div class="banner" role="note" data-testid="image-age">
      ${icon("shield")}
      <div class="grow">
        <b>The image is of ${new Date(this.oldImage.createdAt).toLocaleDateString()}.</b> Security fixes of Chromium and Debian since then
        are missing in new desktops. On the server: <code>./oriel image build images/desktop --update</code>
      </div>
    </div>`;
  }

  #isolation(desktops: Desktop[]): TemplateResult | typeof nothing {
    if (this.bannerSeen || !desktops.some(({ isolation }) => isolation === "container")) return nothing;
    const dismiss = () => {
      localStorage.setItem(dismissedKey, "1");
      this.bannerSeen = true;
    };
    return html`<div class="banner" role="note" data-testid="isolation-banner">
      ${icon("shield")}
      <div class="grow">
        <b>Isolated by a container.</b> No usable KVM was found, so desktops share this machine's kernel: well fenced, but less than a
        microVM. <code>./oriel doctor</code> on the server says what KVM lacks and how to mend it.
      </div>
      <button class="quiet" aria-label="Dismiss" @click=${dismiss}>${icon("close")}</button>
    </div>`;
  }
}

export function stateChip(desktop: Desktop): TemplateResult {
  const { state } = desktop;
  const tone = state === "ready" ? "good" : state === "failed" ? "bad" : isStarting(state) || state === "destroying" ? "warn busy" : "";
  return html`<span class="chip ${tone}" data-testid="desktop-state">${state}</span>`;
}

customElements.define("desktops-page", DesktopsPage);
